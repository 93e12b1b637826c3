"""Turns of the event loop that large batches leave to others."""

import asyncio
from typing import Final

TURNS: Final = 12
"""Between two slices. A call is accepted in one turn, read in another and answered in a third, and each waits for a
thread of gRPC's; a turn that nobody wants costs some five microseconds, where a slice takes milliseconds."""


class Turns:
    """Spreads the slices of batches over the event loop, those of all batches together.

    Each batch by itself would leave turns to others and find the other batches in them: a single call would wait for a
    slice of each of them, several times.
    """

    def __init__(self) -> None:
        self._leaving = asyncio.Lock()

    async def leave(self) -> None:
        """Return after TURNS turns in which no slice of another batch begins."""
        async with self._leaving:
            for _ in range(TURNS):
                await asyncio.sleep(0)
