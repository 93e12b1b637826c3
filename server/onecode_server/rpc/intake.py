"""Reading ahead on a stream, within a bound, so that work is done in chunks while more comes in.

There is no timer: what arrived while the last chunk was worked on is the next one.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Intake(Generic[_T]):
    """Reads ``messages`` ahead, at most ``ahead_max`` of them, until they end or ``stop`` is set.

    A failure of the stream is raised to whoever takes the next chunk, after all that came before it was handed out.
    """

    def __init__(self, messages: AsyncIterator[_T], ahead_max: int, stop: asyncio.Event) -> None:
        self._queue: asyncio.Queue[_T | None] = asyncio.Queue(ahead_max)
        self._fault: BaseException | None = None
        self._tasks = [asyncio.create_task(self._read(messages)), asyncio.create_task(self._stop(stop))]

    async def take(self, count_max: int) -> list[_T]:
        """Return 1 to ``count_max`` messages as soon as there is one; an empty list at the end."""
        first = await self._queue.get()
        chunk = []
        item = first
        while item is not None:
            chunk.append(item)
            if len(chunk) == count_max or self._queue.empty():
                return chunk
            item = self._queue.get_nowait()
        if chunk:
            self._queue.put_nowait(None)  # the end comes after the chunk
        elif self._fault is not None:
            raise self._fault
        return chunk

    def close(self) -> None:
        """Stop reading."""
        for task in self._tasks:
            task.cancel()

    async def _read(self, messages: AsyncIterator[_T]) -> None:
        try:
            async for message in messages:
                await self._queue.put(message)
        except Exception as fault:
            self._fault = fault
        await self._queue.put(None)

    async def _stop(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._tasks[0].cancel()
        await self._queue.put(None)
