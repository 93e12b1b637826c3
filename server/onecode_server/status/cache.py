"""The status cache in front of the store: an entry that was confirmed within 5 s is CURRENT and is not read again.

An entry is confirmed when it is read, and whenever the change feed is read and does not name it. While the store does
not answer, an entry stays usable as STALE until it is 300 s old; after that, and for a subject that was never read, the
status is UNAVAILABLE. Where several machines share a log, an entry is no fresher than the own mark of its partition
that was known at that moment (``status.own_marks``); whether the store is read again depends on the reading alone, as
reading it once more makes no mark newer. Not thread-safe: only the event loop uses it.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from onecode_server.errors import StoreUnavailable
from onecode_server.model.status import Status, StatusView
from onecode_server.rules import freshness
from onecode_server.rules.freshness import ABSENT_S, CURRENT_S
from onecode_server.status import own_marks
from onecode_server.status.known import (
    SimpleStatus,
    StatusColumns,
    alike,
    columns_confirmed_at,
    confirmed_at,
    simple_row,
    view_of,
)
from onecode_server.status.own_marks import OwnMarks
from onecode_server.status.table import MANY, NO_RECORD, UNKNOWN, Entries, Entry, StatusTable, as_row
from onecode_server.stores.protocol import UNREADABLE, Changes, Store
from onecode_server.system.clock import Clock
from onecode_server.telemetry.counting import begin
from onecode_server.telemetry.metrics import Metrics

AHEAD: Final = 0.8
"""Read-ahead: an entry that is looked up after this part of CURRENT_S or ABSENT_S is read again while it still counts.
"""
ENTRIES_MAX: Final = 100_000
"""Some 45 MB of a worker: the subjects that a worker at 20,000 codes a second looks up within CURRENT_S."""
READS_MAX: Final = 3
"""Reads of a subject; each repetition is because the feed was read past the snapshot of the read before. The last
snapshot is then used although the feed is ahead of it, and the feed does not confirm its entry."""
RETRY_AFTER_S: Final = 0.5
"""After a failure the store is not read for this time; otherwise every answer would wait for the store's timeout."""

_NEVER: Final = float("-inf")


class StatusCache:
    """A bounded map from subject (16 bytes) to records. ``monotonic`` returns seconds that never run backwards.

    ``marks`` are what confirms a store that is a machine's copy of a log. None where the store is embedded.
    """

    def __init__(
        self,
        store: Store,
        monotonic: Callable[[], float],
        clock: Clock,
        metrics: Metrics,
        entries_max: int = ENTRIES_MAX,
        marks: OwnMarks | None = None,
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self._clock = clock
        self._metrics = metrics
        begin(metrics.cache_lookups, "hit", "miss")
        self._hits, self._misses = (metrics.cache_lookups.labels(result) for result in ("hit", "miss"))
        self._table = StatusTable(entries_max)
        self._marks = marks
        self._fetching: dict[bytes, asyncio.Task[dict[bytes, Entry]]] = {}
        self._retry_at_s = _NEVER
        self._position = 0
        self._followed_at_s = _NEVER

    async def catch_up(self) -> Changes | None:
        """Read the change feed since the last position, remove the subjects that it names, and return the changes.

        If the feed has a hole, all subjects are removed. Return None if the store does not answer.
        """
        read_at_s = self._monotonic()
        try:
            changes = await self._store.changes(self._position)
        except StoreUnavailable:
            return None
        if not changes.is_complete:
            self._table.clear()
            if self._followed_at_s != _NEVER:  # the first read after a start has missed nothing
                self._metrics.feed_holes.inc()
        for number, subject in enumerate(changes.subjects, changes.position - len(changes.subjects) + 1):
            entry = self._table.entry(subject)
            if entry is not None and entry.position < number:
                self._table.forget(subject)
        # Two reads may end in another order than they began in: the position and the time never go back.
        self._position = max(self._position, changes.position)
        self._followed_at_s = max(self._followed_at_s, read_at_s)
        if self._marks is not None:
            self._marks.take(changes.confirmed)
        self._metrics.cache_entries.set(len(self._table))
        if changes.newest_at:
            self._metrics.feed_age.set((self._clock() - changes.newest_at) / 1e6)
        return changes

    async def lookup(self, subjects: Sequence[bytes]) -> list[StatusView]:
        """Return the status of each subject, in order, with one store lookup for all that are not current.

        For a few subjects; ``columns`` is for many.
        """
        now_s = self._monotonic()
        # Held here, because other calls may replace entries while this one waits for the store.
        entries = [self._table.entry(subject) for subject in subjects]
        ages_s = [now_s - confirmed_at(entry, self._followed_at_s) for entry in entries]
        due = {subject: None for subject, age_s in zip(subjects, ages_s, strict=True) if age_s > CURRENT_S}
        self._count(len(subjects), len(due))
        if self._marks is not None:
            ages_s = [now_s - as_of_s for as_of_s in self._marks.as_of(subjects, entries, self._followed_at_s)]
        if due and now_s >= self._retry_at_s:
            found = await self._fetch(list(due))
            later_s = self._monotonic()
            for place, subject in enumerate(subjects):
                # A later read of the feed does not confirm what is held: it may have named the subject.
                entry = found.get(subject)
                ages_s[place] = ages_s[place] + later_s - now_s if entry is None else later_s - entry.as_of_s
                entries[place] = entries[place] if entry is None else entry
        views = [view_of(entry, age_s) for entry, age_s in zip(entries, ages_s, strict=True)]
        self._metrics.status_age.observe(max([view.age_s for view in views], default=0))
        return views

    def simple(self, subjects: Sequence[bytes], now: int) -> list[SimpleStatus[int] | None]:
        """Return the status of each of few subjects at ``now`` (Unix microseconds), in order, where it is CURRENT and
        its row says all of it; None for any other, which ``lookup`` returns."""
        now_s, fed_s = self._monotonic(), self._followed_at_s
        rows, marks = self._table.rows(subjects), None if self._marks is None else self._marks.marks
        statuses: list[SimpleStatus[int] | None] = []
        if marks is None and len(rows) > 1:
            statuses += alike(rows, now_s, fed_s)
        if not statuses:
            for subject, row in zip(subjects, rows, strict=True):
                if marks is not None:
                    fed_s = own_marks.bound(marks, subject, self._followed_at_s)
                statuses.append(None if row is None else simple_row(row, now, now_s, self._followed_at_s, fed_s))
        ages_s = [status[-1] for status in statuses if status is not None]
        if ages_s:
            self._hits.inc(len(ages_s))
            self._metrics.status_age.observe(max(ages_s))
        return statuses

    async def columns(self, subjects: Sequence[bytes]) -> StatusColumns:
        """Return the status of each subject, in order: the result of ``lookup`` in columns."""
        now_s = self._monotonic()
        rows = self._table.rows_of(subjects)
        entries = self._table.entries(rows)  # a copy, for the same reason
        many = ((entries["publisher"] == MANY) | entries["has_older"]).nonzero()[0].tolist()
        records = {place: self._table.records(int(rows[place])) for place in many}
        confirmed_s = columns_confirmed_at(entries, self._followed_at_s)
        age_s = now_s - confirmed_s
        due = (age_s > CURRENT_S).nonzero()[0].tolist()
        wanted = list(dict.fromkeys([subjects[place] for place in due]))
        self._count(len(subjects), len(wanted))
        if self._marks is not None:
            confirmed_s = self._marks.columns_as_of(subjects, entries, self._followed_at_s)
        if wanted and now_s >= self._retry_at_s:
            found = await self._fetch(wanted)
            for place in due:
                if (entry := found.get(subjects[place])) is not None:
                    entries[place], records[place], confirmed_s[place] = as_row(entry), entry.records, entry.as_of_s
            age_s = self._monotonic() - confirmed_s  # as in ``lookup``
        else:
            self._read_ahead(subjects, entries, age_s, now_s)
            if self._marks is not None:
                age_s = now_s - confirmed_s
        status = freshness.statuses_at(age_s)
        is_unknown = status == _UNAVAILABLE_NUMBER
        if np.count_nonzero(is_unknown):
            age_s = np.where(is_unknown, 0, age_s)
            entries["publisher"][is_unknown], entries["has_older"][is_unknown] = UNKNOWN, False
        whole_s = age_s.astype(np.int64)
        self._metrics.status_age.observe(max(whole_s.tolist(), default=0))
        return StatusColumns(entries, status, whole_s, records)

    def _read_ahead(
        self, subjects: Sequence[bytes], entries: Entries, age_s: npt.NDArray[np.float64], now_s: float
    ) -> None:
        """Start reading the looked-up subjects that will soon be due; this call does not wait for the result."""
        lapses_soon = (entries["publisher"] == NO_RECORD) & (entries["read_at_s"] < now_s - AHEAD * ABSENT_S)
        due_soon = (lapses_soon | (age_s > AHEAD * CURRENT_S)).nonzero()[0].tolist()
        if due_soon and now_s >= self._retry_at_s:
            wanted = {subjects[place] for place in due_soon} - self._fetching.keys()
            if wanted:
                self._start_reading(list(wanted))

    async def _fetch(self, subjects: list[bytes]) -> dict[bytes, Entry]:
        """Return the entries of subjects from the store: one lookup for those that no other call is reading."""
        missing = [subject for subject in subjects if subject not in self._fetching]
        if missing:
            self._start_reading(missing)
        tasks = {self._fetching[subject] for subject in subjects}
        found: dict[bytes, Entry] = {}
        for task in tasks:  # shielded: a caller that is cancelled does not cancel the read for the others
            found |= await asyncio.shield(task)
        return {subject: found[subject] for subject in subjects if subject in found}

    def _start_reading(self, subjects: list[bytes]) -> None:
        self._fetching |= dict.fromkeys(subjects, asyncio.create_task(self._read(subjects)))

    async def _read(self, subjects: list[bytes]) -> dict[bytes, Entry]:
        try:
            for _ in range(READS_MAX):
                read_at_s = self._monotonic()  # the answer may lack commits that are made while the store answers
                marks = None if self._marks is None else self._marks.marks
                position, found = await self._store.statuses(subjects)
                # Meanwhile the feed may have been read past this snapshot. Calls that began after that also wait for
                # this answer, and it would lack changes that they must see.
                if position >= self._position:
                    break
        except StoreUnavailable:
            self._retry_at_s = self._monotonic() + RETRY_AFTER_S
            return {}
        finally:
            for subject in subjects:
                self._fetching.pop(subject, None)
        is_followed = position >= self._position
        fetched = {
            subject: Entry(records, read_at_s, own_marks.bound(marks, subject, read_at_s), position, is_followed)
            for subject, records in zip(subjects, found, strict=True)
            if records is not UNREADABLE  # no entry: the status is UNAVAILABLE, and the next call reads it again
        }
        for subject, entry in fetched.items():
            self._table.put(subject, entry)
        self._metrics.cache_entries.set(len(self._table))
        return fetched

    def _count(self, count: int, missed: int) -> None:
        self._misses.inc(missed)
        self._hits.inc(count - missed)


_UNAVAILABLE_NUMBER: Final = int(Status.UNAVAILABLE)
"""With which arrays are compared fast: NumPy converts a member of an enum for each comparison."""
