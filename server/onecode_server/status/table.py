"""The status table: the cached records of subjects in columns. It is bounded, and the newest entry replaces the oldest.

Rows are written in a ring, so the overwritten row is always the one that was read longest ago; a subject that is read
again gets a new row. Most subjects have no record, or only NATIONAL records of their home: the columns hold the one
with the highest revision, which is the newest one once it has taken effect. A subject with other records is ``MANY``,
and its records are evaluated one by one.
"""

from collections.abc import Callable, Sequence
from itertools import repeat
from struct import Struct
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.model.region import NATIONAL
from onecode_server.model.status import Scope
from onecode_server.rules.levels import NEVER
from onecode_server.stores.protocol import Records

Places = npt.NDArray[np.int64]

MISSING: Final = -1
"""The row of a subject that is not in the table; its entry was never confirmed."""
NO_RECORD: Final = -1
"""The publisher of a subject that was read and has no record."""
MANY: Final = -2
"""The publisher of a subject with records of several publishers or scopes, with LOCAL records, or with records of the
national authority."""

UNKNOWN: Final = -3
"""The publisher of a subject that was never read, or so long ago that its records no longer count."""

_LONG_AGO_S: Final = -1e15
_ENTRY: Final = np.dtype(
    [
        ("read_at_s", "f8"),  # the start of the read
        ("as_of_s", "f8"),  # as of when that read confirms it: earlier where the store is a copy that may be behind
        ("position", "i8"),  # the newest change that it contains
        ("effective_at", "i8"),  # Unix microseconds; this and the next four describe the record of highest revision
        ("expires_at", "i8"),
        ("published_at", "i8"),
        ("publisher", "i4"),
        ("level", "u1"),
        ("is_followed", "?"),  # whether the change feed confirms it
        ("has_older", "?"),  # whether there are earlier records, which may count until that one takes effect
    ],
    align=True,  # columns of numbers that are not aligned are copied at each operation
)
"""A row has 56 bytes."""
_ROW_BYTES: Final = _ENTRY.itemsize
Entries = npt.NDArray[np.void]
Row = tuple[float, float, int, int, int, int, int, int, bool, bool]
"""The same as numbers, in this order."""
_read: Final[Callable[[memoryview, int], Row]] = Struct("@2d4qiB??").unpack_from
"""Returns the row at an offset: NumPy takes three times as long for one."""


class Entry(NamedTuple):
    """The records of one subject, the start of their read and as of when it confirms them (monotonic seconds), and the
    newest change that they contain."""

    records: Records
    read_at_s: float
    as_of_s: float
    position: int
    is_followed: bool = True


class StatusTable:
    """Up to ``rows_max`` subjects (16 bytes each). Not thread-safe."""

    def __init__(self, rows_max: int) -> None:
        self._entries: Entries = np.zeros(rows_max + 1, _ENTRY)
        # The last row stands for all subjects that were never read.
        self._entries[MISSING] = (_LONG_AGO_S, _LONG_AGO_S, 0, 0, 0, 0, UNKNOWN, 0, False, False)
        self._bytes = memoryview(self._entries.view(np.uint8))  # type: ignore[arg-type]  # NumPy's stubs are for 3.12
        # A subject without a record is no object here that a garbage collection would visit: most have none.
        self._read_at_s, self._as_of_s = self._entries["read_at_s"], self._entries["as_of_s"]
        self._positions, self._is_followed = self._entries["position"], self._entries["is_followed"]
        self._subjects: list[bytes | None] = [None] * rows_max
        self._records: list[Records] = [()] * rows_max
        self._rows: dict[bytes, int] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._rows)

    def rows_of(self, subjects: Sequence[bytes]) -> Places:
        """Return each subject's row, int64[n]; MISSING if it has none."""
        return np.fromiter(map(self._rows.get, subjects, repeat(MISSING)), np.int64, len(subjects))

    def entries(self, rows: Places) -> Entries:
        """Return a copy of some rows."""
        return self._entries.take(rows)  # a third of the time of an index for some rows

    def records(self, row: int) -> Records:
        """Return the records of the subject in a row."""
        return self._records[row]

    def entry(self, subject: bytes) -> Entry | None:
        """Return the entry of one subject, or None."""
        row = self._rows.get(subject)
        if row is None:
            return None
        times = self._read_at_s.item(row), self._as_of_s.item(row)
        return Entry(self._records[row], *times, self._positions.item(row), self._is_followed.item(row))

    def rows(self, subjects: Sequence[bytes]) -> list[Row | None]:
        """Return the columns of each subject as numbers, or None."""
        rows = [*map(self._rows.get, subjects)]
        offsets = [row * _ROW_BYTES for row in rows if row is not None]
        if len(offsets) < len(rows):
            return [None if row is None else _read(self._bytes, row * _ROW_BYTES) for row in rows]
        return [*map(_read, repeat(self._bytes), offsets)]

    def put(self, subject: bytes, entry: Entry) -> None:
        """Write the entry of a subject over the one that was read longest ago."""
        self.forget(subject)
        row, self._next = self._next, (self._next + 1) % len(self._subjects)
        old = self._subjects[row]
        if old is not None:
            self.forget(old)
        self._subjects[row], self._rows[subject] = subject, row
        self._records[row] = entry.records
        self._entries[row] = as_row(entry)

    def forget(self, subject: bytes) -> None:
        """Remove a subject, if the table has it."""
        row = self._rows.pop(subject, None)
        if row is not None:
            self._subjects[row], self._records[row] = None, ()

    def clear(self) -> None:
        """Remove all subjects."""
        for subject in list(self._rows):
            self.forget(subject)


def as_row(entry: Entry) -> Row:
    """Return an entry as a row of the table."""
    read = entry.read_at_s, entry.as_of_s, entry.position
    if not entry.records:
        return *read, 0, 0, 0, NO_RECORD, 0, entry.is_followed, False
    first = entry.records[0]
    if first.scope is not Scope.NATIONAL or first.publisher == NATIONAL or not _are_alike(entry.records):
        return *read, 0, 0, 0, MANY, 0, entry.is_followed, False
    last = first if len(entry.records) == 1 else max(entry.records, key=lambda record: record.revision)
    return (
        *read,
        last.effective_at,
        NEVER if last.expires_at is None else last.expires_at,
        last.published_at,
        int(last.publisher),
        last.level,
        entry.is_followed,
        len(entry.records) > 1,
    )


def _are_alike(records: Records) -> bool:
    """Return whether all records are of one publisher and one scope."""
    return len(records) == 1 or len({(record.publisher, record.scope) for record in records}) == 1


def needs_records(entries: Entries, now: int) -> npt.NDArray[np.bool_]:
    """Return for each row whether its records, and not its columns, decide at ``now`` (Unix microseconds): bool[n]."""
    return np.asarray(is_many(entries["publisher"], entries["has_older"], entries["effective_at"], now))


def is_many(publisher: Any, has_older: Any, effective_at: Any, now: int) -> Any:
    """Return the same for one row, whose columns are numbers: bool."""
    return (publisher == MANY) | (has_older & (effective_at > now))
