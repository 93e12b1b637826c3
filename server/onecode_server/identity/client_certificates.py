"""Client certificates of one trust domain: each is parsed once, and checked anew whenever it is used."""

from typing import Final, NamedTuple

from onecode_server.errors import Unauthenticated
from onecode_server.identity import certificate, spiffe_id
from onecode_server.identity.bounded_cache import BoundedCache
from onecode_server.identity.certificate import CERTIFICATE_BYTES_MAX, Certificate
from onecode_server.identity.known import Known
from onecode_server.identity.refusals import Refusal, refused
from onecode_server.identity.revocation import Revocations

CERTIFICATES_KEPT: Final = 4096
"""Half of the connections that a worker takes at most: a client that is pushed out costs some 50 us once more."""
BYTES_KEPT: Final = 16 * 1024 * 1024
"""The bound on the kept ones together: 4 KiB for each of CERTIFICATES_KEPT, where a client's has about 1 KiB."""

_SECOND: Final = 1_000_000


class _Read(NamedTuple):
    """A certificate whose content names an identity, and the answer for as long as it is valid."""

    certificate: Certificate
    known: Known


class ClientCertificates:
    """Reads certificates whose chain the listener has checked, and keeps what it has read by their bytes."""

    def __init__(self, trust_domain: str) -> None:
        self._trust_domain = trust_domain
        self._kept: BoundedCache[bytes, _Read | Refusal] = BoundedCache(CERTIFICATES_KEPT, BYTES_KEPT)

    def __len__(self) -> int:
        return len(self._kept)

    def read(self, data: bytes, now: int, revocations: Revocations) -> Known:
        """Return whose certificate ``data`` (DER or PEM) is at ``now`` (Unix microseconds). Raises Unauthenticated."""
        read = self._kept.get(data)
        if read is None:
            if len(data) > CERTIFICATE_BYTES_MAX:
                raise refused(Refusal.CERTIFICATE_UNREADABLE)
            try:
                read = self._read(data)
            except Unauthenticated as fault:
                read = Refusal[fault.reason]
            self._kept.put(data, read, len(data))
        if isinstance(read, Refusal):
            raise refused(read)
        one, known = read
        if now >= known.until:
            raise refused(Refusal.CERTIFICATE_EXPIRED)
        if now < one.not_before:
            raise refused(Refusal.CERTIFICATE_NOT_YET_VALID)
        if revocations.revoked(one):
            raise refused(Refusal.CERTIFICATE_REVOKED)
        return known

    def _read(self, data: bytes) -> _Read:
        one = certificate.read(data)
        if not one.may_be_client:
            raise refused(Refusal.CERTIFICATE_USAGE)
        if not one.uris:
            raise refused(Refusal.CERTIFICATE_WITHOUT_URI)
        if len(one.uris) > 1:
            raise refused(Refusal.CERTIFICATE_WITH_MANY_URIS)
        # The second that notAfter names is the last one in which it is valid (RFC 5280, section 4.1.2.5).
        return _Read(one, Known(spiffe_id.read(one.uris[0], self._trust_domain), one.not_after + _SECOND))
