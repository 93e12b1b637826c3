"""What an attack is aimed at, and how fast it may be."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

from benchmarks.attacks.connection import Lost

_STEP_S = 0.01
_AGAIN_S = 0.05


class Target(NamedTuple):
    """A server's gRPC address and the address of its metrics page; ``codes`` are some that it admits.

    ``rate`` is what the attack's own rate is multiplied by.
    """

    address: str
    page: str
    codes: list[bytes]
    rate: float = 1.0

    async def paced(self, per_s: float) -> AsyncIterator[int]:
        """Yield again and again how many to do now, so that it is ``per_s`` a second; what was missed is not caught
        up with for longer than a tenth of a second."""
        per_s *= self.rate
        due, last_s = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(_STEP_S)
            now_s = time.monotonic()
            due = min(due + (now_s - last_s) * per_s, max(1.0, per_s / 10))
            last_s = now_s
            if due >= 1:
                yield int(due)
                due -= int(due)


Attack = Callable[[Target], Awaitable[None]]


async def again(work: Callable[[], Awaitable[None]]) -> None:
    """Do it for ever: whoever is thrown out comes back."""
    while True:
        try:
            await work()
        except (Lost, OSError):
            await asyncio.sleep(_AGAIN_S)
