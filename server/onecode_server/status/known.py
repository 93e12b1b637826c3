"""What the status cache knows of subjects: in columns for many, and in numbers for one; and when that was confirmed."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt

from onecode_server.model.status import Status, StatusView
from onecode_server.rules import freshness
from onecode_server.rules.freshness import CURRENT_S
from onecode_server.status.table import MANY, NO_RECORD, Entries, Entry, Row, is_many
from onecode_server.stores.protocol import Records

_Number = TypeVar("_Number", int, npt.NDArray[Any])

_CURRENT: Final = int(Status.CURRENT)  # a number, as in the columns
_NEVER: Final = float("-inf")
_UNAVAILABLE: Final = StatusView((), Status.UNAVAILABLE, 0)


class StatusColumns(NamedTuple):
    """The statuses of some subjects now, in order. ``entries`` are rows of a StatusTable, ``status`` is uint8[n],
    ``age_s`` is int64[n] in whole seconds; ``records`` has the records at each place where ``table.needs_records`` may
    be true."""

    entries: Entries
    status: npt.NDArray[np.uint8]
    age_s: npt.NDArray[np.int64]
    records: dict[int, Records]


SimpleStatus = tuple[_Number, _Number, _Number, _Number, _Number, _Number, _Number]
"""A status that one record determines, or none: publisher, level, and times of effect, expiry and publication, as in a
row of a StatusTable, the status as a number, and its age in whole seconds. Numbers for one subject, arrays for many."""


def simple(known: StatusColumns) -> SimpleStatus[npt.NDArray[Any]]:
    """Return the statuses of many, as far as they are simple."""
    entries = known.entries
    return (
        entries["publisher"],
        entries["level"],
        entries["effective_at"],
        entries["expires_at"],
        entries["published_at"],
        known.status,
        known.age_s,
    )


def simple_row(row: Row, now: int, now_s: float, followed_at_s: float, fed_as_of_s: float) -> SimpleStatus[int] | None:
    """Return the status in one row at ``now`` (Unix microseconds) and ``now_s`` (monotonic), where it is CURRENT and
    the row says all of it.

    ``followed_at_s`` and ``fed_as_of_s`` are as in ``freshness.confirmed_at``.
    """
    read_at_s, as_of_s, _, effective_at, expires_at, published_at, publisher, level, is_followed, has_older = row
    is_absent = publisher == NO_RECORD
    age_s = now_s - freshness.confirmed_at(as_of_s, read_at_s, is_followed, is_absent, followed_at_s, fed_as_of_s)
    if age_s > CURRENT_S or (not is_absent and is_many(publisher, has_older, effective_at, now)):
        return None
    return publisher, level, effective_at, expires_at, published_at, _CURRENT, int(age_s)


def alike(rows: Sequence[Row | None], now_s: float, followed_at_s: float) -> list[SimpleStatus[int]]:
    """Return what ``simple_row`` says of several rows of an embedded store, if it has one age in whole seconds for all
    of them; otherwise nothing.

    No status is confirmed earlier than one that was read first, has no record and is not followed, nor later than one
    that was read last, has a record and is followed: so these two say how old the others are.
    """
    if None in rows:
        return []
    columns = zip(*cast("Sequence[Row]", rows), strict=True)
    read_at_s, as_of_s, _, effective_at, expires_at, published_at, publisher, level, is_followed, has_older = columns
    by_feed = followed_at_s, followed_at_s
    is_absent = NO_RECORD in publisher
    earliest_s = freshness.confirmed_at(min(as_of_s), min(read_at_s), all(is_followed), is_absent, *by_feed)
    latest_s = freshness.confirmed_at(max(as_of_s), max(read_at_s), any(is_followed), False, *by_feed)
    age_s = int(now_s - earliest_s)
    if now_s - earliest_s > CURRENT_S or int(now_s - latest_s) < age_s or MANY in publisher or True in has_older:
        return []
    same = [_CURRENT] * len(rows), [age_s] * len(rows)
    return [*zip(publisher, level, effective_at, expires_at, published_at, *same, strict=True)]


def confirmed_at(entry: Entry | None, followed_at_s: float) -> float:
    """Return when an entry was confirmed last by the store or by the change feed, which was read at ``followed_at_s``:
    never, where there is none."""
    if entry is None:
        return _NEVER
    records, read_at_s, _, _, is_followed = entry
    return freshness.confirmed_at(read_at_s, read_at_s, is_followed, not records, followed_at_s, followed_at_s)


def columns_confirmed_at(entries: Entries, followed_at_s: float) -> npt.NDArray[np.float64]:
    """Return the same of many entries: float64[n]."""
    is_absent = entries["publisher"] == NO_RECORD
    read_at_s: npt.NDArray[np.float64] = entries["read_at_s"]
    is_followed = entries["is_followed"]
    return freshness.confirmed_at(read_at_s, read_at_s, is_followed, is_absent, followed_at_s, followed_at_s)


def view_of(entry: Entry | None, age_s: float) -> StatusView:
    """Return the status of one subject by its entry, and the seconds for which that has not been confirmed."""
    status = freshness.status_at(age_s)
    if entry is None or status is Status.UNAVAILABLE:
        return _UNAVAILABLE
    return StatusView(entry.records, status, int(age_s))
