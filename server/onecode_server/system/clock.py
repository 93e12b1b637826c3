"""The wall clock, in Unix microseconds as everywhere in the server, and periodic tasks.

The clock is passed in, so that tests can set it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

LAG_PERIOD_S: Final = 0.1
"""The period at which the delay of the event loop is measured: short enough to notice a blockage of half a second, at
some 10 us each."""

_log = logging.getLogger(__name__)

Clock = Callable[[], int]
"""Returns Unix microseconds."""


def wall_clock() -> int:
    """Return the time now in Unix microseconds."""
    return time.time_ns() // 1000


async def every(interval_s: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do ``work`` for ever, with ``interval_s`` seconds between its end and its next start.

    A failure of the environment (a file, memory) is retried like anything else; a bug is raised.
    """
    failing = False
    while True:
        try:
            await work()
            failing = False
        except (OSError, MemoryError) as fault:
            if not failing:  # logged once, not each time
                why = getattr(fault, "strerror", None) or type(fault).__name__
                _log.error("a periodic task, each %g s, failed and is retried: %s", interval_s, why)
            failing = True
        await asyncio.sleep(interval_s)


async def watch_lag(observe: Callable[[float], None]) -> None:
    """Measure for ever the delay with which this task is woken, in seconds: what blocks the event loop delays this task
    too."""
    loop = asyncio.get_running_loop()
    while True:
        due_s = loop.time() + LAG_PERIOD_S
        await asyncio.sleep(LAG_PERIOD_S)
        observe(max(0.0, loop.time() - due_s))
