"""Validity: whether a key may vouch for a code, whether a source is still valid, and whether a code is in its window.

The predicates take numbers for one code and arrays for many, so that a single check and a batch in columns run the same
code. Times are Unix microseconds; ``skew`` is by how many microseconds clocks may disagree.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from onecode_server.model.code import Claims
from onecode_server.model.region import NATIONAL
from onecode_server.model.trust_list import IssuerKey, KeyState, TrustList
from onecode_server.model.verdict import Authenticity, Finding, Reason

SKEW_US: Final = 60_000_000
"""The time by which clocks may disagree. A minute covers a scanner that synchronises once a day."""

_EVER: Final = 2**62
"""Some 146,000 years in microseconds: later than every time that a code can contain, and within 64 bits by far."""
_REVOKED = Finding(Authenticity.KEY_NOT_VALID, Reason.KEY_REVOKED)
_RETIRED = Finding(Authenticity.KEY_NOT_VALID, Reason.KEY_RETIRED)
_OUTSIDE = Finding(Authenticity.KEY_NOT_VALID, Reason.KEY_OUTSIDE_VALIDITY)
_SOURCE = Finding(Authenticity.KEY_NOT_VALID, Reason.SOURCE_KEY_NOT_VALID)
_NOT_YET = Finding(Authenticity.NOT_YET_VALID, Reason.NOT_YET_VALID)
_EXPIRED = Finding(Authenticity.EXPIRED, Reason.EXPIRED)

if TYPE_CHECKING:  # a supervisor reads the trust list's entries, and does without NumPy
    import numpy as np
    import numpy.typing as npt

    _Times = npt.NDArray[np.int64]
    _Time = TypeVar("_Time", int, _Times)
else:
    _Times = Any
    _Time = TypeVar("_Time")


class KeyWindow(NamedTuple):
    """A key may vouch for codes issued from ``issued_from`` and before ``issued_before``, while ``now`` is from
    ``now_from`` to ``now_until``."""

    issued_from: int
    issued_before: int
    now_from: int
    now_until: int


_NEVER: Final = KeyWindow(1, 0, 1, 0)


def key_window(key: IssuerKey, skew: int = SKEW_US) -> KeyWindow:
    """Return the window of a key: for codes of which issue times it may vouch, and when.

    A revoked key may vouch for no code, a retired key for codes issued before ``retired_at``. A key may vouch only for
    codes issued within its window, and after ``not_after`` for no code any more, as with certificates in RFC 5280.
    """
    if key.state is KeyState.REVOKED:
        return _NEVER
    begins = -_EVER if key.not_before is None else key.not_before - skew
    ends = _EVER if key.not_after is None else key.not_after + skew
    before = ends + 1
    if key.state is KeyState.RETIRED:
        before = min(before, key.retired_at or 0)
    return KeyWindow(begins, before, begins, ends)


class CodeWindow(NamedTuple):
    """The times of one code, in Unix microseconds. ``expires_at`` is None for an opaque code without an end."""

    issued_at: int
    expires_at: int | None
    not_before: int | None = None


def may_vouch(window: "Sequence[Any] | _Times", issued_at: _Time, now: int) -> Any:
    """Return whether a key may vouch for a code: bool, or bool[n] for arrays.

    ``window`` has the four fields of a KeyWindow: numbers, or int64[4, n] with the fields of each code's key.
    """
    issued_from, issued_before, now_from, now_until = window
    return (issued_at >= issued_from) & (issued_at < issued_before) & (now >= now_from) & (now <= now_until)


def key_fault(key: IssuerKey, issued_at: int, now: int, skew: int = SKEW_US) -> Finding | None:
    """Return why ``key`` may not vouch for a code issued at ``issued_at``, or None if it may."""
    if may_vouch(key_window(key, skew), issued_at, now):
        return None
    if key.state is KeyState.REVOKED:
        return _REVOKED
    return _RETIRED if key.state is KeyState.RETIRED and issued_at >= (key.retired_at or 0) else _OUTSIDE


def source_fault(claims: Claims, trust: TrustList, now: int, skew: int = SKEW_US) -> Finding | None:
    """Return why the source of a translation is no longer valid, or None.

    A translation is valid only while its source's key is. An opaque source has no key: its region must still be in the
    list, with a prefix.
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


def expiry(issued_at: _Time, ends: Sequence[_Time], lifetimes: Sequence[int]) -> _Time:
    """Return when codes end: the earliest of their expiries and of the ends of their lifetimes (microseconds after the
    issue).

    There is at least one expiry or lifetime. A registered expiry must be processed (RFC 7519, section 4.1.4).
    """
    if len(ends) == 1 and not lifetimes:  # as in nearly all codes
        return ends[0]
    times = list(ends)
    if lifetimes:
        times += [issued_at + lasts for lasts in lifetimes]
    earliest = times[0]
    for time in times[1:]:
        earliest = min(earliest, time) if isinstance(earliest, int) else earliest.clip(max=time)
    return earliest


def beginning(issued_at: _Time, not_before: _Time | None) -> _Time:
    """Return when codes begin: at their issue, or at their not-before time if it is later (RFC 7519, section 4.1.5)."""
    if not_before is None:
        return issued_at
    return max(issued_at, not_before) if isinstance(issued_at, int) else issued_at.clip(min=not_before)


def has_begun(begins_at: _Time, now: int, skew: int = SKEW_US) -> Any:
    """Return whether codes have begun by ``now``: bool, or bool[n] for arrays."""
    return begins_at <= now + skew


def has_ended(expires_at: _Time, now: int, skew: int = SKEW_US) -> Any:
    """Return whether codes have ended by ``now``: bool, or bool[n] for arrays."""
    return expires_at <= now - skew


def is_valid(
    window: "Sequence[Any] | _Times",
    issued_at: _Time,
    expires_at: _Time | None,
    not_before: _Time | None,
    now: int,
    skew: int = SKEW_US,
) -> Any:
    """Return whether a key may vouch for a code, and the code is in its own window: bool, or bool[n] for arrays.

    ``window`` is as in ``may_vouch``. ``code_fault`` says why a code is not valid.
    """
    # As ``may_vouch``, ``has_begun`` and ``has_ended`` say, without a call for each: that takes as long as the rest.
    issued_from, issued_before, now_from, now_until = window
    begins_at = issued_at if not_before is None else beginning(issued_at, not_before)
    vouches = (issued_at >= issued_from) & (issued_at < issued_before) & (now >= now_from) & (now <= now_until)
    valid = vouches & (begins_at <= now + skew)
    return valid if expires_at is None else valid & (expires_at > now - skew)


def are_valid(
    windows: Sequence[KeyWindow],
    issued_at: Sequence[int],
    expires_at: Sequence[int],
    not_before: Sequence[int] | None,
    now: int,
    skew: int = SKEW_US,
) -> bool:
    """Return whether ``is_valid`` is true of each of one or more codes.

    Each of its conditions is a bound on one time. So it is true of all codes if it is true of the first and of the last
    issue with the narrowest window, the earliest end and the latest beginning.
    """
    if len(windows) == 1:
        begins = None if not_before is None else not_before[0]
        return bool(is_valid(windows[0], issued_at[0], expires_at[0], begins, now, skew))
    issued_from, issued_before, now_from, now_until = zip(*windows, strict=True)
    narrowest = KeyWindow(max(issued_from), min(issued_before), max(now_from), min(now_until))
    ends, begins = min(expires_at), None if not_before is None else max(not_before)
    first, last = min(issued_at), max(issued_at)
    return bool(
        is_valid(narrowest, first, ends, begins, now, skew) and is_valid(narrowest, last, ends, begins, now, skew)
    )


def window_fault(times: CodeWindow | Claims, now: int, skew: int = SKEW_US) -> Finding | None:
    """Return why ``now`` is outside a code's validity window, or None (RFC 7519, sections 4.1.4 and 4.1.5)."""
    if not has_begun(beginning(times.issued_at, times.not_before), now, skew):
        return _NOT_YET
    if times.expires_at is not None and has_ended(times.expires_at, now, skew):
        return _EXPIRED
    return None


def code_fault(
    claims: Claims, key: IssuerKey | None, trust: TrustList, now: int, skew: int = SKEW_US
) -> Finding | None:
    """Return why a code with these claims is not valid now, or None. ``key`` signed it; an opaque code has none."""
    return (
        (key_fault(key, claims.issued_at, now, skew) if key is not None else None)
        or source_fault(claims, trust, now, skew)
        or window_fault(claims, now, skew)
    )


def is_in_date(trust: TrustList, now: int, grace: int) -> bool:
    """Return whether ``now`` is at most ``grace`` (microseconds) after the list's next update."""
    return now <= trust.next_update + grace
