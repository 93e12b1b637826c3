"""The wall clock, in the unit that the whole engine uses, and what is done again and again.

The clock is handed in, so that tests can set it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

Clock = Callable[[], int]
"""Returns Unix microseconds."""


def wall_clock() -> int:
    """Return the time now in Unix microseconds."""
    return time.time_ns() // 1000


async def every(interval_s: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do ``work`` for ever, with ``interval_s`` seconds between its end and its next start."""
    while True:
        await work()
        await asyncio.sleep(interval_s)
