"""What an attack is aimed at, and how fast it may be."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Self

from benchmarks.attacks.connection import Lost
from benchmarks.shown import Authority

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
    authority: Authority | None = None
    """Who has issued what callers show, where they must show something."""

    @property
    def issuer(self) -> Authority:
        """The authority. Raises ValueError where there is none."""
        if self.authority is None:
            raise ValueError("this attack is for a server whose callers must show something")
        return self.authority

    def paced(self, per_s: float) -> "Pace":
        """Return the pace of ``per_s`` a second."""
        return Pace(per_s * self.rate)


class Pace:
    """Says again and again how many to do now, so that it is ``per_s`` a second; what was missed is not caught up with
    for longer than a tenth of a second."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._due, self._last_s = 0.0, time.monotonic()

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> int:
        """Return 1 or more, as soon as so many are due."""
        while True:
            await asyncio.sleep(_STEP_S)
            now_s = time.monotonic()
            due = self._due + (now_s - self._last_s) * self._per_s
            self._last_s = now_s
            count = int(min(due, max(1.0, self._per_s / 10)))
            self._due = min(due, max(1.0, self._per_s / 10)) - count
            if count:
                return count


Attack = Callable[[Target], Awaitable[None]]


async def again(work: Callable[[], Awaitable[None]]) -> None:
    """Do it for ever: whoever is thrown out comes back."""
    while True:
        try:
            await work()
        except (Lost, OSError):
            await asyncio.sleep(_AGAIN_S)
