"""Connections to a server: their common gRPC options, and a pool of several to one server."""

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from onecode_client.batches import BATCH_BYTES_MAX
from onecode_client.errors import closed
from onecode_client.loopback import UNPROXIED, is_local

TRANSIENT: Final = ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "CANCELLED")
"""The statuses of a server that was killed, drains, is not there yet or has as many calls as it accepts. gRPC uses
CANCELLED for a call that came as the server began to drain and that it did not start; a call that its own caller
cancels is not repeated."""

CONNECTIONS: Final = 4
"""A connection stays with one random worker of a server: with four connections, both of two workers have some in seven
cases of eight."""
CONNECTIONS_MAX: Final = 64
"""Enough to reach all of some twenty workers. Each costs both sides a socket and some tens of KiB."""

_REPEATABLE: Final = {
    "onecode.v1.RecognitionService": ("Verify", "BatchVerify", "Translate", "BatchTranslate"),
    "onecode.v1.StatusService": ("GetStatus",),
    "onecode.v1.ExceptionService": (
        *("ReportException", "AcknowledgeException", "WithdrawException"),
        "ListExceptions",
    ),
    "onecode.v1.TrustListService": ("GetTrustList",),
}
"""Calls that change nothing, or that carry a request id, under which they are done once: repeating them is safe. A
stream keeps the records that it must send again itself."""
_SERVICE_CONFIG: Final = json.dumps(
    {
        # Calls go to all addresses of a name in turn. By default all go to the first one that answers.
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [
                    {"service": service, "method": method}
                    for service, methods in _REPEATABLE.items()
                    for method in methods
                ],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": list(TRANSIENT),
                },
            }
        ],
        # After fifty failures more than a tenth of the successes, no call is retried: else every client would send a
        # server that is down or overloaded four times the calls (gRFC A6).
        "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
    }
)
KEEPALIVE_S: Final = 20
KEEPALIVE_TIMEOUT_S: Final = 5
"""A vanished peer is noticed within a call's 30 s, also on an idle connection. A server allows a ping every 10 s."""

OPTIONS: Final[Sequence[tuple[str, Any]]] = (
    ("grpc.service_config", _SERVICE_CONFIG),
    # A call that is larger than this is never retried: by default 256 KiB, which is a batch of a thousand codes.
    ("grpc.per_rpc_retry_buffer_size", BATCH_BYTES_MAX + 64 * 1024),
    ("grpc.keepalive_time_ms", KEEPALIVE_S * 1000),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_S * 1000),
    ("grpc.keepalive_permit_without_calls", 1),
    # By default pings end after two without data of a call between them, as while a call waits for its answer.
    ("grpc.http2.max_pings_without_data", 0),
    # By default, reconnecting to a server that was away for a minute is tried every two: these settings find it within
    # seconds.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    # By default all channels of a process to one address share one connection, and so one of the server's workers.
    ("grpc.use_local_subchannel_pool", 1),
)


def options_for(server: str) -> Sequence[tuple[str, Any]]:
    """Return the options of a connection to a server; a server on this machine is reached without a proxy."""
    return (*OPTIONS, *UNPROXIED) if is_local(server) else OPTIONS


_Channel = TypeVar("_Channel")
_Stub = TypeVar("_Stub")


@dataclass(eq=False, slots=True)
class Line(Generic[_Channel, _Stub]):
    """One connection, and the number of its calls in flight. A retired one gets no further call."""

    channel: _Channel
    stub: _Stub
    calls: int = 0
    is_retired: bool = False


def _never_changes() -> int:
    return 0


class ChannelPool(Generic[_Channel, _Stub]):
    """At most ``connections`` connections to one server. Safe for threads.

    The first idle one carries the next call; another is opened only where all are busy, so that a caller that makes one
    call after the other has one connection. Where ``generation`` rises, new connections are opened, and the others are
    retired: each is closed by ``discard`` when its last call has ended.
    """

    def __init__(
        self,
        connect: Callable[[], tuple[_Channel, _Stub]],
        connections: int,
        discard: Callable[[_Channel], None],
        generation: Callable[[], int] = _never_changes,
    ) -> None:
        """Connect later, at the first call. Raises ValueError where ``connections`` is not 1 to 64."""
        if not 1 <= connections <= CONNECTIONS_MAX:
            raise ValueError(f"a client has 1 to {CONNECTIONS_MAX} connections, not {connections}")
        self._connect = connect
        self._connections = connections
        self._discard = discard
        self._current = generation
        self._generation = generation()
        self._lines: list[Line[_Channel, _Stub]] = []
        # Those with calls only: there are no more than calls, which end.
        self._retired: list[Line[_Channel, _Stub]] = []
        self._lock = threading.Lock()
        self._is_closed = False
        self._pid = os.getpid()

    def expect_own_process(self) -> None:
        """Raise RuntimeError in a forked process, which has neither gRPC's threads nor the owners of its locks."""
        if os.getpid() != self._pid:
            raise RuntimeError("the client was made before this process was forked: make one after the fork")

    def take(self) -> Line[_Channel, _Stub]:
        """Return the connection for the next call, which ends with ``give_back``. Raises ServerError once closed."""
        generation = self._current()
        with self._lock:
            if self._is_closed:
                raise closed()
            idle = self._retire() if generation > self._generation else []
            self._generation = max(generation, self._generation)
            line = min(self._lines, key=lambda one: one.calls, default=None)
            if line is None or (line.calls and len(self._lines) < self._connections):
                line = Line(*self._connect())
                self._lines.append(line)
            line.calls += 1
        for one in idle:
            self._discard(one.channel)
        return line

    def give_back(self, line: Line[_Channel, _Stub]) -> None:
        """Note that a call has ended."""
        with self._lock:
            line.calls -= 1
            is_done_with = line.is_retired and not line.calls and line in self._retired
            if is_done_with:
                self._retired.remove(line)
        if is_done_with:
            self._discard(line.channel)

    @contextmanager
    def lease(self) -> Iterator[_Stub]:
        """Lend the stub of a connection for one call. Raises ServerError once closed, RuntimeError after a fork."""
        self.expect_own_process()
        line = self.take()
        try:
            yield line.stub
        finally:
            self.give_back(line)

    def close(self) -> list[_Channel]:
        """Open no more connections, and return those that are to be closed."""
        with self._lock:
            self._is_closed = True
            lines = [*self._retired, *self._lines]
            self._lines, self._retired = [], []
        return [line.channel for line in lines]

    def _retire(self) -> list[Line[_Channel, _Stub]]:
        """Retire all connections, and return those without calls."""
        lines, self._lines = self._lines, []
        for line in lines:
            line.is_retired = True
        self._retired += [line for line in lines if line.calls]
        return [line for line in lines if not line.calls]
