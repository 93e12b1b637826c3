"""Turns of the event loop that large batches leave to other work."""

import asyncio
from typing import Final

TURNS: Final = 12
"""Turns between two slices. A call is accepted in one turn, read in another and answered in a third, and each of them
waits for a thread of gRPC. An unused turn costs some five microseconds; a slice takes milliseconds."""


class Turns:
    """Spreads the slices of all batches together over the event loop.

    If each batch left turns by itself, the slices of other batches would fill them: a single call would wait for a
    slice of each batch, several times.
    """

    def __init__(self) -> None:
        self._leaving = asyncio.Lock()

    async def leave(self) -> None:
        """Return after TURNS turns in which no slice of another batch begins."""
        async with self._leaving:
            for _ in range(TURNS):
                await asyncio.sleep(0)
