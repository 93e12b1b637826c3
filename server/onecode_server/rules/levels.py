"""Which level counts: the code's own claim, the records published since, and who may say what.

``in_effect`` and ``stands`` are the rule for one record. They take numbers for one code and arrays for many, so that a
batch in columns and a single check follow the same lines.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from onecode_server.model.region import NATIONAL
from onecode_server.model.status import Level, Scope, StatusRecord

NEVER: Final = 2**63 - 1
"""When a record without an expiry expires: past the year 9999, where a Timestamp ends."""

_Number = TypeVar("_Number", int, npt.NDArray[np.int64])


class Claim(NamedTuple):
    """What a code says of its bearer: its level, and when the home said so (Unix microseconds).

    ``level`` is UNSPECIFIED where the region's word has no mapping, and where ``is_made`` is False: an opaque code
    makes no claim.
    """

    level: Level
    spoken_at: int
    is_made: bool = True


class Standing(NamedTuple):
    """The level of a subject, and whether someone said RED whose word stands above recognition.

    ``counted`` is how many records were weighed.
    """

    level: Level
    red_by_national: bool
    red_by_host: bool
    counted: int


def in_effect(effective_at: _Number, expires_at: _Number, now: int) -> Any:
    """Tell whether a record counts at ``now``: bool, or bool[n] for arrays. ``expires_at`` is NEVER for no end."""
    return (effective_at <= now) & (now < expires_at)


def stands(
    said: _Number,
    effective_at: _Number,
    published_at: _Number,
    claimed: _Number,
    makes_no_claim: bool | npt.NDArray[np.bool_],
    spoken_at: _Number,
    skew: int,
) -> Any:
    """Tell whether the level of the home's record stands, and not the code's claim: bool, or bool[n] for arrays.

    ``said`` and ``claimed`` are levels as numbers. Times are Unix microseconds, ``skew`` is microseconds.

    * A record *worsens* a claim if the later of its two times is not before the claim less the skew: what is published
      late counts from when it was published, what is announced from when it takes effect.
    * It *lifts* a claim, or gives an unmapped one a level, only if the earlier of its two times is after the claim plus
      the skew. A late or announced GREEN says nothing of a RED code that was issued after it.
    * So, where it may worsen and may not lift, the more severe of both stands; an unmapped claim is mended by nothing
      but RED then.
    * Against no claim the record stands, whatever its times.
    """
    begins, ends = spoken_at - skew, spoken_at + skew
    may_worsen = (effective_at >= begins) | (published_at >= begins)
    may_lift = (effective_at > ends) & (published_at > ends)
    is_as_severe = (said == Level.RED) | ((claimed != Level.UNSPECIFIED) & (said >= claimed))
    return makes_no_claim | may_lift | (may_worsen & is_as_severe)


def newest(records: Iterable[StatusRecord], publisher: str, scope: Scope, now: int) -> StatusRecord | None:
    """Return the newest record in effect of one publisher in one scope, or None.

    Newest is the highest revision whose time has come. Where that one has expired, nothing older comes back.
    """
    mine = [r for r in records if r.publisher == publisher and r.scope is scope and r.effective_at <= now]
    record = max(mine, key=lambda r: r.revision, default=None)
    if record is None or not in_effect(record.effective_at, _end(record), now):
        return None
    return record


def standing(
    claim: Claim, home: str, adopting_host: str | None, records: Iterable[StatusRecord], now: int, skew: int
) -> Standing:
    """Return the level that counts.

    The home's newest NATIONAL record is weighed against the claim as ``stands`` says. A record of the national
    authority and, where the host is an adopter (``adopting_host``), the host's LOCAL record count beside it, whatever
    their times; the most severe wins. A claim without a mapping is not mended by a record beside it. Where the national
    authority is the home itself, the code is its word too, and its record is the home's: RED that the code has
    overtaken is RED no more.
    """
    records = tuple(records)
    if not records:
        return Standing(claim.level, False, False, 0)
    ours = newest(records, home, Scope.NATIONAL, now)
    ours_stands = ours is not None and _stands(ours, claim, skew)
    heard = ours if ours_stands else None
    national = heard if home == NATIONAL else newest(records, NATIONAL, Scope.NATIONAL, now)
    local = None if adopting_host is None else newest(records, adopting_host, Scope.LOCAL, now)
    beside = [record.level for record in (national, local) if record is not None]
    level = claim.level if heard is None else heard.level
    if level is not Level.UNSPECIFIED or Level.RED in beside:
        level = max(level, *beside) if beside else level
    return Standing(
        level,
        national is not None and national.level is Level.RED,
        local is not None and local.level is Level.RED,
        len({ours, national, local} - {None}),
    )


def _stands(record: StatusRecord, claim: Claim, skew: int) -> bool:
    return bool(
        stands(
            record.level,
            record.effective_at,
            record.published_at,
            claim.level,
            not claim.is_made,
            claim.spoken_at,
            skew,
        )
    )


def _end(record: StatusRecord) -> int:
    return NEVER if record.expires_at is None else record.expires_at
