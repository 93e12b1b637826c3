"""What is known of some subjects, in columns: a bounded table in which the oldest reading makes room for the newest.

Rows are written one after the other and round again, so that the row that is overwritten is always the one that was
read longest ago; a subject that is read anew gets a new row. Most subjects have no record, or only their home's that
count everywhere: of those the one with the highest revision is in columns, which is the newest wherever its time has
come. Whoever has others is ``MANY``, and its records are asked for one by one.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.model.region import NATIONAL
from onecode_server.model.status import Scope
from onecode_server.rules.levels import NEVER
from onecode_server.stores.protocol import Records

Places = npt.NDArray[np.int64]

MISSING: Final = -1
"""The row of a subject that is not in the table: one that was never confirmed."""
NOBODY: Final = -1
"""The publisher where there is no record."""
MANY: Final = -2
"""The publisher where there are several publishers' records, or one that is not as simple as a home's own."""

_LONG_AGO_S: Final = -1e15
_ENTRY: Final = np.dtype(
    [
        ("asked_at_s", "f8"),  # when it was asked for
        ("position", "i8"),  # the newest change that it holds
        ("effective_at", "i8"),  # of the record with the highest revision, Unix microseconds
        ("expires_at", "i8"),
        ("published_at", "i8"),
        ("publisher", "i4"),
        ("level", "u1"),
        ("is_followed", "?"),  # whether the change feed confirms it
        ("has_older", "?"),  # whether there are records that may count until that one takes effect
    ]
)
"""47 bytes."""
Entries = npt.NDArray[np.void]


class Entry(NamedTuple):
    """What was read of one subject, when it was asked for (monotonic seconds), and the newest change that it holds."""

    records: Records
    asked_at_s: float
    position: int
    is_followed: bool = True


class StatusTable:
    """Up to ``rows_max`` subjects (16 bytes each). Not thread-safe."""

    def __init__(self, rows_max: int) -> None:
        self._entries: Entries = np.zeros(rows_max + 1, _ENTRY)
        self._entries[MISSING] = (_LONG_AGO_S, 0, 0, 0, 0, NOBODY, 0, False, False)  # the last row is nobody's
        self._read: list[tuple[bytes, Entry] | None] = [None] * rows_max
        self._rows: dict[bytes, int] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._rows)

    def rows_of(self, subjects: Sequence[bytes]) -> Places:
        """Return each subject's row, int64[n]; MISSING where there is none."""
        return np.fromiter(map(self._rows.get, subjects, repeat(MISSING)), np.int64, len(subjects))

    def entries(self, rows: Places) -> Entries:
        """Return a copy of some rows."""
        return self._entries[rows]

    def records(self, row: int) -> Records:
        """Return the records of the subject in a row."""
        known = self._read[row]
        return () if known is None else known[1].records

    def entry(self, subject: bytes) -> Entry | None:
        """Return what is known of one subject, or None."""
        row = self._rows.get(subject)
        known = None if row is None else self._read[row]
        return None if known is None else known[1]

    def put(self, subject: bytes, entry: Entry) -> None:
        """Write what was read of a subject, in the place of what was read longest ago."""
        self.forget(subject)
        row, self._next = self._next, (self._next + 1) % len(self._read)
        old = self._read[row]
        if old is not None:
            self.forget(old[0])
        self._read[row], self._rows[subject] = (subject, entry), row
        self._entries[row] = as_row(entry)

    def forget(self, subject: bytes) -> None:
        """Let go of a subject, if it is here."""
        row = self._rows.pop(subject, None)
        if row is not None:
            self._read[row] = None

    def clear(self) -> None:
        """Let go of all."""
        for subject in list(self._rows):
            self.forget(subject)


def as_row(entry: Entry) -> tuple[float, int, int, int, int, int, int, bool, bool]:
    """Return an entry as the table has it."""
    told = entry.asked_at_s, entry.position
    if not entry.records:
        return *told, 0, 0, 0, NOBODY, 0, entry.is_followed, False
    first = entry.records[0]
    if first.scope is not Scope.NATIONAL or first.publisher == NATIONAL or not _are_alike(entry.records):
        return *told, 0, 0, 0, MANY, 0, entry.is_followed, False
    last = first if len(entry.records) == 1 else max(entry.records, key=lambda record: record.revision)
    return (
        *told,
        last.effective_at,
        NEVER if last.expires_at is None else last.expires_at,
        last.published_at,
        int(last.publisher),
        last.level,
        entry.is_followed,
        len(entry.records) > 1,
    )


def _are_alike(records: Records) -> bool:
    """Tell whether all records are one publisher's, in one scope."""
    return len(records) == 1 or len({(record.publisher, record.scope) for record in records}) == 1


def needs_records(entries: Entries, now: int) -> npt.NDArray[np.bool_]:
    """Tell for which rows the columns do not say what counts at ``now`` (Unix microseconds): bool[n]."""
    is_announced = entries["has_older"] & (entries["effective_at"] > now)
    return np.asarray((entries["publisher"] == MANY) | is_announced)
