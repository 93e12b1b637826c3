"""Has calls wait for others where that pays: with many callers a wait gathers a batch, with one it only delays."""

import asyncio
from collections.abc import Callable, Sized
from typing import Final

CLOSE_S: Final = 0.005
"""A call waits for others only if the call before it came within this time. At 200 calls a second there is no load that
a batch could lower, and nobody waits."""
SKIPPED_MIN, SKIPPED_MAX = 4, 256
"""Calls that go straight through after a wait that gathered no other call: 4, then 8 and so on, after 256 always as
many. A caller that is alone and calls again on each answer is delayed in one call of 257. Where there are many callers,
a wait is fruitless by chance, just after the answers to a batch have gone out."""
GATHER_TURNS: Final = 32
"""A wait ends when so many turns of the event loop in a row have brought no call. gRPC hands over a call in a few
turns, on a slow machine as on a fast one. Where nothing else is to be done, 32 turns take 0.1 ms."""
GATHER_S: Final = 0.008
"""The bound on a wait, since a turn may contain the check of a batch."""
GATHERED: Final = 32
"""With this many calls waiting a wait ends: the cost per signature hardly falls beyond it."""
ACTIVE_S: Final = 0.1
"""Single calls count as active for this long after the last one; large batches are then cut into smaller slices. It is
20 times the interval between calls at 200 a second."""


class ArrivalMonitor:
    """Decides from the results of earlier waits whether a call waits, and lets it. ``monotonic`` returns seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last_s = float("-inf")
        self._is_close = False
        self._to_skip = 0
        self._skipped = SKIPPED_MIN

    @property
    def last_s(self) -> float:
        """The time of the last call, on the monotonic clock."""
        return self._last_s

    @property
    def is_active(self) -> bool:
        """Whether a call arrived within the last ACTIVE_S seconds."""
        return self._monotonic() - self._last_s <= ACTIVE_S

    @property
    def expects_others(self) -> bool:
        """Whether the last call should wait for others."""
        return self._is_close and not self._to_skip

    def record_call(self) -> bool:
        """Record a call, and return whether it should wait for others."""
        now_s = self._monotonic()
        self._is_close = now_s - self._last_s <= CLOSE_S
        self._last_s = now_s
        if self._to_skip:
            self._to_skip -= 1
        return self.expects_others

    async def gather(self, waiting: Sized) -> None:
        """Wait for more calls to come to those that are ``waiting``, as long as they keep coming."""
        if len(waiting) >= GATHERED or not self.expects_others:
            return
        ends_s = self._monotonic() + GATHER_S
        count = turns = 0
        while count < GATHERED and turns < GATHER_TURNS and self._monotonic() < ends_s:
            turns = turns + 1 if len(waiting) == count else 0
            count = len(waiting)
            await asyncio.sleep(0)
        self.record_gathered(len(waiting))

    def record_gathered(self, count: int) -> None:
        """Record how many calls were there after a wait."""
        if count < 2:
            self._to_skip = self._skipped
            self._skipped = min(2 * self._skipped, SKIPPED_MAX)
        else:
            self._skipped = SKIPPED_MIN
