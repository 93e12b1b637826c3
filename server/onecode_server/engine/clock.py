"""The wall clock, in the unit that the whole engine uses, and what is done again and again.

The clock is handed in, so that tests can set it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

TURNS: Final = 12
"""Some ten microseconds each where nobody wants them."""

Clock = Callable[[], int]
"""Returns Unix microseconds."""


def wall_clock() -> int:
    """Return the time now in Unix microseconds."""
    return time.time_ns() // 1000


async def give_way() -> None:
    """Let others have their turn, between two slices of a large batch.

    Several turns of the loop: a call is accepted in one, read in another and answered in a third, and each waits for a
    thread of gRPC's in between.
    """
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def every(interval_s: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do ``work`` for ever, with ``interval_s`` seconds between its end and its next start."""
    while True:
        await work()
        await asyncio.sleep(interval_s)
