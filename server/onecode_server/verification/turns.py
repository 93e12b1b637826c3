"""How large batches share the event loop: they are checked in slices, and leave turns to other work between them."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from onecode_server.verification.pace import Pace

TURNS: Final = 12
"""Turns between two slices. A call is accepted in one turn, read in another and answered in a third, and each of them
waits for a thread of gRPC. An unused turn costs some five microseconds; a slice takes milliseconds."""
SLICE_CODES_MAX: Final = 512
"""The most codes in a slice: more would hardly lower the cost of a code."""
SLICE_CODES_MIN: Final = 64
"""The fewest codes in a slice while single calls arrive: reading fewer in columns does not pay."""
SLICE_S: Final = 0.002
"""The length of a slice while single calls arrive, which wait for two or three of them. The codes that are checked in
this time are 100 with PyNaCl, and some hundreds with the kernel: a code in a small slice costs more."""


class Turns:
    """Spreads the slices of all batches together over the event loop.

    If each batch left turns by itself, the slices of other batches would fill them: a single call would wait for a
    slice of each batch, several times.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._leaving = asyncio.Lock()
        self._monotonic = monotonic
        self._codes = Pace()

    def slice_codes(self, *, is_shared: bool) -> int:
        """Return the number of codes of the next slice. ``is_shared`` tells whether single calls arrive as well."""
        if not is_shared or self._codes.expected_s(SLICE_CODES_MAX) <= SLICE_S:
            return SLICE_CODES_MAX
        return max(SLICE_CODES_MIN, int(SLICE_S / self._codes.expected_s(1)))

    @contextmanager
    def slice(self, codes: int) -> Iterator[None]:
        """Measure the check of a slice: later slices have their size from it."""
        started_s = self._monotonic()
        yield
        self._codes.took(codes, self._monotonic() - started_s)

    async def leave(self) -> None:
        """Return after TURNS turns in which no slice of another batch begins."""
        async with self._leaving:
            # The threads of gRPC that have calls for this loop may share its core, and would get it only when the
            # kernel ends this thread's time slice.
            os.sched_yield()
            for _ in range(TURNS):
                await asyncio.sleep(0)
