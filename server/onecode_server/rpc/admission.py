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
from typing import Any, Final

import grpc.aio

from onecode_server.errors import Idle, OnecodeError, Overloaded, RequestOverdue
from onecode_server.metrics import Metrics
from onecode_server.rpc.answers import AnswerBudget
from onecode_server.rpc.failures import failure_of
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
_End = Callable[[_Context, OnecodeError], None]


class Requests:
    """Calls that wait for their request, the one that waits longest first."""

    def __init__(self, end: _End, monotonic: Callable[[], float], count: Callable[[str], None]) -> None:
        self._since_s: dict[_Context, float] = {}
        self._end = end
        self._monotonic = monotonic
        self._count = count

    def begin(self, context: _Context) -> None:
        """Let a call wait. Where as many wait as may, the one that has waited longest is ended."""
        now_s = self._monotonic()
        if len(self._since_s) >= REQUESTS_MAX:
            self._make_room(now_s, 1)
        self._since_s[context] = now_s

    def done(self, context: _Context) -> None:
        """Note that a call's request has come, or that the call is over."""
        self._since_s.pop(context, None)

    def sweep(self, *, memory_is_short: bool) -> None:
        """End the calls that have waited too long, or longest where too many wait."""
        now_s = self._monotonic()
        while memory_is_short and len(self._since_s) > SILENT_MAX and self._first_s() <= now_s - SWEEP_S:
            self._count("request_memory")
            self._end(self._pop(), Overloaded(_MEMORY, RETRY_AFTER_S))
        while self._since_s and self._first_s() <= now_s - REQUEST_S:
            self._count("request_overdue")
            self._end(self._pop(), RequestOverdue(f"the request did not come within {REQUEST_S:g} s"))
        self._make_room(now_s, 0)

    def _make_room(self, now_s: float, places: int) -> None:
        while (waiting := len(self._since_s) + places) > REQUESTS_MAX:
            if waiting <= REQUESTS_BURST and self._first_s() > now_s - REQUEST_YIELDS_S:
                return
            self._count("request_displaced")
            self._end(self._pop(), Overloaded("all places to wait are taken, by later calls", RETRY_AFTER_S))

    def _first_s(self) -> float:
        return next(iter(self._since_s.values()))

    def _pop(self) -> _Context:
        context = next(iter(self._since_s))
        del self._since_s[context]
        return context


class Stream:
    """A stream that is open. ``used_s`` is when it last had a message, to or fro, on the monotonic clock."""

    __slots__ = ("context", "peer", "task", "used_s")

    def __init__(self, context: _Context, task: "asyncio.Task[Any] | None", now_s: float) -> None:
        self.context = context
        self.task = task
        self.peer = context.peer()
        self.used_s = now_s


class Streams:
    """Streams that are open. Where all are taken, one of the connection that has most of them gives way."""

    def __init__(self, end: _End, monotonic: Callable[[], float], count: Callable[[str], None]) -> None:
        self._open: set[Stream] = set()
        self._by_peer: Counter[str] = Counter()
        self._end = end
        self.monotonic = monotonic
        self._count = count

    def open(self, context: _Context) -> Stream:
        """Take a stream in, from its own task. Raises Overloaded where all are taken and none is idle."""
        stream = Stream(context, asyncio.current_task(), self.monotonic())
        if len(self._open) >= STREAMS_MAX:
            self._make_room(stream.used_s)
        self._open.add(stream)
        self._by_peer[stream.peer] += 1
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
        self._end(stream.context, fault)
        # It may wait for its caller to take an answer, behind which its status waits too.
        if stream.task is not None:
            stream.task.cancel()


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
        self.requests = Requests(self._end, monotonic, count)
        self.answers = AnswerBudget(count)
        self.streams = Streams(self._end, monotonic, count)
        self._kinds = {"Verify": Running(count), "Health": Running(count)}
        self._others = Running(count)
        metrics.answer_bytes.set_function(lambda: self.answers.held_bytes)
        self._endings: set[asyncio.Task[None]] = set()

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

    def _end(self, context: _Context, fault: OnecodeError) -> None:
        task = asyncio.get_running_loop().create_task(_abort(context, fault))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)


async def _abort(context: _Context, fault: OnecodeError) -> None:
    failure = failure_of(fault)
    with suppress(grpc.aio.BaseError):  # as abort always ends, or the call has ended meanwhile
        await context.abort(failure.code, failure.message, failure.trailing_metadata)
