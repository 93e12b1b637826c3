"""Reads ahead on a stream, within a bound, so that chunks are worked on while further messages come in.

``take`` uses no timer: the messages that arrived during the last chunk are the next chunk. Where the cost of a chunk
hardly depends on its size, ``gather`` waits for more messages first.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Generic, TypeVar

_T = TypeVar("_T")


class ReadAhead(Generic[_T]):
    """Reads ``messages`` ahead, at most ``ahead_max`` of them, until they end or ``stop`` is set.

    ``size`` returns the bytes of a message. Reading pauses after the message with which the waiting bytes reach
    ``bytes_max``.

    A failure of the stream is raised by ``take``, after all messages before it were handed out.
    """

    def __init__(
        self,
        messages: AsyncIterator[_T],
        ahead_max: int,
        bytes_max: int,
        size: Callable[[_T], int],
        stop: asyncio.Event,
    ) -> None:
        self._waiting: deque[tuple[_T, int]] = deque()
        self._ahead_max = ahead_max
        self._bytes_max = bytes_max
        self._size = size
        self._bytes = 0
        self._fault: Exception | None = None
        self._has_ended = False
        self._to_take, self._space, self._gathered = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._gathers = 0
        self._tasks = [asyncio.create_task(self._read(messages)), asyncio.create_task(self._stop(stop))]

    @property
    def waiting(self) -> int:
        """The number of messages that were read and not taken."""
        return len(self._waiting)

    async def take(self, count_max: int) -> list[_T]:
        """Return 1 to ``count_max`` messages as soon as there is one; an empty list at the end."""
        await self._to_take.wait()
        taken = [self._waiting.popleft() for _ in range(min(count_max, len(self._waiting)))]
        self._bytes -= sum(size for _, size in taken)
        self._space.set()
        if not self._waiting and not self._has_ended:
            self._to_take.clear()
        if not taken and self._fault is not None:
            raise self._fault
        return [message for message, _ in taken]

    async def gather(self, count: int, within_s: float) -> None:
        """Return once ``count`` messages wait, the bound on messages read ahead is reached, the stream has ended, or
        ``within_s`` seconds have passed."""
        if len(self._waiting) >= min(count, self._ahead_max) or self._bytes >= self._bytes_max or self._has_ended:
            return
        self._gathers = count
        self._gathered.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._gathered.wait(), within_s)
        self._gathers = 0

    def close(self) -> None:
        """Stop reading."""
        tasks, self._tasks = self._tasks, []  # the exception of an ended task keeps its frame, and that this object
        for task in tasks:
            task.cancel()

    async def _read(self, messages: AsyncIterator[_T]) -> None:
        try:
            async for message in messages:
                # Space is waited for before the next message is read: a message outside of the queue would be lost at
                # the server's end.
                size = self._size(message)
                self._waiting.append((message, size))
                self._bytes += size
                self._to_take.set()
                is_full = len(self._waiting) >= self._ahead_max or self._bytes >= self._bytes_max
                if is_full or len(self._waiting) == self._gathers:
                    self._gathered.set()
                if is_full:
                    self._space.clear()
                    await self._space.wait()
        except Exception as fault:
            # The traceback is dropped: its frames hold the message, and would keep it for as long as the fault lives.
            fault.__context__ = None
            self._fault = fault.with_traceback(None)
        finally:
            self._has_ended = True
            self._to_take.set()
            self._gathered.set()

    async def _stop(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._tasks[0].cancel()
