"""Client certificates of one trust domain: each is parsed once, and checked anew whenever it is used.

There are two kinds. In DER it is a client's certificate alone, whose chain the listener has checked, and checks again
as soon as the authorities or their lists are others: the native front does so. In PEM it is the certificate with all
that was shown after it, and the chain is checked here: gRPC and OpenSSL look at it once, at the handshake.
"""

from typing import Final

from onecode_server.errors import Unauthenticated
from onecode_server.identity import certificate, chains, spiffe_id
from onecode_server.identity.bounded_cache import BoundedCache
from onecode_server.identity.certificate import CERTIFICATE_BYTES_MAX, Certificate
from onecode_server.identity.chains import Link
from onecode_server.identity.client_trust import ClientTrust
from onecode_server.identity.known import Known
from onecode_server.identity.refusals import Refusal, refused

CERTIFICATES_KEPT: Final = 4096
"""Half of the connections that a worker takes at most: a client that is pushed out costs some 50 us once more."""
BYTES_KEPT: Final = 16 * 1024 * 1024
"""The bound on the kept ones together: 4 KiB for each of CERTIFICATES_KEPT, of which a client's takes about 2 KiB."""

_SECOND: Final = 1_000_000


class _Read:
    """A certificate whose content names an identity, and what was found about it by the authorities in force."""

    __slots__ = ("_authorities", "_known", "_own", "_shown", "_trust", "_until", "begins", "ends", "known", "refusal")

    def __init__(self, own: Certificate, known: Known, shown: tuple[Link, ...]) -> None:
        self._own = own
        self._known = known
        self._shown = shown
        self._trust: ClientTrust | None = None
        self._authorities: object = None
        self._until: int | None = None
        self.begins, self.ends = own.not_before, known.until
        self.known = known
        self.refusal: Refusal | None = None

    def look(self, trust: ClientTrust, now: int) -> None:
        """Look at revocations and chain, where that was not done for these authorities and lists, or has ended."""
        if self._trust is trust and now < self.known.until:
            return
        self.known, self.refusal = self._known, self._fault(trust, now)
        if self.refusal is None and self._until is not None:
            self.known = self._known._replace(until=min(self._known.until, self._until))
        self._trust = trust

    def _fault(self, trust: ClientTrust, now: int) -> Refusal | None:
        if trust.revocations.revoked(self._own):
            return Refusal.CERTIFICATE_REVOKED
        if not self._shown:
            return None
        if any(trust.revocations.revoked(one.described) for one in self._shown):
            return Refusal.CERTIFICATE_AUTHORITY_REVOKED
        if self._authorities is not trust.authorities or self._until is None or now >= self._until:
            self._until = chains.until(self._shown, trust.authorities, now)
            self._authorities = trust.authorities
        return Refusal.CERTIFICATE_AUTHORITY_UNKNOWN if self._until is None else None


class ClientCertificates:
    """Reads certificates, and keeps what it has read by their bytes."""

    def __init__(self, trust_domain: str) -> None:
        self._trust_domain = trust_domain
        self._kept: BoundedCache[bytes, _Read | Refusal] = BoundedCache(CERTIFICATES_KEPT, BYTES_KEPT)

    def __len__(self) -> int:
        return len(self._kept)

    def read(self, data: bytes, now: int, trust: ClientTrust) -> Known:
        """Return whose certificate ``data`` is at ``now`` (Unix microseconds): DER, or PEM with the chain after it.

        Raises Unauthenticated.
        """
        read = self._kept.get(data)
        if read is None:
            if len(data) > CERTIFICATE_BYTES_MAX:
                raise refused(Refusal.CERTIFICATE_UNREADABLE)
            try:
                read = self._read(data)
            except Unauthenticated as fault:
                read = Refusal[fault.reason]
            self._kept.put(data, read, 2 * len(data))  # its parts are kept, too
        if isinstance(read, Refusal):
            raise refused(read)
        if now >= read.ends:
            raise refused(Refusal.CERTIFICATE_EXPIRED)
        if now < read.begins:
            raise refused(Refusal.CERTIFICATE_NOT_YET_VALID)
        read.look(trust, now)
        if read.refusal is not None:
            raise refused(read.refusal)
        return read.known

    def _read(self, data: bytes) -> _Read:
        shown = () if certificate.is_der(data) else chains.read(data)
        own = shown[0].described if shown else certificate.read(data)
        if not own.may_be_client:
            raise refused(Refusal.CERTIFICATE_USAGE)
        if not own.has_known_key:
            raise refused(Refusal.CERTIFICATE_KEY)
        if not own.uris:
            raise refused(Refusal.CERTIFICATE_WITHOUT_URI)
        if len(own.uris) > 1:
            raise refused(Refusal.CERTIFICATE_WITH_MANY_URIS)
        # The second that notAfter names is the last one in which it is valid (RFC 5280, section 4.1.2.5).
        known = Known(spiffe_id.read(own.uris[0], self._trust_domain), own.not_after + _SECOND)
        return _Read(own, known, shown)
