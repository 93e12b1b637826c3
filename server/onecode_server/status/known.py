"""What the status cache knows of subjects: in columns for many, and in numbers for one; and when that was confirmed."""

from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from onecode_server.model.status import Status, StatusView
from onecode_server.rules import freshness
from onecode_server.status.table import NO_RECORD, Entries, Entry
from onecode_server.stores.protocol import Records

_Number = TypeVar("_Number", int, npt.NDArray[Any])

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
