"""Is the key one that may vouch for this code, and is the code in its time?"""

from typing import Final

from onecode_server.model.code import Claims
from onecode_server.model.region import NATIONAL
from onecode_server.model.trust_list import IssuerKey, KeyState, TrustList
from onecode_server.model.verdict import Authenticity, Finding, Reason

SKEW_US: Final = 60_000_000
"""How far clocks may disagree. A minute covers a scanner that synchronises once a day."""

_REVOKED = Finding(Authenticity.KEY_NOT_VALID, Reason.KEY_REVOKED)
_RETIRED = Finding(Authenticity.KEY_NOT_VALID, Reason.KEY_RETIRED)
_OUTSIDE = Finding(Authenticity.KEY_NOT_VALID, Reason.KEY_OUTSIDE_VALIDITY)
_SOURCE = Finding(Authenticity.KEY_NOT_VALID, Reason.SOURCE_KEY_NOT_VALID)
_NOT_YET = Finding(Authenticity.NOT_YET_VALID, Reason.NOT_YET_VALID)
_EXPIRED = Finding(Authenticity.EXPIRED, Reason.EXPIRED)


def key_fault(key: IssuerKey, issued_at: int, now: int, skew: int = SKEW_US) -> Finding | None:
    """Say why ``key`` may not vouch for a code issued at ``issued_at``, or None.

    A revoked key vouches for nothing, a retired one for what was issued before. Past ``not_after`` a key vouches for
    nothing any more, as RFC 5280 has it for certificates, and never for what was issued outside its window.
    """
    if key.state is KeyState.REVOKED:
        return _REVOKED
    if key.state is KeyState.RETIRED and issued_at >= (key.retired_at or 0):
        return _RETIRED
    if key.not_before is not None and (issued_at < key.not_before - skew or now < key.not_before - skew):
        return _OUTSIDE
    if key.not_after is not None and (issued_at > key.not_after + skew or now > key.not_after + skew):
        return _OUTSIDE
    return None


def source_fault(claims: Claims, trust: TrustList, now: int, skew: int = SKEW_US) -> Finding | None:
    """Say why the source of a translation is vouched for no longer, or None. A translation dies with its source's key.

    An opaque source has no key: it needs its region to be in the list still.
    """
    source = claims.source
    if source is None:
        return None
    region = trust.region(source.region)
    if region is None:
        return _SOURCE
    if not source.key_id:
        return None if region.prefix else _SOURCE
    keys = trust.keys_for(region.format, source.key_id)
    signer = NATIONAL if region.adopts_national else source.region
    valid = (key.region == signer and key_fault(key, source.issued_at, now, skew) is None for key in keys)
    return None if any(valid) else _SOURCE


def window_fault(claims: Claims, now: int, skew: int = SKEW_US) -> Finding | None:
    """Say why ``now`` is outside a code's validity window, or None (RFC 7519, sections 4.1.4 and 4.1.5)."""
    begins = claims.issued_at if claims.not_before is None else max(claims.issued_at, claims.not_before)
    if now < begins - skew:
        return _NOT_YET
    if claims.expires_at is not None and now >= claims.expires_at + skew:
        return _EXPIRED
    return None


def is_in_date(trust: TrustList, now: int, grace: int) -> bool:
    """Tell whether ``now`` is at most ``grace`` (microseconds) past the list's next update."""
    return now <= trust.next_update + grace
