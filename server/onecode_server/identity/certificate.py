"""Client certificates: what this server needs of them, read by cryptography (RFC 5280).

The listener has checked the chain by then (TLS): here are the SPIFFE id, the times and usages, and the issuer and
serial number, by which a certificate is revoked.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeVar

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from onecode_server.identity import public_keys
from onecode_server.identity.refusals import Refusal, refused

CERTIFICATE_BYTES_MAX: Final = 64 * 1024
"""The bound on one certificate; a client's has about 1 KiB."""

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DER_SEQUENCE: Final = b"\x30"


class Certificate(NamedTuple):
    """A certificate. Times are Unix microseconds, both included; ``issuer`` is as ``name_key`` writes it.

    An extension that is absent restricts nothing (RFC 5280, section 4.2.1): ``may_be_client`` and ``may_be_server``
    hold then as well. An authority's certificate may be neither, since it proves only who may issue others.
    ``has_known_key`` tells whether its key is of a kind that both fronts know (``public_keys``).
    """

    uris: tuple[str, ...]
    not_before: int
    not_after: int
    issuer: str
    serial: int
    may_be_client: bool
    may_be_server: bool
    has_known_key: bool


def read(data: bytes) -> Certificate:
    """Return a certificate that is given in DER or PEM. Raises Unauthenticated where it cannot be read."""
    if len(data) > CERTIFICATE_BYTES_MAX:
        raise refused(Refusal.CERTIFICATE_UNREADABLE)
    load = x509.load_der_x509_certificate if is_der(data) else x509.load_pem_x509_certificate
    try:
        return describe(load(data))
    except Exception:  # whatever another's parser raises at a caller's bytes, these are no certificate
        raise refused(Refusal.CERTIFICATE_UNREADABLE) from None


def is_der(data: bytes) -> bool:
    """Return whether ``data`` begins as a certificate in DER does, and none in PEM."""
    return data[:1] == _DER_SEQUENCE


def describe(certificate: x509.Certificate) -> Certificate:
    """Return what this server needs of a certificate. Raises ValueError and others where an extension is invalid."""
    extensions = certificate.extensions
    names = _extension(extensions, x509.SubjectAlternativeName)
    constraints = _extension(extensions, x509.BasicConstraints)
    usage = _extension(extensions, x509.KeyUsage)
    purposes = _extension(extensions, x509.ExtendedKeyUsage)
    signs = (constraints is None or not constraints.ca) and (
        usage is None or (usage.digital_signature and not usage.key_cert_sign and not usage.crl_sign)
    )
    return Certificate(
        tuple(names.get_values_for_type(x509.UniformResourceIdentifier)) if names is not None else (),
        microseconds(certificate.not_valid_before_utc),
        microseconds(certificate.not_valid_after_utc),
        name_key(certificate.issuer),
        certificate.serial_number,
        may_be_client=signs and (purposes is None or ExtendedKeyUsageOID.CLIENT_AUTH in purposes),
        may_be_server=signs and (purposes is None or ExtendedKeyUsageOID.SERVER_AUTH in purposes),
        has_known_key=public_keys.is_known(certificate),
    )


def name_key(name: x509.Name) -> str:
    """Return one text for all spellings of a distinguished name: its encodings as different kinds of strings, capitals
    and runs of spaces (RFC 5280, section 7.1, in simple terms).

    Names that differ only so are taken as one. That can revoke a certificate too many, and none too few.
    """
    return "\n".join(
        "+".join(sorted(f"{one.oid.dotted_string}={_folded(one.value)}" for one in part)) for part in name.rdns
    )


def microseconds(time: datetime) -> int:
    """Return a time as Unix microseconds."""
    return (time - _EPOCH) // _MICROSECOND


def _folded(value: str | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else " ".join(value.casefold().split())


def _extension(extensions: x509.Extensions, kind: type[_Extension]) -> _Extension | None:
    for extension in extensions:
        if isinstance(extension.value, kind):
            return extension.value
    return None
