"""One server that is watched: the pages of the last seconds, or why there is none."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from onecode_server.cli.top.pages import Interval, Page, PageFault

RATE_S: Final = 5.0
"""The time over which rates are taken: a server with several workers shows what they report once a second, so that a
rate over a second may be twice too high."""
PAGES_MAX: Final = 32
"""Pages that are kept: more than come in RATE_S at the shortest interval."""


class Watched:
    """The pages of a server. ``fetch`` returns its page, or raises PageFault."""

    def __init__(self, name: str, fetch: Callable[[], Awaitable[Page]]) -> None:
        self.name = name
        self.problem: str | None = None
        self._fetch = fetch
        self._pages: deque[Page] = deque(maxlen=PAGES_MAX)

    async def look(self) -> None:
        """Read the page. Where there is none, the pages before it count no more."""
        try:
            page = await self._fetch()
        except PageFault as fault:
            self.problem = str(fault)
            self._pages.clear()
            return
        self.problem = None
        self._pages.append(page)
        while len(self._pages) > 2 and self._pages[1].at_s <= page.at_s - RATE_S:
            self._pages.popleft()

    @property
    def interval(self) -> Interval | None:
        """The first and the last page that are kept; None until there are two."""
        return Interval(self._pages[0], self._pages[-1]) if len(self._pages) > 1 else None
