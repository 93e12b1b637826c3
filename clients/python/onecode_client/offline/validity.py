"""Whether a key may vouch for a code, whether a translation's source still stands, and whether a code is in its time.

Times are Unix microseconds; ``skew`` is by how many of them clocks may disagree.
"""

from collections.abc import Iterator

from onecode.v1 import recognition_pb2 as pb
from onecode_client.offline.claims import Claims
from onecode_client.offline.faults import Finding, key_not_valid
from onecode_client.offline.model import NATIONAL_AUTHORITY, Key, TrustList


def expect_valid(claims: Claims, key: Key, trust: TrustList, now: int, skew: int) -> None:
    """Raise Finding for the first reason for which a code is not valid now: the key's, the source's, its own."""
    if reason := _key_fault(key, claims.issued_at, now, skew):
        raise key_not_valid(reason)
    if claims.source is not None and not any(_vouching_sources(claims, trust, now, skew)):
        raise key_not_valid(pb.REASON_SOURCE_KEY_NOT_VALID)
    begins_at = max(claims.issued_at, claims.not_before or 0)  # RFC 7519, section 4.1.5
    if now < begins_at - skew:
        raise Finding(pb.AUTHENTICITY_NOT_YET_VALID, pb.REASON_NOT_YET_VALID)
    if now >= claims.expires_at + skew:
        raise Finding(pb.AUTHENTICITY_EXPIRED, pb.REASON_EXPIRED)


def _key_fault(key: Key, issued_at: int, now: int, skew: int) -> pb.Reason.ValueType | None:
    """Return why a key may not vouch for a code, or None.

    A retired key vouches for codes issued before it retired, and a key vouches for codes issued in its window, and
    after the window for no code any more (RFC 5280 has the same of certificates).
    """
    if key.state == "revoked":
        return pb.REASON_KEY_REVOKED
    if key.state == "retired" and issued_at >= (key.retired_at or 0):
        return pb.REASON_KEY_RETIRED
    is_early = key.not_before is not None and min(issued_at, now) < key.not_before - skew
    is_late = key.not_after is not None and max(issued_at, now) > key.not_after + skew
    return pb.REASON_KEY_OUTSIDE_VALIDITY if is_early or is_late else None


def _vouching_sources(claims: Claims, trust: TrustList, now: int, skew: int) -> Iterator[bool]:
    """Yield for each key that may have signed a translation's source whether it still vouches for it."""
    source = claims.source
    region = trust.regions.get(source.region) if source else None
    if source is None or region is None:
        return
    if not source.key_id:  # an opaque code has none: its region must still be in the list
        yield bool(region.prefix)
        return
    signer = NATIONAL_AUTHORITY if region.is_adopter else region.code
    for key in trust.candidates.get((region.format, source.key_id), ()):
        yield key.region == signer and _key_fault(key, source.issued_at, now, skew) is None
