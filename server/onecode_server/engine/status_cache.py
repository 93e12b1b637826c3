"""Statuses, in front of the store: what was confirmed within 5 s is CURRENT without asking for it again.

Confirmed is what was just read, and what the change feed, read every 0.25 s, does not name. Where the store does not
answer, what is known stays usable as STALE until it is 300 s old; after that, and for what was never known, it is
UNAVAILABLE. Not thread-safe: it lives on the event loop.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from onecode_server.engine.clock import Clock
from onecode_server.errors import StoreUnavailable
from onecode_server.metrics import Metrics
from onecode_server.model.status import Status, StatusView
from onecode_server.stores.protocol import Records, Store

CURRENT_S: Final = 5.0
STALE_S: Final = 300.0
NOTHING_S: Final = 30.0
"""How long the feed alone confirms that there is nothing: an absence is cheap to ask for, and costly to get wrong."""
FOLLOW_S: Final = 0.25
"""How often the feed is read: what one process publishes, every other answers within a second."""
ENTRIES_MAX: Final = 100_000
"""About 50 MB of a worker: the bearers that a worker at 20,000 codes a second meets within CURRENT_S."""
RETRY_AFTER_S: Final = 0.5
"""After a failure the store is left alone this long: else every answer would wait for its timeout."""

_NEVER: Final = float("-inf")


class _Entry(NamedTuple):
    """What was read, when it was asked for, and the newest change that it holds."""

    records: Records
    asked_at_s: float
    position: int
    is_followed: bool = True


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
        self._entries_max = entries_max
        # In the order of their reading, since each reading writes an entry anew: the first is the oldest.
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._fetching: dict[bytes, asyncio.Task[dict[bytes, _Entry]]] = {}
        self._retry_at_s = _NEVER
        self._position = 0
        self._followed_at_s = _NEVER

    async def catch_up(self) -> None:
        """Forget what the change feed names since it was last read; forget all where it has a hole."""
        asked_at_s = self._monotonic()
        try:
            changes = await self._store.changes(self._position)
        except StoreUnavailable:
            self._metrics.store_failures.inc()
            return
        if not changes.is_complete:
            self._entries.clear()
            if self._followed_at_s != _NEVER:  # whoever only starts has missed nothing
                self._metrics.feed_holes.inc()
        for number, subject in enumerate(changes.subjects, changes.position - len(changes.subjects) + 1):
            entry = self._entries.get(subject)
            if entry is not None and entry.position < number:
                del self._entries[subject]
        self._position, self._followed_at_s = changes.position, asked_at_s
        self._metrics.cache_entries.set(len(self._entries))
        if changes.newest_at:
            self._metrics.feed_age.set((self._clock() - changes.newest_at) / 1e6)

    async def lookup(self, subjects: Sequence[bytes]) -> list[StatusView]:
        """Return what is known of each subject, in order, asking the store once for all that is not current."""
        now_s = self._monotonic()
        # Held here: while the store is asked, others may push entries out.
        known = {subject: self._entries.get(subject) for subject in subjects}
        due = [s for s, entry in known.items() if entry is None or now_s - self._confirmed_at_s(entry) > CURRENT_S]
        self._metrics.cache_lookups.labels("miss").inc(len(due))
        self._metrics.cache_lookups.labels("hit").inc(len(subjects) - len(due))
        if due and now_s >= self._retry_at_s:
            known |= await self._fetch(due)
        now_s = self._monotonic()
        views = {subject: self._view(entry, now_s) for subject, entry in known.items()}
        for view in views.values():
            self._metrics.status_age.observe(view.age_s)
        return [views[subject] for subject in subjects]

    async def _fetch(self, subjects: list[bytes]) -> dict[bytes, _Entry]:
        """Return what the store says now of each subject: one call for those that nobody is asking for already."""
        missing = [subject for subject in subjects if subject not in self._fetching]
        if missing:
            task = asyncio.create_task(self._read(missing))
            self._fetching |= dict.fromkeys(missing, task)
        tasks = {self._fetching[subject] for subject in subjects}
        found: dict[bytes, _Entry] = {}
        for task in tasks:  # shielded: one caller that goes away does not take the others' answer along
            found |= await asyncio.shield(task)
        return {subject: found[subject] for subject in subjects if subject in found}

    async def _read(self, subjects: list[bytes]) -> dict[bytes, _Entry]:
        asked_at_s = self._monotonic()  # what is written while the store answers may not be in the answer
        try:
            position, found = await self._store.statuses(subjects)
        except StoreUnavailable:
            self._metrics.store_failures.inc()
            self._retry_at_s = self._monotonic() + RETRY_AFTER_S
            return {}
        finally:
            for subject in subjects:
                self._fetching.pop(subject, None)
        # The feed may have been read past this snapshot meanwhile: then it named changes that the snapshot lacks.
        is_followed = position >= self._position
        fetched = {
            subject: _Entry(records, asked_at_s, position, is_followed)
            for subject, records in zip(subjects, found, strict=True)
        }
        for subject, entry in fetched.items():
            self._entries.pop(subject, None)
            self._entries[subject] = entry
        while len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)
        self._metrics.cache_entries.set(len(self._entries))
        return fetched

    def _confirmed_at_s(self, entry: _Entry) -> float:
        if not entry.is_followed or (not entry.records and self._followed_at_s - entry.asked_at_s > NOTHING_S):
            return entry.asked_at_s
        return max(entry.asked_at_s, self._followed_at_s)

    def _view(self, entry: _Entry | None, now_s: float) -> StatusView:
        if entry is None:
            return _UNAVAILABLE
        age_s = now_s - self._confirmed_at_s(entry)
        if age_s <= CURRENT_S:
            return StatusView(entry.records, Status.CURRENT, int(age_s))
        if age_s <= STALE_S:
            return StatusView(entry.records, Status.STALE, int(age_s))
        return _UNAVAILABLE


_UNAVAILABLE: Final = StatusView((), Status.UNAVAILABLE, 0)
