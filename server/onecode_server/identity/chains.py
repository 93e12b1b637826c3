"""Chains: whether the certificates that a client has shown lead to an authority in force (RFC 5280, section 6).

TLS has checked a chain once, at the handshake of a connection that may last for days. Here is what can change since:
the authorities in force, and the times. What TLS alone has checked are constraints on names and policies.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from onecode_server.identity import authorities, certificate, pem
from onecode_server.identity.authorities import Authorities
from onecode_server.identity.certificate import Certificate, name_key
from onecode_server.identity.known import FOR_EVER
from onecode_server.identity.refusals import Refusal, refused

CHAIN_MAX: Final = 10
"""A client's certificate and those between it and a root. Each may cost signature checks, some 50 us."""

_SECOND: Final = 1_000_000
_ISSUES: Final = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


class Link(NamedTuple):
    """A certificate of a chain. ``subject`` is as ``name_key`` writes it; ``below_max`` is the number of authorities
    that may follow it towards the client, -1 where it may issue no client's certificate."""

    x509: x509.Certificate
    described: Certificate
    subject: str
    below_max: int


def read(data: bytes) -> tuple[Link, ...]:
    """Return the certificates in PEM that a client has shown, its own first. Raises Unauthenticated for others."""
    try:
        shown = [x509.load_pem_x509_certificate(one) for one in pem.blocks(data, pem.CERTIFICATE, CHAIN_MAX)]
        return tuple(
            Link(one, certificate.describe(one), name_key(one.subject), _below_max(one) if number else -1)
            for number, one in enumerate(shown)
        )
    except Exception:  # whatever another's parser raises at a caller's bytes, these are no certificates
        raise refused(Refusal.CERTIFICATE_UNREADABLE) from None


def until(shown: Sequence[Link], known: Authorities, now: int) -> int | None:
    """Return when the way from a client's certificate to an authority of ``known`` ends, in Unix microseconds: the
    first time at which it is none. None where there is no way at ``now``."""
    own, *others = shown
    unused = [one for one in others if _counts(one, now)]
    ways = [(own, FOR_EVER, 0)]
    while ways:
        last, ends, below = ways.pop()
        for authority in known.get(last.described.issuer, ()):
            if below <= _below_max(authority) and authorities.has_signed(authority, last.x509):
                return ends
        for issuer in [one for one in unused if one.subject == last.described.issuer and below <= one.below_max]:
            if authorities.has_signed(issuer.x509, last.x509):
                unused.remove(issuer)  # each is looked at once, whatever the caller has shown
                is_another = issuer.subject != issuer.described.issuer
                ways.append((issuer, min(ends, issuer.described.not_after + _SECOND), below + is_another))
    return None


def _counts(link: Link, now: int) -> bool:
    return link.below_max >= 0 and link.described.not_before <= now < link.described.not_after + _SECOND


def _below_max(one: x509.Certificate) -> int:
    """Return how many authorities may follow one (RFC 5280, sections 4.2.1.3, 4.2.1.9 and 4.2.1.12)."""
    found = {type(extension.value): extension.value for extension in one.extensions}
    constraints, usage = found.get(x509.BasicConstraints), found.get(x509.KeyUsage)
    purposes = found.get(x509.ExtendedKeyUsage)
    if not isinstance(constraints, x509.BasicConstraints) or not constraints.ca:
        return -1
    if isinstance(usage, x509.KeyUsage) and not usage.key_cert_sign:
        return -1
    if isinstance(purposes, x509.ExtendedKeyUsage) and _ISSUES.isdisjoint(purposes):
        return -1
    return CHAIN_MAX if constraints.path_length is None else constraints.path_length
