"""What client certificates are checked by: the authorities that are accepted, and the lists of what they have revoked.

Both are read together, since the former sign the latter.
"""

from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from onecode_server.errors import Malformed
from onecode_server.identity import authorities, revocation
from onecode_server.identity.authorities import Authorities
from onecode_server.identity.revocation import NOTHING_REVOKED, Revocations
from onecode_server.identity.watched_files import File

FILE_BYTES_MAX: Final = revocation.FILE_BYTES_MAX


class ClientTrust(NamedTuple):
    """The authorities in force, and what they have revoked. ``ca`` and ``crl`` are the same for the TLS of a listener,
    in PEM; ``crl`` is None where the settings name no file of lists, and where no list is fit for it."""

    authorities: Authorities
    revocations: Revocations
    ca: bytes
    crl: bytes | None


def read(files: list[File], before: ClientTrust | None) -> ClientTrust:
    """Return what is in a bundle and, where there is a second file, its revocation lists. ``before`` is in force.

    Raises Malformed, which names the file.
    """
    ca, *lists = files
    try:
        known = authorities.read(ca.content)
    except Malformed as fault:
        raise Malformed(f"{ca.path}: {fault}") from None
    pem = b"".join(one.public_bytes(Encoding.PEM) for same in known.values() for one in same)
    if before is not None and before.ca == pem:
        known = before.authorities  # what was found by them still holds
    if not lists:
        return ClientTrust(known, NOTHING_REVOKED, pem, None)
    try:
        loaded = revocation.load(lists[0].content)
        found = revocation.read(loaded, known)
        if before is not None:
            revocation.expect_later(found, before.revocations, known)
            found = revocation.keep_removed(found, before.revocations, known)
    except Malformed as fault:
        raise Malformed(f"{lists[0].path}: {fault}") from None
    return ClientTrust(known, found, pem, _for_listeners(loaded, known))


def _for_listeners(lists: list[x509.CertificateRevocationList], known: Authorities) -> bytes | None:
    """Return the lists that rustls can use, in PEM.

    It takes the first one of an issuer's name, and refuses the certificates of that issuer where the list has another
    key's signature. So it gets none of a name that several keys have, and of several lists the newest first. What those
    lists revoke, the server refuses at the call: a client's own certificate, since the front hands over no other.
    """
    fit = [one for one in lists if len(_keys(one.issuer, known)) <= 1]
    fit.sort(key=lambda one: one.last_update_utc, reverse=True)
    return b"".join(one.public_bytes(Encoding.PEM) for one in fit) or None


def _keys(name: x509.Name, known: Authorities) -> set[bytes]:
    return {
        one.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for same in known.values()
        for one in same
        if one.subject == name
    }
