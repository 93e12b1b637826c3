"""Statuses, in front of the store: what was confirmed within 5 s is CURRENT without asking it again.

Where the store does not answer, what is known stays usable as STALE until it is 300 s old; after that, and for what
was never known, it is UNAVAILABLE. Not thread-safe: it lives on the event loop.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from onecode_server.errors import StoreUnavailable
from onecode_server.metrics import Metrics
from onecode_server.model.status import Status, StatusView
from onecode_server.stores.protocol import Records, Store

CURRENT_S: Final = 5.0
STALE_S: Final = 300.0
ENTRIES_MAX: Final = 100_000
"""About 50 MB of a worker: the bearers that a worker at 20,000 codes a second meets within CURRENT_S."""
RETRY_AFTER_S: Final = 0.5
"""After a failure the store is left alone this long: else every answer would wait for its timeout."""


class _Entry(NamedTuple):
    records: Records
    confirmed_at_s: float


class StatusCache:
    """A bounded map of subject (16 bytes) to records. ``monotonic`` returns seconds that never run backwards."""

    def __init__(
        self, store: Store, monotonic: Callable[[], float], metrics: Metrics, entries_max: int = ENTRIES_MAX
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self._metrics = metrics
        self._entries_max = entries_max
        # In the order of their confirmation, since each confirmation writes an entry anew: the first is the oldest.
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._retry_at_s = float("-inf")

    async def lookup(self, subjects: Sequence[bytes]) -> list[StatusView]:
        """Return what is known of each subject, in order, asking the store once for all that is not current."""
        now_s = self._monotonic()
        # Held here: while the store is asked, others may push entries out.
        known = {subject: self._entries.get(subject) for subject in subjects}
        due = [s for s, entry in known.items() if entry is None or now_s - entry.confirmed_at_s > CURRENT_S]
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
        asked_at_s = self._monotonic()  # what is written while the store answers may not be in the answer
        try:
            found = await self._store.statuses(subjects)
        except StoreUnavailable:
            self._metrics.store_failures.inc()
            self._retry_at_s = self._monotonic() + RETRY_AFTER_S
            return {}
        fetched = {s: _Entry(records, asked_at_s) for s, records in zip(subjects, found, strict=True)}
        for subject, entry in fetched.items():
            self._entries.pop(subject, None)
            self._entries[subject] = entry
        while len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)
        self._metrics.cache_entries.set(len(self._entries))
        return fetched

    def _view(self, entry: _Entry | None, now_s: float) -> StatusView:
        if entry is None:
            return _UNAVAILABLE
        age_s = now_s - entry.confirmed_at_s
        if age_s <= CURRENT_S:
            return StatusView(entry.records, Status.CURRENT, int(age_s))
        if age_s <= STALE_S:
            return StatusView(entry.records, Status.STALE, int(age_s))
        return _UNAVAILABLE


_UNAVAILABLE: Final = StatusView((), Status.UNAVAILABLE, 0)
