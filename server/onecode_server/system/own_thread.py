"""A thread that does one piece of work after the other, for event loops that must not wait for it.

It is for a device that one thread alone may use, and that may hang. Work has a bound in number and in time.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeVar, cast

CLOSE_S: Final = 1.0
"""The longest wait for the thread at a close: one that waits for a device cannot be stopped, and ends with the
process."""

_T = TypeVar("_T")


class ThreadBusy(Exception):
    """Too much work waits for the thread already, or it was closed."""


class _Piece(NamedTuple):
    work: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class OwnThread:
    """Does work on a daemon thread of its own, which starts with the first work, in order.

    ``waiting_max`` bounds the pieces that wait.
    """

    def __init__(self, name: str, waiting_max: int) -> None:
        self._name = name
        self._waiting_max = waiting_max
        self._waiting: deque[_Piece] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    async def call(self, work: Callable[[], _T], timeout_s: float) -> _T:
        """Return what ``work`` returns, or raise what it raises.

        Work that has not begun when its caller leaves is dropped; work that has begun goes on. Raises ThreadBusy, and
        TimeoutError after ``timeout_s`` seconds.
        """
        loop = asyncio.get_running_loop()
        piece = _Piece(work, loop, loop.create_future())
        with self._changed:
            if self._is_closed or len(self._waiting) >= self._waiting_max:
                raise ThreadBusy
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._waiting.append(piece)
            self._changed.notify()
        return cast("_T", await asyncio.wait_for(piece.future, timeout_s))

    def close(self) -> None:
        """Drop what waits, and wait a moment for what is being done."""
        with self._changed:
            self._is_closed = True
            dropped = [*self._waiting]
            self._waiting.clear()
            self._changed.notify()
        for piece in dropped:
            _settle(piece, None, ThreadBusy())
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                if self._is_closed:
                    return
                piece = self._waiting.popleft()
            if piece.future.done():  # its caller has left
                continue
            try:
                value, fault = piece.work(), None
            except BaseException as raised:
                value, fault = None, raised
            _settle(piece, value, fault)
            del piece, value, fault  # else the thread keeps them until the next work


def _settle(piece: _Piece, value: Any, fault: BaseException | None) -> None:
    def settle() -> None:
        if piece.future.done():
            return
        if fault is None:
            piece.future.set_result(value)
        else:
            piece.future.set_exception(fault)

    with suppress(RuntimeError):  # the loop has ended, and its callers with it
        piece.loop.call_soon_threadsafe(settle)
