"""Statuses, in front of the store: what was confirmed within 5 s is CURRENT without asking for it again.

Confirmed is what was just read, and what the change feed, which a Follower reads, does not name. Where the store does
not answer, what is known stays usable as STALE until it is 300 s old; after that, and for what was never known, it is
UNAVAILABLE. Not thread-safe: it lives on the event loop.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.engine.clock import Clock
from onecode_server.engine.status_table import MANY, NOBODY, Entries, Entry, StatusTable, as_row
from onecode_server.errors import StoreUnavailable
from onecode_server.metrics import Metrics
from onecode_server.model.status import Status, StatusView
from onecode_server.stores.protocol import UNREADABLE, Changes, Records, Store

CURRENT_S: Final = 5.0
STALE_S: Final = 300.0
NOTHING_S: Final = 30.0
"""How long the feed alone confirms that there is nothing: an absence is cheap to ask for, and costly to get wrong."""
AHEAD: Final = 0.8
"""The part of CURRENT_S and NOTHING_S after which what is asked for is read anew, while its answer still counts."""
ENTRIES_MAX: Final = 100_000
"""Some 45 MB of a worker: the bearers that a worker at 20,000 codes a second meets within CURRENT_S."""
READS_MAX: Final = 3
"""Readings of a subject, each because the feed was read past the one before: then what is found is of its own time."""
RETRY_AFTER_S: Final = 0.5
"""After a failure the store is left alone this long: else every answer would wait for its timeout."""

_NEVER: Final = float("-inf")


class StatusColumns(NamedTuple):
    """What is known of some subjects now, in order. ``entries`` are rows of a StatusTable, ``status`` is uint8[n],
    ``age_s`` int64[n] in whole seconds; ``records`` are those of the places where ``status_table.needs_records`` may
    say so."""

    entries: Entries
    status: npt.NDArray[np.uint8]
    age_s: npt.NDArray[np.int64]
    records: dict[int, Records]


class StatusCache:
    """A bounded map of subject (16 bytes) to records. ``monotonic`` returns seconds that never run backwards."""

    def __init__(
        self,
        store: Store,
        monotonic: Callable[[], float],
        clock: Clock,
        metrics: Metrics,
        entries_max: int = ENTRIES_MAX,
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self._clock = clock
        self._metrics = metrics
        self._table = StatusTable(entries_max)
        self._fetching: dict[bytes, asyncio.Task[dict[bytes, Entry]]] = {}
        self._retry_at_s = _NEVER
        self._position = 0
        self._followed_at_s = _NEVER

    async def catch_up(self) -> Changes | None:
        """Forget what the change feed names since it was last read, or all where it has a hole, and return it.

        None where the store does not answer.
        """
        asked_at_s = self._monotonic()
        try:
            changes = await self._store.changes(self._position)
        except StoreUnavailable:
            return None
        if not changes.is_complete:
            self._table.clear()
            if self._followed_at_s != _NEVER:  # whoever only starts has missed nothing
                self._metrics.feed_holes.inc()
        for number, subject in enumerate(changes.subjects, changes.position - len(changes.subjects) + 1):
            entry = self._table.entry(subject)
            if entry is not None and entry.position < number:
                self._table.forget(subject)
        # Two readings may end in another order than they began in: what was confirmed stays confirmed.
        self._position = max(self._position, changes.position)
        self._followed_at_s = max(self._followed_at_s, asked_at_s)
        self._metrics.cache_entries.set(len(self._table))
        if changes.newest_at:
            self._metrics.feed_age.set((self._clock() - changes.newest_at) / 1e6)
        return changes

    async def lookup(self, subjects: Sequence[bytes]) -> list[StatusView]:
        """Return what is known of each subject, in order, asking the store once for all that is not current.

        For a few subjects; ``columns`` is for many.
        """
        now_s = self._monotonic()
        # Held here: while the store is asked, others may push entries out.
        known = {subject: self._table.entry(subject) for subject in subjects}
        due = [s for s, entry in known.items() if entry is None or now_s - self._confirmed_at_s(entry) > CURRENT_S]
        self._count(len(subjects), len(due))
        if due and now_s >= self._retry_at_s:
            known |= await self._fetch(due)
        now_s = self._monotonic()
        views = {subject: self._view(entry, now_s) for subject, entry in known.items()}
        self._metrics.status_age.observe(max((view.age_s for view in views.values()), default=0))
        return [views[subject] for subject in subjects]

    async def columns(self, subjects: Sequence[bytes]) -> StatusColumns:
        """Return what is known of each subject, in order: what ``lookup`` says, in columns."""
        now_s = self._monotonic()
        rows = self._table.rows_of(subjects)
        entries = self._table.entries(rows)  # held here, too
        many = np.flatnonzero((entries["publisher"] == MANY) | entries["has_older"]).tolist()
        records = {place: self._table.records(int(rows[place])) for place in many}
        age_s = now_s - self._confirmed_s(entries)
        due = np.flatnonzero(age_s > CURRENT_S).tolist()
        wanted = list(dict.fromkeys([subjects[place] for place in due]))
        self._count(len(subjects), len(wanted))
        if wanted and now_s >= self._retry_at_s:
            found = await self._fetch(wanted)
            for place in due:
                if (entry := found.get(subjects[place])) is not None:
                    entries[place], records[place] = as_row(entry), entry.records
            age_s = self._monotonic() - self._confirmed_s(entries)
        else:
            self._read_ahead(subjects, entries, now_s)
        is_known = age_s <= STALE_S
        status = np.where(is_known, np.where(age_s <= CURRENT_S, Status.CURRENT, Status.STALE), Status.UNAVAILABLE)
        whole_s = np.where(is_known, age_s, 0).astype(np.int64)
        entries["publisher"][~is_known], entries["has_older"][~is_known] = NOBODY, False
        self._metrics.status_age.observe(int(whole_s.max(initial=0)))
        return StatusColumns(entries, status, whole_s, records)

    def _read_ahead(self, subjects: Sequence[bytes], entries: Entries, now_s: float) -> None:
        """Read anew what is asked for and will soon be due, while those who ask have their answer."""
        asked_s = now_s - entries["asked_at_s"]
        is_nothing = entries["publisher"] == NOBODY
        soon = (is_nothing & (asked_s > AHEAD * NOTHING_S)) | (now_s - self._confirmed_s(entries) > AHEAD * CURRENT_S)
        wanted = {subjects[place] for place in np.flatnonzero(soon).tolist()} - self._fetching.keys()
        if wanted and now_s >= self._retry_at_s:
            self._start_reading(list(wanted))

    async def _fetch(self, subjects: list[bytes]) -> dict[bytes, Entry]:
        """Return what the store says now of each subject: one call for those that nobody is asking for already."""
        missing = [subject for subject in subjects if subject not in self._fetching]
        if missing:
            self._start_reading(missing)
        tasks = {self._fetching[subject] for subject in subjects}
        found: dict[bytes, Entry] = {}
        for task in tasks:  # shielded: one caller that goes away does not take the others' answer along
            found |= await asyncio.shield(task)
        return {subject: found[subject] for subject in subjects if subject in found}

    def _start_reading(self, subjects: list[bytes]) -> None:
        self._fetching |= dict.fromkeys(subjects, asyncio.create_task(self._read(subjects)))

    async def _read(self, subjects: list[bytes]) -> dict[bytes, Entry]:
        try:
            for _ in range(READS_MAX):
                asked_at_s = self._monotonic()  # what is written while the store answers may not be in the answer
                position, found = await self._store.statuses(subjects)
                # The feed may have been read past this snapshot meanwhile, and told calls that began since, and wait
                # for this answer too, of changes that it lacks.
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
            subject: Entry(records, asked_at_s, position, is_followed)
            for subject, records in zip(subjects, found, strict=True)
            if records is not UNREADABLE  # which is UNAVAILABLE, and asked for again
        }
        for subject, entry in fetched.items():
            self._table.put(subject, entry)
        self._metrics.cache_entries.set(len(self._table))
        return fetched

    def _count(self, asked: int, missed: int) -> None:
        if missed:
            self._metrics.cache_lookups.labels("miss").inc(missed)
        if asked > missed:
            self._metrics.cache_lookups.labels("hit").inc(asked - missed)

    def _confirmed_s(self, entries: Entries) -> npt.NDArray[np.float64]:
        """Return when each entry was last known to be so: float64[n]."""
        asked_at_s = entries["asked_at_s"]
        is_nothing = entries["publisher"] == NOBODY
        is_followed = entries["is_followed"] & ~(is_nothing & (self._followed_at_s - asked_at_s > NOTHING_S))
        confirmed: npt.NDArray[np.float64] = np.where(
            is_followed, np.maximum(asked_at_s, self._followed_at_s), asked_at_s
        )
        return confirmed

    def _confirmed_at_s(self, entry: Entry) -> float:
        """Return the same of one entry."""
        if not entry.is_followed or (not entry.records and self._followed_at_s - entry.asked_at_s > NOTHING_S):
            return entry.asked_at_s
        return max(entry.asked_at_s, self._followed_at_s)

    def _view(self, entry: Entry | None, now_s: float) -> StatusView:
        if entry is None:
            return _UNAVAILABLE
        age_s = now_s - self._confirmed_at_s(entry)
        if age_s <= CURRENT_S:
            return StatusView(entry.records, Status.CURRENT, int(age_s))
        if age_s <= STALE_S:
            return StatusView(entry.records, Status.STALE, int(age_s))
        return _UNAVAILABLE


_UNAVAILABLE: Final = StatusView((), Status.UNAVAILABLE, 0)
