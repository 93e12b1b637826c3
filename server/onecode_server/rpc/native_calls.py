"""Answers the calls that the native front has gathered: lists of codes in, prepared bytes out.

The event loop turns the front whenever one of its sockets is ready. The codes that have arrived by then are checked
together, and those that arrive meanwhile are the next list, so that no call waits for a timer. A list is checked
without a task, unless it has to wait for the store; then the next list begins beside it.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from onecode_server.model.code import Scans
from onecode_server.model.identity import LOCAL
from onecode_server.model.verdict import Verdict
from onecode_server.rpc import convert, scan_stream
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.callers import Caller
from onecode_server.rpc.failures import failure_of, log_unexpected
from onecode_server.rpc.native_batches import NativeBatches
from onecode_server.rpc.native_callers import NativeCallers
from onecode_server.system import immediate
from onecode_server.verification.batcher import BATCH_MAX, Batcher

if TYPE_CHECKING:  # tests stand in for it where it was not built
    from onecode_server.rpc._front import Front

LISTS_MAX: Final = 4
"""Lists that are checked at once. One is checked at a time, and the others wait for the store: a look-up takes a
millisecond where it answers, and all calls would wait for it. Where it does not answer, further lists wait in the
front's queue, which has its own bounds."""
READING_SHARE: Final = 0.2
"""The share of the time that reading has while codes wait. Unread calls stay in the sockets, where flow control holds
their callers back; refusing one costs nearly as much as answering it."""

PAUSE_MIN_S: Final = 0.001
"""The least time for which the sockets are ignored: the pause is a multiple of the time of reading, and a turn that had
nothing to read took none."""


class _Encoder(NamedTuple):
    """How answers to scans of a kind are written: the part that a verdict determines, and the part that all share."""

    method: str
    head: Callable[[Verdict], bytes]
    tail: Callable[[int, int], bytes]


_ENCODERS: Final = {
    "single": _Encoder("Verify", convert.single_head, convert.single_tail),
    "stream": _Encoder("StreamVerify", convert.streamed_head, convert.streamed_tail),
}


class _Taken(NamedTuple):
    """Codes that were taken from the front together."""

    ticket: int
    encoder: _Encoder
    hosts: Sequence[str]
    codes: Sequence[bytes]


class NativeCalls:
    """Turns a front on the running event loop, and answers its calls by a batcher."""

    def __init__(
        self,
        front: "Front",
        batcher: Batcher,
        callers: NativeCallers | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to turn it. Without ``callers`` everybody may check."""
        self._front = front
        self._callers = callers
        self._batcher = batcher
        self._monotonic = monotonic
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._batches = NativeBatches(front, batcher, self._spawn, monotonic)
        self._lists = 0
        self._is_behind = self._is_scheduled = self._is_paused = self._is_stopped = False
        self._read_again_s = float("-inf")
        self._fault: BaseException | None = None
        self._loop.add_reader(front.fileno(), self._turn)

    def raise_fault(self) -> None:
        """Raise the exception that has ended the turns, if there is one: it is a bug, and the server must end."""
        if self._fault is not None:
            raise self._fault

    def turn_soon(self) -> None:
        """Turn the front once more: it has something to do that its descriptor does not show."""
        self._schedule()

    def stop(self) -> None:
        """Turn the front no more. Calls that are being checked are not answered."""
        if not self._is_stopped:
            # They refer to this object. In a cycle, the front would be freed by the garbage collector, on whichever
            # thread that runs, and only the thread that made the front may free it.
            del self._batches
        self._is_stopped = True
        self._loop.remove_reader(self._front.fileno())
        for task in self._tasks:
            task.cancel()

    def _turn(self) -> None:
        self._is_scheduled = False
        if self._is_stopped or self._fault is not None:
            return
        try:
            self._read_and_check()
        except BaseException as fault:
            self._end_with(fault)
            raise

    def _read_and_check(self) -> None:
        waiting = self._read()
        if waiting and self._lists < LISTS_MAX:
            self._check_waiting()
            waiting = self._front.turn(False)  # sends the answers now, not after everybody else's turn
        if self._callers is not None:
            self._callers.turn()
        self._batches.turn()
        self._is_behind = waiting > 0
        if self._is_behind and self._lists >= LISTS_MAX:
            self._pause()  # the end of a list continues; until then only reading is left to do, in its share
        elif waiting or self._batches or self._front.has_work:
            self._schedule()

    def _read(self) -> int:
        """Turn the front, and let it read unless reading has had its share. Return the number of waiting codes."""
        begun_s = self._monotonic()
        if self._is_behind and begun_s < self._read_again_s:
            return self._front.turn(False)
        waiting = self._front.turn(True)
        now_s = self._monotonic()
        self._read_again_s = now_s + (now_s - begun_s) * (1 / READING_SHARE - 1)
        return waiting

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._turn)

    def _pause(self) -> None:
        """Ignore the sockets until reading has its share again: a ready one would wake the loop without end."""
        if not self._is_paused:
            self._is_paused = True
            self._loop.remove_reader(self._front.fileno())
            self._loop.call_later(max(PAUSE_MIN_S, self._read_again_s - self._monotonic()), self._resume)

    def _resume(self) -> None:
        self._is_paused = False
        if not self._is_stopped and self._fault is None:
            self._loop.add_reader(self._front.fileno(), self._turn)
            self._schedule()

    def _check_waiting(self) -> None:
        scans: list[_Taken] = []
        for ticket, kind, hosts, codes in self._front.take(BATCH_MAX):
            if kind == "message":
                self._spawn(self._answer_message(ticket, int(hosts[0]), codes[0]))
            else:
                scans.append(_Taken(ticket, _ENCODERS[kind], hosts, codes))
        self._batches.take()
        if scans:
            self._keep(immediate.start(self._answer_scans(scans)))

    def _spawn(self, answering: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(answering)
        self._keep(task)
        return task

    def _keep(self, task: asyncio.Task[None] | None) -> None:
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._is_stopped:
            return
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._end_with(fault)
        self._schedule()

    def _end_with(self, fault: BaseException) -> None:
        """Stop at a bug in this module or in the front: answers may be lost, and callers must go elsewhere."""
        self._fault = self._fault or fault
        self._loop.remove_reader(self._front.fileno())

    async def _answer_scans(self, taken: Sequence[_Taken]) -> None:
        """Check scans of all calls and streams as one list, and answer each."""
        codes = [code for one in taken for code in one.codes]
        hosts = [host for one in taken for host in one.hosts]
        self._lists += 1
        try:
            results = await self._batcher.check_gathered(Scans(codes, hosts))
        except Exception as fault:
            for one in taken:
                self._fail(one.ticket, fault, one.encoder.method)
            return
        finally:
            self._lists -= 1
        start = 0
        for ticket, encoder, _, its_codes in taken:
            end = start + len(its_codes)
            heads = [encoder.head(verdict) for verdict in results.distinct]
            tail = encoder.tail(results.trust.version, results.checked_at)
            self._front.answer(ticket, heads, results.which[start:end], tail)
            start = end

    async def _answer_message(self, ticket: int, number: int, message: bytes) -> None:
        try:
            caller = Caller(LOCAL, OnlyLocal()) if self._callers is None else self._callers.caller(number)
            try:
                answer = await scan_stream.answer(message, caller, self._batcher)
            finally:
                caller.leave()
        except Exception as fault:
            self._fail(ticket, fault, "StreamVerify")
        else:
            self._front.answer_whole(ticket, answer)

    def _fail(self, ticket: int, fault: Exception, method: str) -> None:
        log_unexpected(fault, method)
        self._front.fail(ticket, failure_of(fault).status)
