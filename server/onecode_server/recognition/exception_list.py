"""The list of reports, newest first, in pages. A page costs a bounded number of look-ups, whatever the query."""

from typing import Final, NamedTuple

from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.region import is_region_code
from onecode_server.recognition.concurrency_limit import ConcurrencyLimit
from onecode_server.rules.recognition_exceptions import State, state
from onecode_server.stores.protocol import Place, Selection, Store
from onecode_server.system.clock import Clock

EXAMINED_MAX: Final = 1000
"""Reports that are read for one page: as many as the largest page holds."""
READ_MAX: Final = 128
"""Reports in one read of the store: about a millisecond. The next read queues behind waiting status lookups."""
PAGES_MAX: Final = 16
"""Pages that one process reads at a time, each with one read at a time: few of the 256 calls that may wait for the
store."""

_LIVE: Final = frozenset((State.REPORTED, State.ACKNOWLEDGED, State.EFFECTIVE))
_STATES: Final = frozenset(map(int, State))


class Wanted(NamedTuple):
    """The query: reports of a host, about a home (empty: any), in a state given by its number (0: any)."""

    host: str = ""
    home: str = ""
    state: int = 0

    @property
    def is_possible(self) -> bool:
        """Whether any report can match."""
        codes = (self.host, self.home)
        return all(not code or is_region_code(code) for code in codes) and (not self.state or self.state in _STATES)

    def selection(self) -> Selection:
        """Return the shortest list of the store that contains all matching reports."""
        return Selection(is_live=True) if self.state in _LIVE else Selection(self.host, self.home)

    def matches(self, report: RecognitionException, now: int) -> bool:
        """Return whether a report matches at ``now``."""
        return (
            (not self.host or report.host == self.host)
            and (not self.home or report.home == self.home)
            and (not self.state or state(report, now) == self.state)
        )


class Page(NamedTuple):
    """Some reports, the place after which the next page begins (None if there is none), and the time of their states
    (Unix microseconds)."""

    reports: list[RecognitionException]
    end: Place | None
    time: int


class ExceptionList:
    """Lists reports from a store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._limit = ConcurrencyLimit(PAGES_MAX, "lists of exceptions")

    async def page(self, wanted: Wanted, after: Place | None, size: int) -> Page:
        """Return up to ``size`` reports from the first one after a place. Raises Overloaded, StoreUnavailable.

        A page has fewer reports, or none, if EXAMINED_MAX reports were read for it; the next page continues there.
        """
        now = self._clock()
        if not wanted.is_possible:
            return Page([], None, now)
        return await self._limit.run(self._read(wanted, after, size, now))

    async def _read(self, wanted: Wanted, end: Place | None, size: int, now: int) -> Page:
        page, examined, selection = list[RecognitionException](), 0, wanted.selection()
        chunk = READ_MAX if wanted.state else min(READ_MAX, size + 1)
        while True:
            reports = await self._store.exceptions(selection, end, chunk)
            for report in reports:
                if len(page) == size or examined == EXAMINED_MAX:
                    return Page(page, end, now)
                examined, end = examined + 1, Place(report.reported_at, report.id)
                if wanted.matches(report, now):
                    page.append(report)
            if len(reports) < chunk:
                return Page(page, None, now)
