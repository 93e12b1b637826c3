"""SPIFFE ids of callers: six forms, each with exactly one spelling.

The rules are those of the SPIFFE ID standard (SPIFFE-ID.md, sections 2.1 to 2.4), without its leniency: scheme and
trust domain must be in lower case already, so that one identity has one text in certificates, tokens and audit records.
"""

import re
from collections.abc import Callable
from typing import Final

from onecode_server.identity.refusals import Refusal, refused
from onecode_server.model.identity import Identity, Role
from onecode_server.model.region import NATIONAL

ID_BYTES_MAX: Final = 2048
"""The longest SPIFFE id that all implementations must take (SPIFFE-ID.md, section 2.3)."""
TRUST_DOMAIN_BYTES_MAX: Final = 255
"""The longest trust domain, as of a host (SPIFFE-ID.md, section 2.1)."""

_TRUST_DOMAIN: Final = re.compile(r"[a-z0-9._-]+\Z")
_ID: Final = re.compile(r"spiffe://([a-z0-9._-]+)((?:/[A-Za-z0-9._-]+)+)\Z")
_NAME: Final = "[a-z0-9._-]{1,64}"
_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[str], Identity]], ...]] = (
    (re.compile(r"/region/([0-9]{6})/scanner\Z"), lambda region: Identity(Role.SCANNER, region)),
    (re.compile(r"/region/([0-9]{6})/operator\Z"), lambda region: Identity(Role.REGIONAL_OPERATOR, region)),
    (re.compile(r"/national/operator()\Z"), lambda _: Identity(Role.NATIONAL_OPERATOR)),
    (re.compile(rf"/partner/({_NAME})\Z"), lambda name: Identity(Role.PARTNER, name=name)),
    (re.compile(r"/ops()\Z"), lambda _: Identity(Role.OPS)),
    (re.compile(rf"/gateway/({_NAME})\Z"), lambda name: Identity(Role.GATEWAY, name=name)),
)


def is_trust_domain(text: str) -> bool:
    """Return whether ``text`` can be the name of a trust domain."""
    return len(text) <= TRUST_DOMAIN_BYTES_MAX and _TRUST_DOMAIN.match(text) is not None


def read(text: str, trust_domain: str) -> Identity:
    """Return the identity that ``text`` names. Whether its region exists is for the trust list to say.

    Raises Unauthenticated where it is no SPIFFE id of ``trust_domain``, or none of the six forms.
    """
    if len(text) > ID_BYTES_MAX or (parts := _ID.match(text)) is None:
        raise refused(Refusal.SPIFFE_ID_MALFORMED)
    domain, path = parts.groups()
    if not is_trust_domain(domain) or any(segment in (".", "..") for segment in path.split("/")):
        raise refused(Refusal.SPIFFE_ID_MALFORMED)
    if domain != trust_domain:
        raise refused(Refusal.SPIFFE_ID_TRUST_DOMAIN)
    for form, identity in _FORMS:
        if (match := form.match(path)) is not None:
            return _expect_province(identity(match[1]))
    raise refused(Refusal.SPIFFE_ID_UNKNOWN)


def _expect_province(identity: Identity) -> Identity:
    """Refuse the national authority as a region: its operator has a form of its own, and nobody scans there."""
    if identity.region == NATIONAL:
        raise refused(Refusal.SPIFFE_ID_UNKNOWN)
    return identity
