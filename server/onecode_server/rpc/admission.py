"""Whom the server has room for: calls that have not said yet what they want, streams, and calls that are worked on.

gRPC has one bound for all calls, which whoever says nothing fills as well as anybody, and holds for ever. Here each
kind has a bound of its own, and where it is full those that do nothing give way to those that come. Time is asked of
the clock once a call; whoever was there too long is found by a sweep, not by a timer of each call.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Self

import grpc.aio

from onecode_server.errors import Idle, OnecodeError, Overloaded, RequestOverdue
from onecode_server.metrics import Metrics
from onecode_server.rpc.answers import AnswerBudget
from onecode_server.rpc.growth import Growth

SWEEP_S: Final = 0.25
"""How often what waits is looked at. On loopback a stranger fills 250 MiB in that time."""
REQUEST_S: Final = 10.0
"""How long a call may take to say what it wants: what a new connection is given to shake hands. 4 MiB at 4 Mbit/s."""
REQUESTS_MAX: Final = 64
"""Calls that wait for their request longer than REQUEST_YIELDS_S. Of each gRPC may hold all but the last byte of 4 MiB:
256 MiB is what the process has for them."""
REQUESTS_BURST: Final = 256
"""Calls that wait for their request at all: a busy caller begins a hundred at once and sends their requests after."""
REQUEST_YIELDS_S: Final = 1.0
STREAMS_MAX: Final = 512
"""Streams of scans and records: a gateway or a publisher has one or two. Each keeps three tasks and what it reads
ahead."""
STREAM_IDLE_S: Final = 600.0
"""How long a stream may say nothing: at a gate where nobody came for ten minutes, the next scan bears a round trip more
for another stream."""
STREAM_YIELDS_S: Final = 5.0
"""A stream that has said nothing for so long gives way where all are taken. Who is at work is not interrupted."""
GROWTH_BYTES_MAX: Final = 512 * 1024 * 1024
"""By how much the process may have grown before whoever says nothing gives way at once. gRPC holds what has come of a
message, up to 4 MiB of each call and stream, and tells nobody: to Python, who sends all but the last byte is silent."""
SILENT_MAX: Final = 32
"""Calls without a request, and silent streams, that may stay all the same: 256 MiB at the most."""
RUNNING_MAX: Final = 1024
"""Calls of a kind that are worked on at once: ten connections full of scanners, and with PyNaCl some 60 ms of work."""
RETRY_AFTER_S: Final = 1.0

_MEMORY: Final = "the server is short of memory, and nothing came on this call"
_Context = grpc.aio.ServicerContext[Any, Any]


class Waiting:
    """A call that waits for its request. Within its ``with`` statement, which is its task's, it may be ended by others.

    It is ended by its own task: gRPC's ``abort`` from another one would cost a task more, and is what a flood of such
    calls makes us pay most for.
    """

    __slots__ = ("_fault", "_task", "since_s")

    def __init__(self, since_s: float) -> None:
        self.since_s = since_s
        self._fault: OnecodeError | None = None
        self._task: asyncio.Task[Any] | None = None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: object) -> None:
        task, self._task = self._task, None
        why, self._fault = self._fault, None
        try:
            if why is not None and kind is asyncio.CancelledError and task is not None:
                task.uncancel()
                raise why from None
        finally:
            del why  # else it would keep this frame, which would keep it, until garbage is collected

    def end(self, fault: OnecodeError) -> None:
        """Have the ``with`` statement raise ``fault``."""
        if self._task is not None and self._fault is None:
            self._fault = fault
            self._task.cancel()


class Requests:
    """Calls that wait for their request, the one that waits longest first."""

    def __init__(self, monotonic: Callable[[], float], count: Callable[[str], None]) -> None:
        self._waiting: dict[Waiting, None] = {}
        self._monotonic = monotonic
        self._count = count

    def begin(self) -> Waiting:
        """Let a call wait. Where as many wait as may, the one that has waited longest is ended."""
        call = Waiting(self._monotonic())
        if len(self._waiting) >= REQUESTS_MAX:
            self._make_room(call.since_s, 1)
        self._waiting[call] = None
        return call

    def done(self, call: Waiting) -> None:
        """Note that a call's request has come, or that the call is over."""
        self._waiting.pop(call, None)

    def sweep(self, *, memory_is_short: bool) -> None:
        """End the calls that have waited too long, or longest where too many wait."""
        now_s = self._monotonic()
        while memory_is_short and len(self._waiting) > SILENT_MAX and self._first.since_s <= now_s - SWEEP_S:
            self._end_first("request_memory", Overloaded(_MEMORY, RETRY_AFTER_S))
        while self._waiting and self._first.since_s <= now_s - REQUEST_S:
            self._end_first("request_overdue", RequestOverdue(f"the request did not come within {REQUEST_S:g} s"))
        self._make_room(now_s, 0)

    def _make_room(self, now_s: float, places: int) -> None:
        while (waiting := len(self._waiting) + places) > REQUESTS_MAX:
            if waiting <= REQUESTS_BURST and self._first.since_s > now_s - REQUEST_YIELDS_S:
                return
            fault = Overloaded("all places to wait are taken, by later calls", RETRY_AFTER_S)
            self._end_first("request_displaced", fault)

    @property
    def _first(self) -> Waiting:
        return next(iter(self._waiting))

    def _end_first(self, reason: str, fault: OnecodeError) -> None:
        self._count(reason)
        call = self._first
        del self._waiting[call]
        call.end(fault)


class Stream(Waiting):
    """A stream that is open. ``used_s`` is when it last had a message, to or fro, on the monotonic clock."""

    __slots__ = ("peer", "used_s")

    def __init__(self, peer: str, now_s: float) -> None:
        super().__init__(now_s)
        self.peer = peer
        self.used_s = now_s


class Streams:
    """Streams that are open. Where all are taken, one of the connection that has most of them gives way."""

    def __init__(self, monotonic: Callable[[], float], count: Callable[[str], None]) -> None:
        self._open: set[Stream] = set()
        self._by_peer: Counter[str] = Counter()
        self.monotonic = monotonic
        self._count = count

    def open(self, peer: str) -> Stream:
        """Take a stream in. Raises Overloaded where all are taken and none is idle."""
        stream = Stream(peer, self.monotonic())
        if len(self._open) >= STREAMS_MAX:
            self._make_room(stream.used_s)
        self._open.add(stream)
        self._by_peer[peer] += 1
        return stream

    def close(self, stream: Stream) -> None:
        """Note that a stream is over."""
        if stream in self._open:
            self._open.remove(stream)
            self._by_peer[stream.peer] -= 1
            if not self._by_peer[stream.peer]:
                del self._by_peer[stream.peer]

    def sweep(self, *, memory_is_short: bool) -> None:
        """End the streams that have been idle too long, or longest where they may hold what others need."""
        now_s = self.monotonic()
        for stream in [stream for stream in self._open if stream.used_s <= now_s - STREAM_IDLE_S]:
            self._count("stream_idle")
            self._dismiss(stream, Idle(f"nothing came for {STREAM_IDLE_S:g} s; open another stream"))
        if memory_is_short:
            silent = [stream for stream in self._open if stream.used_s <= now_s - SWEEP_S]
            for stream in sorted(silent, key=lambda stream: stream.used_s)[:-SILENT_MAX]:
                self._count("stream_memory")
                self._dismiss(stream, Overloaded(_MEMORY, RETRY_AFTER_S))

    def _make_room(self, now_s: float) -> None:
        idle = [stream for stream in self._open if stream.used_s <= now_s - STREAM_YIELDS_S]
        if not idle:
            self._count("stream_refused")
            raise Overloaded(f"{len(self._open)} streams are open and at work", RETRY_AFTER_S)
        self._count("stream_displaced")
        longest = min(idle, key=lambda stream: (-self._by_peer[stream.peer], stream.used_s))
        self._dismiss(longest, Overloaded("all streams are taken, and this one was idle", RETRY_AFTER_S))

    def _dismiss(self, stream: Stream, fault: OnecodeError) -> None:
        self.close(stream)
        stream.end(fault)


class Running:
    """Calls of one kind that are worked on."""

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self._running = 0

    def begin(self) -> None:
        """Take a call in. Raises Overloaded."""
        if self._running >= RUNNING_MAX:
            self._count("calls_full")
            raise Overloaded(f"{self._running} calls of this kind are worked on", RETRY_AFTER_S)
        self._running += 1

    def done(self) -> None:
        """Note that a call is over."""
        self._running -= 1


class Admission:
    """All of them. Single scans and health have room that no other kind of call can take."""

    def __init__(self, metrics: Metrics, growth: Growth, monotonic: Callable[[], float] = time.monotonic) -> None:
        def count(reason: str) -> None:
            metrics.refused_calls.labels(reason).inc()

        self._growth = growth
        self.requests = Requests(monotonic, count)
        self.answers = AnswerBudget(count)
        self.streams = Streams(monotonic, count)
        self._kinds = {"Verify": Running(count), "Health": Running(count)}
        self._others = Running(count)
        metrics.answer_bytes.set_function(lambda: self.answers.held_bytes)

    def running(self, service: str, method: str) -> Running:
        """Return where calls of a method count."""
        return self._kinds.get("Health" if service.endswith(".Health") else method, self._others)

    async def sweep(self) -> None:
        """End what was there too long, or takes memory from others; to be called each SWEEP_S."""
        if is_short := self._growth() > GROWTH_BYTES_MAX:
            with suppress(RuntimeError):  # no thread is left, for want of memory as well
                await asyncio.to_thread(self._growth.trim)
            is_short = self._growth() > GROWTH_BYTES_MAX
        self.requests.sweep(memory_is_short=is_short)
        self.streams.sweep(memory_is_short=is_short)
