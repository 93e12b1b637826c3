"""Measures how closely calls arrive: with many callers a short wait gathers a batch, with one caller it only delays."""

from collections.abc import Callable
from typing import Final

CLOSE_S: Final = 0.001
"""Two calls that arrive within this time are close. A run of close calls means that there are many callers."""
CLOSE_CALLS: Final = 8
"""The excess of close calls over distant ones from which the monitor assumes many callers."""
ALONE_CALLS: Final = 256
"""A single caller that calls again on each answer has the arrival times of many callers. When a wait has gathered only
one call, this many calls go straight through before the batcher waits again."""
ACTIVE_S: Final = 0.1
"""Single calls count as active for this long after the last one; large batches are then cut into smaller slices. It is
20 times the interval between calls at 200 a second."""


class ArrivalMonitor:
    """Decides from the arrival times of calls whether there are many callers. ``monotonic`` returns seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last_s = float("-inf")
        self._close = 0
        self._alone = 0

    @property
    def last_s(self) -> float:
        """The time of the last call, on the monotonic clock."""
        return self._last_s

    @property
    def has_many_callers(self) -> bool:
        """Whether most of the recent calls were close to each other, so that there are many callers."""
        return self._close >= CLOSE_CALLS

    @property
    def is_active(self) -> bool:
        """Whether a call arrived within the last ACTIVE_S seconds."""
        return self._monotonic() - self._last_s <= ACTIVE_S

    def record_call(self) -> bool:
        """Record a call, and return whether there are many callers."""
        now_s = self._monotonic()
        is_close = now_s - self._last_s <= CLOSE_S
        self._last_s = now_s
        if self._alone:
            self._alone -= 1
        elif is_close:
            self._close = min(self._close + 1, 2 * CLOSE_CALLS)
        elif self._close:
            self._close -= 1
        return self.has_many_callers

    def record_gathered(self, count: int) -> None:
        """Record how many calls a wait has gathered."""
        if count < 2:
            self._close, self._alone = 0, ALONE_CALLS
