"""The effective level: computed from the code's own claim and the status records of its subject.

``in_effect`` and ``replaces_claim`` are the rule for one record. They take numbers for one code and arrays for many, so
that a single check and a batch in columns run the same code.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from onecode_server.model.region import NATIONAL
from onecode_server.model.status import Level, Scope, StatusRecord

NEVER: Final = 2**63 - 1
"""The expiry of a record without one: later than the year 9999, where a Timestamp ends."""

# As plain numbers, with which arrays are compared fast: NumPy converts a member of an enum for each comparison.
_RED: Final = int(Level.RED)
_UNMAPPED: Final = int(Level.UNSPECIFIED)

_Number = TypeVar("_Number", int, npt.NDArray[np.int64])


class Claim(NamedTuple):
    """The level that a code claims, and the time at which its home asserted it (Unix microseconds).

    ``level`` is UNSPECIFIED if the region's level word has no mapping, and if ``is_made`` is False: an opaque code
    claims no level.
    """

    level: Level
    asserted_at: int
    is_made: bool = True


class EffectiveLevel(NamedTuple):
    """The effective level of a subject, and whether the national authority or the host published RED, which refuses the
    code whether or not the host recognises the home. ``counted`` is the number of records in effect.
    """

    level: Level
    red_by_national: bool
    red_by_host: bool
    counted: int


def in_effect(effective_at: _Number, expires_at: _Number, now: int) -> Any:
    """Return whether a record counts at ``now``: bool, or bool[n] for arrays. NEVER is the ``expires_at`` of a record
    without an end."""
    return (effective_at <= now) & (now < expires_at)


def replaces_claim(
    recorded: _Number,
    effective_at: _Number,
    published_at: _Number,
    claimed: _Number,
    makes_no_claim: bool | npt.NDArray[np.bool_],
    asserted_at: _Number,
    skew: int,
) -> Any:
    """Return whether the level of the home's record replaces the code's claim: bool, or bool[n] for arrays.

    ``recorded`` and ``claimed`` are levels as numbers. Times are Unix microseconds, ``skew`` is in microseconds. The
    two times of a record are when it takes effect and when it was published.

    * A record *worsens* a claim if the later of its two times is not before the claim's time minus the skew: a record
      published late counts from its publication, an announced one from when it takes effect.
    * A record *lifts* a claim, or gives an unmapped claim a level, only if the earlier of its two times is after the
      claim's time plus the skew. A late or announced GREEN does not lift a RED code that was issued after it.
    * So if a record may worsen but not lift, the more severe level of the two counts; for an unmapped claim, only a RED
      record counts then.
    * If the code makes no claim, the record counts, whatever its times.
    """
    begins, ends = asserted_at - skew, asserted_at + skew
    may_worsen = (effective_at >= begins) | (published_at >= begins)
    may_lift = (effective_at > ends) & (published_at > ends)
    is_as_severe = (recorded == _RED) | ((claimed != _UNMAPPED) & (recorded >= claimed))
    return makes_no_claim | may_lift | (may_worsen & is_as_severe)


def newest(records: Iterable[StatusRecord], publisher: str, scope: Scope, now: int) -> StatusRecord | None:
    """Return the newest record in effect of one publisher in one scope, or None.

    The newest is the highest revision that has taken effect. If it has expired, no older record takes its place.
    """
    found: StatusRecord | None = None
    for record in records:
        if record.publisher == publisher and record.scope is scope and record.effective_at <= now:
            found = record if found is None or record.revision > found.revision else found
    return None if found is None or not in_effect(found.effective_at, _end(found), now) else found


def effective_level(
    claim: Claim, home: str, adopting_host: str | None, records: Iterable[StatusRecord], now: int, skew: int
) -> EffectiveLevel:
    """Return the effective level.

    The home's newest NATIONAL record replaces the claim, if ``replaces_claim``. The newest record of the national
    authority and, if the host is an adopter (``adopting_host``), the host's LOCAL record count as well, whatever their
    times; the most severe level wins. These further records give an unmapped claim no level, except RED.

    If the national authority itself is the home, its record is the home's record: its RED no longer counts if the code
    was issued after it.
    """
    records = tuple(records)
    if not records:
        return EffectiveLevel(claim.level, False, False, 0)
    ours = newest(records, home, Scope.NATIONAL, now)
    is_replaced = ours is not None and _replaces_claim(ours, claim, skew)
    counting = ours if is_replaced else None
    national = counting if home == NATIONAL else newest(records, NATIONAL, Scope.NATIONAL, now)
    local = None if adopting_host is None else newest(records, adopting_host, Scope.LOCAL, now)
    beside = [record.level for record in (national, local) if record is not None]
    level = claim.level if counting is None else counting.level
    if level is not Level.UNSPECIFIED or Level.RED in beside:
        level = max(level, *beside) if beside else level
    return EffectiveLevel(
        level,
        national is not None and national.level is Level.RED,
        local is not None and local.level is Level.RED,
        sum(record is not None for record in (ours, local, None if home == NATIONAL else national)),
    )


def _replaces_claim(record: StatusRecord, claim: Claim, skew: int) -> bool:
    return bool(
        replaces_claim(
            record.level,
            record.effective_at,
            record.published_at,
            claim.level,
            not claim.is_made,
            claim.asserted_at,
            skew,
        )
    )


def _end(record: StatusRecord) -> int:
    return NEVER if record.expires_at is None else record.expires_at
