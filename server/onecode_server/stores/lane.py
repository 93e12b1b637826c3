"""A thread of the store with a queue of its own, which performs waiting calls together.

Only the queue is shared with the event loop, so that the work of one lane never delays the callers of another.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Final, NamedTuple, TypeVar, cast

from onecode_server.errors import StoreBusy, StoreUnavailable
from onecode_server.stores.fair_queue import FairQueue

RETRY_AFTER_S: Final = 1.0
"""A full queue is worked off in about this time."""
CLOSE_TIMEOUT_S: Final = 10.0
"""The longest wait for the thread at a close, which is no longer than a drain: a thread that waits for a disk cannot be
stopped."""

_T = TypeVar("_T")
Work = Callable[[Any], Any]


class Outcome(NamedTuple):
    """The result of one piece of work: the value that it returned, or the fault that it raised."""

    value: Any = None
    fault: BaseException | None = None


class _Call(NamedTuple):
    work: Work
    future: asyncio.Future[Any]


class Lane:
    """Performs work on a thread of its own.

    ``perform`` is called on that thread with the work that is done together, and returns an outcome for each, in order.
    An exception of ``perform`` is the outcome of all.
    """

    def __init__(
        self, name: str, perform: Callable[[Sequence[Work]], list[Outcome]], waiting_max: int, together_max: int
    ) -> None:
        """Start the thread. ``waiting_max`` bounds the weight of waiting work, ``together_max`` the weight of work that
        is done together. Raises RuntimeError where no thread can be started."""
        self._perform = perform
        self._together_max = together_max
        self._waiting: FairQueue[_Call] = FairQueue(waiting_max)
        self._lock = threading.Lock()
        self._wake: SimpleQueue[bool] = SimpleQueue()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def call(self, work: Callable[[Any], _T], timeout_s: float, owner: str = "", weight: int = 1) -> _T:
        """Return what ``work`` returns, or raise what it raises.

        Work that has not begun when its caller leaves is dropped; work that has begun is completed. Raises StoreBusy
        where the queue is full, StoreUnavailable where it was closed, and TimeoutError.
        """
        timers: list[asyncio.TimerHandle] = []
        try:
            # No variable holds the future: a failure in it keeps its frames, and a variable there would keep the
            # future.
            return cast("_T", await self._begin(work, owner, weight, timeout_s, timers))
        finally:
            while timers:
                timers.pop().cancel()

    def _begin(
        self, work: Work, owner: str, weight: int, timeout_s: float, timers: list[asyncio.TimerHandle]
    ) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        # Not by asyncio.timeout, which cancels a task: a check that began without one may come here.
        timers.append(loop.call_later(timeout_s, _settle, [(_Call(work, future), Outcome(fault=TimeoutError()))]))
        with self._lock:
            if self._is_closed:
                raise StoreUnavailable("the store was closed")
            gone = self._waiting.push(owner, _Call(work, future), weight)
        if gone:
            _settle_there(gone, Outcome(fault=StoreBusy("too many calls wait for the store", RETRY_AFTER_S)))
        self._wake.put(True)
        return future

    def close(self) -> bool:
        """Fail the waiting calls, and wait for the running one; tell whether the thread has ended."""
        with self._lock:
            self._is_closed = True
            waiting = []
            while calls := self._waiting.take(self._together_max):
                waiting += calls
        _settle_there(waiting, Outcome(fault=StoreUnavailable("the store was closed")))
        self._wake.put(False)
        self._thread.join(CLOSE_TIMEOUT_S)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while self._wake.get():
            with self._lock:
                taken = self._waiting.take(self._together_max)
            # A caller that left meanwhile (a deadline, a broken connection) has cancelled its future.
            calls = [call for call in taken if not call.future.done()]
            if not calls:
                continue
            try:
                outcomes = self._perform([call.work for call in calls])
            except BaseException as fault:
                outcomes = [Outcome(fault=fault)] * len(calls)
            _settle_on_loops(calls, outcomes)


def _settle_there(calls: Iterable[_Call], outcome: Outcome) -> None:
    calls = list(calls)
    _settle_on_loops(calls, [outcome] * len(calls))


def _settle_on_loops(calls: Sequence[_Call], outcomes: Sequence[Outcome]) -> None:
    loops = {call.future.get_loop() for call in calls}  # one, except in programs that run several
    for loop in loops:
        there = [pair for pair in zip(calls, outcomes, strict=True) if pair[0].future.get_loop() is loop]
        with suppress(RuntimeError):  # the loop has ended, and its callers with it
            loop.call_soon_threadsafe(_settle, there)


def _settle(there: Iterable[tuple[_Call, Outcome]]) -> None:
    for (_, future), (value, fault) in there:
        if future.done():
            continue
        if fault is None:
            future.set_result(value)
        else:
            future.set_exception(fault)
            future.exception()  # marked as retrieved, so that asyncio does not log the failure of an abandoned call
