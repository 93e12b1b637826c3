"""Calls that wait for their request, and open streams: those that say nothing are ended in favour of others.

gRPC has one bound for all calls, and a silent call counts against it for as long as it stays open. Here each kind has
its own bound. The clock is read once a call; a periodic sweep ends the calls that waited too long, so that no call
needs a timer.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Self

from onecode_server.errors import Idle, OnecodeError, Overloaded, RequestOverdue

SWEEP_S: Final = 0.25
"""The period of the sweep. On loopback an attacker fills 250 MiB in that time."""
REQUEST_S: Final = 10.0
"""The time within which a call must send its request, equal to the handshake timeout of a new connection. It suffices
for 4 MiB at 4 Mbit/s."""
REQUESTS_MAX: Final = 64
"""The bound on calls that wait for their request longer than REQUEST_YIELDS_S. gRPC may hold all but the last byte of a
message of 4 MiB for each of them: the process has 256 MiB for them."""
REQUESTS_BURST: Final = 256
"""The bound on all calls that wait for their request: a busy caller begins a hundred at once and sends their requests
afterwards."""
REQUEST_YIELDS_S: Final = 1.0
STREAMS_MAX: Final = 512
"""The bound on open streams of scans and records: a gateway or a publisher has one or two. Each keeps three tasks and
the messages that it reads ahead."""
STREAM_IDLE_S: Final = 600.0
"""The time after which a silent stream is ended. A gate without a scan for ten minutes can afford one round trip more
for the next scan, to open another stream."""
STREAM_YIELDS_S: Final = 5.0
"""A stream that was silent for this long may be ended where the bound on streams is reached. A stream in use is not
interrupted."""
SILENT_MAX: Final = 32
"""The number of calls without a request, and of silent streams, that may stay even then: 256 MiB at the most."""
RETRY_AFTER_S: Final = 1.0

_MEMORY: Final = "the server is short of memory, and this call was silent"


class Waiting:
    """A call that waits for its request. While its task is in the ``with`` statement, other tasks may end it.

    The call is ended in its own task: gRPC's ``abort`` from another task would cost one task more, which is the largest
    cost of a flood of such calls.
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
            del why  # breaks a reference cycle with this frame, which would last until garbage is collected

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
        """Let a call wait. Where the bound is reached, end the call that has waited longest."""
        call = Waiting(self._monotonic())
        if len(self._waiting) >= REQUESTS_MAX:
            self._displace(call.since_s, 1)
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
            self._end_first("request_overdue", overdue())
        self._displace(now_s, 0)

    def _displace(self, now_s: float, places: int) -> None:
        while (waiting := len(self._waiting) + places) > REQUESTS_MAX:
            if waiting <= REQUESTS_BURST and self._first.since_s > now_s - REQUEST_YIELDS_S:
                return
            fault = Overloaded("too many calls wait for their request, and this one waited longest", RETRY_AFTER_S)
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
    """An open stream. ``used_s`` is the time of its last message in either direction, on the monotonic clock."""

    __slots__ = ("peer", "used_s")

    def __init__(self, peer: str, now_s: float) -> None:
        super().__init__(now_s)
        self.peer = peer
        self.used_s = now_s


class Streams:
    """The open streams. Where the bound is reached, an idle stream of the connection that has most of them is ended."""

    def __init__(self, monotonic: Callable[[], float], count: Callable[[str], None]) -> None:
        self._open: set[Stream] = set()
        self._by_peer: Counter[str] = Counter()
        self.monotonic = monotonic
        self._count = count

    def open(self, peer: str) -> Stream:
        """Admit a stream. Raises Overloaded where the bound is reached and no stream is idle."""
        stream = Stream(peer, self.monotonic())
        if len(self._open) >= STREAMS_MAX:
            self._displace(stream.used_s)
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
        """End the streams that were idle too long; where memory is short, also the silent ones, the longest silent
        first."""
        now_s = self.monotonic()
        for stream in [stream for stream in self._open if stream.used_s <= now_s - STREAM_IDLE_S]:
            self._count("stream_idle")
            self._dismiss(stream, idle())
        if memory_is_short:
            silent = [stream for stream in self._open if stream.used_s <= now_s - SWEEP_S]
            for stream in sorted(silent, key=lambda stream: stream.used_s)[:-SILENT_MAX]:
                self._count("stream_memory")
                self._dismiss(stream, Overloaded(_MEMORY, RETRY_AFTER_S))

    def _displace(self, now_s: float) -> None:
        idle = [stream for stream in self._open if stream.used_s <= now_s - STREAM_YIELDS_S]
        if not idle:
            self._count("stream_refused")
            raise Overloaded(f"{len(self._open)} streams are open and in use", RETRY_AFTER_S)
        self._count("stream_displaced")
        longest = min(idle, key=lambda stream: (-self._by_peer[stream.peer], stream.used_s))
        self._dismiss(longest, Overloaded("too many streams are open, and this one was idle", RETRY_AFTER_S))

    def _dismiss(self, stream: Stream, fault: OnecodeError) -> None:
        self.close(stream)
        stream.end(fault)


def overdue() -> RequestOverdue:
    """Return the failure of a call whose request did not arrive in time."""
    return RequestOverdue(f"the request did not arrive within {REQUEST_S:g} s")


def idle() -> Idle:
    """Return the failure of a stream that was silent for too long."""
    return Idle(f"no message for {STREAM_IDLE_S:g} s; open another stream")
