"""Answers the batches that the native front has taken in.

The codes of a batch stay in the front, in the bytes of its request, until its turn has come: so each waiting batch lies
in memory once. A batch whose caller has gone, or whose deadline has passed, is not checked, or no further.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, NamedTuple

from onecode_server.model.code import Scans
from onecode_server.rpc import convert
from onecode_server.rpc.failures import failure_of, log_unexpected
from onecode_server.verification.batcher import BULK_CODES, WAIT_MAX_S, Batcher

if TYPE_CHECKING:  # tests stand in for it where it was not built
    from onecode_server.rpc._front import Front

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
"""Starts a task, and ends the front where the task fails."""


class _Batch(NamedTuple):
    """A batch. ``taken_s`` is when it came and ``ends_s`` its deadline, if it has one, on the monotonic clock."""

    ticket: int
    host: str
    size: int
    taken_s: float
    ends_s: float | None


class NativeBatches:
    """The batches of a front: those that wait, and those that are being checked."""

    def __init__(
        self, front: "Front", batcher: Batcher, spawn: Spawn, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._front = front
        self._batcher = batcher
        self._spawn = spawn
        self._monotonic = monotonic
        self._waiting: OrderedDict[int, _Batch] = OrderedDict()  # bounded by the bytes that the front holds
        self._checking: dict[int, asyncio.Task[None]] = {}  # by ticket; bounded likewise

    def __bool__(self) -> bool:
        """Whether a batch waits."""
        return bool(self._waiting)

    def take(self) -> None:
        """Take what the front has."""
        while (taken := self._front.take_batch()) is not None:
            ticket, host, size, left_s = taken
            taken_s = self._monotonic()
            self._waiting[ticket] = _Batch(ticket, host, size, taken_s, None if left_s is None else taken_s + left_s)

    def turn(self) -> None:
        """End the checks for which nobody waits any more, and begin one of a large batch, or some of small ones: a
        slice takes milliseconds. Refuse batches that have waited too long."""
        for ticket in self._front.take_ended():
            self._end(ticket)
        begun = 0
        while self._waiting and begun < BULK_CODES:
            _, batch = self._waiting.popitem(last=False)
            if self._monotonic() - batch.taken_s > WAIT_MAX_S:
                self._front.fail(batch.ticket, failure_of(self._batcher.shed_late(batch.size)).status)
                continue
            begun += batch.size
            self._begin(batch)

    def _end(self, ticket: int) -> None:
        if task := self._checking.get(ticket):
            task.cancel()  # it ends between two slices
        elif self._waiting.pop(ticket, None):
            self._front.forget(ticket)

    def _begin(self, batch: _Batch) -> None:
        def forget(task: asyncio.Task[None]) -> None:
            if task.cancelled():  # it may have been so before it began, and has not given its ticket back
                self._checking.pop(batch.ticket, None)
                self._front.forget(batch.ticket)

        task = self._checking[batch.ticket] = self._spawn(self._answer(batch))
        task.add_done_callback(forget)

    async def _answer(self, batch: _Batch) -> None:
        def remaining() -> float | None:
            return None if batch.ends_s is None else batch.ends_s - self._monotonic()

        try:
            checked = await self._batcher.submit_unread_batch(batch.size, lambda: self._scans_of(batch), remaining)
            answer = convert.batch(checked)
        except Exception as fault:
            log_unexpected(fault, "BatchVerify")
            self._front.fail(batch.ticket, failure_of(fault).status)
        else:
            self._front.answer_whole(batch.ticket, answer)
        finally:
            self._checking.pop(batch.ticket, None)

    def _scans_of(self, batch: _Batch) -> Scans:
        codes = self._front.read_batch(batch.ticket)
        if codes is None:  # nobody waits any more, of which this task is about to be told
            raise asyncio.CancelledError
        return Scans.at(batch.host, codes)
