"""The wall clock, in the unit that the whole engine uses. It is handed in, so that tests can set it."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Returns Unix microseconds."""


def wall_clock() -> int:
    """Return the time now in Unix microseconds."""
    return time.time_ns() // 1000
