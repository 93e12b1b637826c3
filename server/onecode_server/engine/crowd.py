"""Whether many callers are there, told by when calls come: a crowd is worth a moment's wait, one caller is not."""

from collections.abc import Callable
from typing import Final

CROWD_S: Final = 0.001
"""Calls that come closer behind each other than this are a crowd, until they do no longer."""
CROWD_CALLS: Final = 8
ALONE_CALLS: Final = 256
"""One caller may ask again as soon as it has its answer, and looks like a crowd: where nobody else came, so many calls
go straight through before the next try."""
OPEN_S: Final = 0.1
"""Single calls that were this close are there still: large batches are then cut finer. Twenty times what lies between
two calls at 200 a second."""


class Crowd:
    """Tells by when calls come whether many callers are there. ``monotonic`` returns seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last_s = float("-inf")
        self._close = 0
        self._alone = 0

    @property
    def last_s(self) -> float:
        """When the last call came, on the monotonic clock."""
        return self._last_s

    @property
    def is_here(self) -> bool:
        """Whether most of the last calls came close behind each other."""
        return self._close >= CROWD_CALLS

    @property
    def is_open(self) -> bool:
        """Whether anybody has called lately."""
        return self._monotonic() - self._last_s <= OPEN_S

    def meets(self) -> bool:
        """Note a call, and tell whether it came in a crowd."""
        now_s = self._monotonic()
        is_close = now_s - self._last_s <= CROWD_S
        self._last_s = now_s
        if self._alone:
            self._alone -= 1
        elif is_close:
            self._close = min(self._close + 1, 2 * CROWD_CALLS)
        elif self._close:
            self._close -= 1
        return self.is_here

    def came(self, count: int) -> None:
        """Note how many came together while they were waited for."""
        if count < 2:
            self._close, self._alone = 0, ALONE_CALLS
