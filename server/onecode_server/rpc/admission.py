"""Bounds on the calls of a process: silent calls, calls that are worked on, and answers that are held.

Where memory is short, silent calls are ended before others.
"""

import time
from collections.abc import Callable
from typing import Final

from onecode_server.errors import Overloaded
from onecode_server.rpc.answers import AnswerBudget
from onecode_server.rpc.growth import Growth
from onecode_server.rpc.lasting_calls import LastingCalls
from onecode_server.rpc.reserved_metadata import PeerOf, peer_of_connection
from onecode_server.rpc.silent_calls import RETRY_AFTER_S, Requests, Streams
from onecode_server.rpc.strangers import Strangers
from onecode_server.telemetry.counting import begin
from onecode_server.telemetry.metrics import Metrics

GROWTH_BYTES_MAX: Final = 512 * 1024 * 1024
"""The growth of the process at which silent calls are ended at once. gRPC holds the received part of a message, up to 4
MiB for each call and stream, and does not report it: in Python, a caller that sent all but the last byte seems
silent."""
RUNNING_MAX: Final = 1024
"""The bound on calls of a kind that are worked on at once: ten connections full of scanners, and with PyNaCl some 60 ms
of work."""
REASONS: Final = (
    "answers_full",
    "caller_crowded",
    "caller_denied",
    "caller_unknown",
    "callers_unknown",
    "calls_full",
    "certificate_refused",
    "connection_hostile",
    "connections_full",
    "credentials_full",
    "deadline",
    "deadline_short",
    "handshake_failed",
    "handshake_overdue",
    "queue_full",
    "queue_late",
    "request_displaced",
    "request_memory",
    "request_overdue",
    "stranger",
    "stream_displaced",
    "stream_idle",
    "stream_memory",
    "stream_refused",
)
"""Why calls and connections are refused or ended, on either front: the labels of ``onecode_refused_calls_total``."""


def _always_room() -> None:
    """Refuse nothing."""


class Running:
    """Calls of one kind that are worked on.

    ``expect_room`` is asked before a call's request is read. It raises Overloaded where the call would be refused
    afterwards whatever the request says: reading and parsing a full batch takes milliseconds.
    """

    def __init__(self, count: Callable[[str], None], expect_room: Callable[[], None] = _always_room) -> None:
        self._count = count
        self.expect_room = expect_room
        self._running = 0

    def begin(self) -> None:
        """Admit a call. Raises Overloaded where the bound is reached."""
        if self._running >= RUNNING_MAX:
            self._count("calls_full")
            raise Overloaded(f"{self._running} calls of this kind are in progress", RETRY_AFTER_S)
        self._running += 1

    def done(self) -> None:
        """Note that a call is over."""
        self._running -= 1


class Admission:
    """All bounds of a process. Single scans and health checks have bounds of their own that other calls cannot use
    up. ``expect_room`` raises Overloaded where no batch can be taken. ``peer_of`` returns the connection that a call
    came by: bounds are shared by connections."""

    def __init__(
        self,
        metrics: Metrics,
        growth: Growth,
        monotonic: Callable[[], float] = time.monotonic,
        expect_room: Callable[[], None] = _always_room,
        peer_of: PeerOf = peer_of_connection,
    ) -> None:
        def count(reason: str) -> None:
            metrics.refused_calls.labels(reason).inc()

        begin(metrics.refused_calls, *REASONS)
        self._growth = growth
        self.peer_of = peer_of
        self.requests = Requests(monotonic, count)
        self.answers = AnswerBudget(count, peer_of)
        self.streams = Streams(monotonic, count)
        self.strangers = Strangers(count, peer_of)
        self.lasting = LastingCalls(monotonic)
        batches = Running(count, expect_room)
        self._kinds = {
            "Verify": Running(count),
            "Health": Running(count),
            "BatchVerify": batches,
            "BatchTranslate": batches,
        }
        self._others = Running(count)
        metrics.answer_bytes.set_function(lambda: self.answers.held_bytes)

    def running(self, service: str, method: str) -> Running:
        """Return the counter to which calls of a method belong."""
        return self._kinds.get("Health" if service.endswith(".Health") else method, self._others)

    async def sweep(self) -> None:
        """End the calls that waited too long, and silent ones where memory is short; to be called each
        ``silent_calls.SWEEP_S``."""
        if is_short := self._growth() > GROWTH_BYTES_MAX:
            await self._growth.trim()
            is_short = self._growth() > GROWTH_BYTES_MAX
        self.requests.sweep(memory_is_short=is_short)
        self.streams.sweep(memory_is_short=is_short)
        self.lasting.sweep()
