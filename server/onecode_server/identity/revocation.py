"""Revocation lists (CRLs; RFC 5280, section 5): which certificates of which issuer are revoked.

A list counts if an authority of the bundle has signed it and may do so. Lists that say less than they seem to (delta
lists, indirect ones, unknown critical extensions) are refused, not read in part. A list that is past its next update
still counts: the certificates in it stay revoked, and what is missing in it is reported.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from cryptography import x509

from onecode_server.errors import Malformed
from onecode_server.identity import authorities, pem, public_keys
from onecode_server.identity.authorities import Authorities
from onecode_server.identity.certificate import Certificate, microseconds, name_key

FILE_BYTES_MAX: Final = 1024 * 1024
"""Some 25,000 revoked certificates in DER, which take 3 MB in memory. cryptography holds the GIL while it checks the
signature, 60 ms for as many: so long all callers wait when the file changes."""
LISTS_MAX: Final = 64
"""One for each authority of a bundle."""
REMOVED_MAX: Final = 64
"""Issuers that are not in the bundle any more, whose revocations are kept: as many as a bundle has."""
REMOVED_SERIALS_MAX: Final = 100_000
"""Their revoked certificates, some 100 bytes each: of four files of the greatest length."""

_REFUSED_IF_CRITICAL: Final = (x509.UnrecognizedExtension, x509.FreshestCRL)


class Issued(NamedTuple):
    """The lists of one issuer. ``last_update`` is the newest, ``next_update`` the earliest of them: Unix microseconds,
    None where a list has none."""

    serials: frozenset[int]
    last_update: int
    next_update: int | None


class Revocations(NamedTuple):
    """All revoked certificates, by the name of their issuer.

    ``removed`` are those of issuers that are not in the bundle any more: what they have revoked stays so, should a
    connection outlast the removal, or the authority come back.
    """

    by_issuer: dict[str, Issued]
    removed: dict[str, Issued] = {}  # noqa: RUF012 - nobody changes it

    def revoked(self, certificate: Certificate) -> bool:
        """Return whether a certificate is revoked."""
        issued = self.by_issuer.get(certificate.issuer) or self.removed.get(certificate.issuer)
        return issued is not None and certificate.serial in issued.serials

    @property
    def next_update(self) -> int | None:
        """The time of the first list that should be replaced, in Unix microseconds; None where no list has one."""
        return min((one.next_update for one in self.by_issuer.values() if one.next_update is not None), default=None)


NOTHING_REVOKED: Final = Revocations({})


def load(data: bytes) -> list[x509.CertificateRevocationList]:
    """Return the lists in ``data``: one in DER, or one or several in PEM. Raises Malformed."""
    try:
        if not pem.is_pem(data):
            return [x509.load_der_x509_crl(data)]
        return [x509.load_pem_x509_crl(block) for block in pem.blocks(data, pem.REVOCATION_LIST, LISTS_MAX)]
    except Malformed:
        raise
    except Exception:
        raise Malformed("it is no revocation list in PEM or DER") from None


def read(lists: Iterable[x509.CertificateRevocationList], known: Authorities) -> Revocations:
    """Return what the lists revoke. Raises Malformed unless all can be read and are signed by ``known`` authorities."""
    found: dict[str, Issued] = {}
    for number, one in enumerate(lists, 1):
        try:
            issuer = name_key(one.issuer)
            issued = _issued(one, known.get(issuer, ()))
        except Malformed as fault:
            raise Malformed(f"list {number}: {fault}") from None
        except Exception:  # whatever the parser raises as it comes to an entry or an extension
            raise Malformed(f"list {number} has an entry or an extension that cannot be read") from None
        found[issuer] = _together(found[issuer], issued) if issuer in found else issued
    return Revocations(found)


def expect_later(new: Revocations, old: Revocations, known: Authorities) -> None:
    """Raise Malformed where ``new`` lacks a list of a known authority that ``old`` has, or has an older one: with it,
    certificates that are revoked would be accepted again."""
    for issuer, before in {**old.removed, **old.by_issuer}.items():
        if issuer not in known:
            continue
        if issuer not in new.by_issuer:
            raise Malformed("the list of an authority of the bundle is missing, which was there before")
        if new.by_issuer[issuer].last_update < before.last_update:
            raise Malformed("a list is older than the one in force")


def keep_removed(new: Revocations, old: Revocations, known: Authorities) -> Revocations:
    """Return ``new`` with what ``old`` has of issuers that are not ``known`` any more. The newest removals are kept."""
    kept: dict[str, Issued] = {}
    serials = 0
    for issuer, issued in (old.by_issuer | old.removed).items():  # the newest removals first
        if issuer in known:
            continue
        serials += len(issued.serials)
        if len(kept) == REMOVED_MAX or serials > REMOVED_SERIALS_MAX:
            break
        kept[issuer] = issued
    return Revocations(new.by_issuer, kept)


def _issued(one: x509.CertificateRevocationList, issuers: tuple[x509.Certificate, ...]) -> Issued:
    if not issuers:
        raise Malformed("its issuer is not in the bundle of client authorities")
    signers = [issuer for issuer in issuers if authorities.may_sign_lists(issuer)]
    if not any(one.is_signature_valid(public_keys.read(signer)) for signer in signers):
        raise Malformed("its signature is not that of its issuer, or the issuer may sign no lists")
    _expect_whole(one)
    return Issued(
        frozenset(revoked.serial_number for revoked in one),
        microseconds(one.last_update_utc),
        microseconds(one.next_update_utc) if one.next_update_utc is not None else None,
    )


def _expect_whole(one: x509.CertificateRevocationList) -> None:
    for extension in one.extensions:
        kind = extension.value
        if isinstance(kind, x509.DeltaCRLIndicator):
            raise Malformed("it is a delta list")
        if isinstance(kind, x509.IssuingDistributionPoint) and (
            kind.indirect_crl or kind.only_contains_attribute_certs or kind.only_some_reasons
        ):
            raise Malformed("it is an indirect list, or one of some reasons or of attribute certificates alone")
        if extension.critical and isinstance(kind, _REFUSED_IF_CRITICAL):
            raise Malformed("it has a critical extension that this server does not know")


def _together(one: Issued, other: Issued) -> Issued:
    """Return what two lists of one issuer say together: a certificate in either is revoked."""
    updates = [update for update in (one.next_update, other.next_update) if update is not None]
    return Issued(
        one.serials | other.serials, max(one.last_update, other.last_update), min(updates) if updates else None
    )
