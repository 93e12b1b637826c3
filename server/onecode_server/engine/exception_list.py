"""The list of reports, newest first, by pages: whatever is asked for, a page costs a bounded number of look-ups."""

from typing import Final, NamedTuple

from onecode_server.engine.clock import Clock
from onecode_server.engine.concurrency_limit import ConcurrencyLimit
from onecode_server.model.exception import RecognitionException
from onecode_server.model.region import is_region_code
from onecode_server.rules.exceptions import State, state
from onecode_server.stores.protocol import Place, Selection, Store

LOOKED_AT_MAX: Final = 1000
"""Reports that are read for one page: as many as the largest page has."""
READ_MAX: Final = 128
"""Reports to a reading of the store: about a millisecond, and the next one waits its turn behind statuses."""
PAGES_MAX: Final = 16
"""Pages that one process reads at a time, each by one reading after the other: of the 256 calls that may wait for the
store they are few."""

_LIVE: Final = frozenset((State.REPORTED, State.ACKNOWLEDGED, State.EFFECTIVE))
_STATES: Final = frozenset(map(int, State))


class Wanted(NamedTuple):
    """Which reports are asked for: of a host, about a home (empty: any), in a state by its number (0: any)."""

    host: str = ""
    home: str = ""
    state: int = 0

    @property
    def is_possible(self) -> bool:
        """Whether any report could be asked for."""
        codes = (self.host, self.home)
        return all(not code or is_region_code(code) for code in codes) and (not self.state or self.state in _STATES)

    def selection(self) -> Selection:
        """Return the shortest of the store's lists that has all of them."""
        return Selection(is_live=True) if self.state in _LIVE else Selection(self.host, self.home)

    def matches(self, report: RecognitionException, now: int) -> bool:
        """Tell whether a report is one of them at ``now``."""
        return (
            (not self.host or report.host == self.host)
            and (not self.home or report.home == self.home)
            and (not self.state or state(report, now) == self.state)
        )


class Page(NamedTuple):
    """Some reports, the place after which the next page begins (None: there is none), and as of when (Unix
    microseconds)."""

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

        There are fewer, or none, where so many others had to be looked at that the rest is left to the next page.
        """
        now = self._clock()
        if not wanted.is_possible:
            return Page([], None, now)
        return await self._limit.run(self._read(wanted, after, size, now))

    async def _read(self, wanted: Wanted, end: Place | None, size: int, now: int) -> Page:
        page, looked_at, selection = list[RecognitionException](), 0, wanted.selection()
        chunk = READ_MAX if wanted.state else min(READ_MAX, size + 1)
        while True:
            reports = await self._store.exceptions(selection, end, chunk)
            for report in reports:
                if len(page) == size or looked_at == LOOKED_AT_MAX:
                    return Page(page, end, now)
                looked_at, end = looked_at + 1, Place(report.reported_at, report.id)
                if wanted.matches(report, now):
                    page.append(report)
            if len(reports) < chunk:
                return Page(page, None, now)
