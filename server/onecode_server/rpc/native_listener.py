"""Serves the API by the native front, with the server of grpc.aio behind it.

The front is an extension in Rust (``front/``), which is turned by this process's event loop. It answers plain calls of
Verify, BatchVerify and StreamVerify (``native_calls``). It passes all other calls, and requests of these that are not
plain, to the listener of grpc.aio, so that no rule and no error text exists twice.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import grpc

from onecode_server.errors import Misconfigured, Overloaded
from onecode_server.rpc import answers, listener, silent_calls
from onecode_server.rpc._front import Front
from onecode_server.rpc.authenticator import CachedAuthenticator
from onecode_server.rpc.caller_limits import CALLS_RETRY_S, CallerLimits
from onecode_server.rpc.callers import NO_LIMITS, Callers
from onecode_server.rpc.failures import failure_of
from onecode_server.rpc.listener import GrpcListener, Services, cannot_listen
from onecode_server.rpc.native_callers import NativeCallers
from onecode_server.rpc.native_calls import NativeCalls
from onecode_server.rpc.native_counts import NativeCounts
from onecode_server.rpc.native_tls import NativeTls
from onecode_server.rpc.reserved_metadata import Gate
from onecode_server.rpc.tls_files import FilesOf
from onecode_server.rpc.unnamed_socket import UnnamedSocket, private_path
from onecode_server.system.clock import Clock, wall_clock
from onecode_server.telemetry.metrics import RPC_BUCKETS_S, Metrics
from onecode_server.verification.batcher import CODES_MAX, RETRY_AFTER_S, WAIT_MAX_S, Batcher

DESCRIPTORS_EACH: Final = 3
"""The descriptors of a caller's connection: its socket, and where it makes calls that are passed on, both ends of the
connection to the listener behind."""
QUEUE_CODES_MAX: Final = CODES_MAX
"""The bound on codes that wait in the front, until the loop's next turn takes them. It equals the batcher's, so that
four of the largest batches that arrive at once are taken, as they are by grpc.aio."""
CREDENTIALS_MAX: Final = 16_384
"""The bound on certificates and tokens that the front knows: twice as many as it has connections. Those that were used
least recently are asked about again when they come back."""
DRAIN_LOOKS_S: Final = 0.02
"""The period at which a drain looks whether calls are still open. It delays the end of a server by as much."""
PAGE_WAITS_S: Final = 0.2
"""The time for which a page of metrics waits for the counts of the front, which only the event loop's thread may ask
for. A page without them is no older than the last sweep."""

_EXPIRED: Final = (grpc.StatusCode.DEADLINE_EXCEEDED.value[0], "Deadline Exceeded", b"")
"""The status that gRPC itself gives to a call whose deadline has passed."""


class NativeListener:
    """Serves the API on one address until it is drained."""

    def __init__(
        self,
        services: Services,
        batcher: Batcher,
        metrics: Metrics,
        authenticator: CachedAuthenticator,
        limits: CallerLimits = NO_LIMITS,
        *,
        connections_max: int,
        reflects: bool,
        shares_port: bool,
        connection_age_s: float = listener.CONNECTION_AGE_S,
        tls: FilesOf | None = None,
        note_tls: Callable[[str | None], None] = lambda _: None,
        demands_certificate: bool = False,
        answers_health: bool = False,
        clock: Clock = wall_clock,
    ) -> None:
        """Prepare to listen, in plaintext without ``tls``. ``connections_max`` bounds the connections of callers,
        ``connection_age_s`` is the age past which one takes no further calls;
        ``note_tls`` is told why the front does not take the files of TLS that are in force, and None once it does."""
        self._gate = Gate()
        self._behind = GrpcListener(
            services,
            metrics,
            Callers(authenticator, self._gate.credentials_of, limits, answers_health=answers_health),
            connections_max=connections_max,
            reflects=reflects,
            shares_port=False,
            gate=self._gate,
        )
        self._authenticator = authenticator
        self._limits = limits
        self._clock = clock
        self._tls = None if tls is None else NativeTls(tls, demands_certificate=demands_certificate, note=note_tls)
        self._callers: NativeCallers | None = None
        self._batcher = batcher
        self._metrics = metrics
        self._counts = NativeCounts(metrics)
        self._connections_max = connections_max
        self._shares_port = shares_port
        self._connection_age_s = connection_age_s
        self._held_bytes = 0
        self._socket: UnnamedSocket | None = None
        self._front: Front | None = None
        self._calls: NativeCalls | None = None
        metrics.answer_bytes.set_function(lambda: self._behind.held_answer_bytes + self._held_bytes)

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port. Raises Misconfigured where an address cannot be bound."""
        try:
            return await self._start(host, port)
        except BaseException:
            await self.drain(0)  # what serves behind the front would outlive the event loop
            raise

    async def _start(self, host: str, port: int) -> int:
        try:
            with private_path() as path:
                await self._behind.start_behind_front(str(path))
                self._socket = UnnamedSocket(path)
        except OSError as fault:
            raise cannot_listen(f"a Unix socket ({fault.strerror})") from None
        try:
            self._front = self._open_front(_addresses_of(host), port, self._socket.path)
        except OSError:
            raise cannot_listen(f"[{host}]:{port}" if ":" in host else f"{host}:{port}") from None
        except ValueError as fault:
            raise Misconfigured(f"the native front does not take the files of TLS: {fault}") from None
        if self._authenticator.identifies:
            self._limits.in_flight_elsewhere = self._front.in_flight
            self._callers = NativeCallers(self._front, self._authenticator, self._limits, self._clock)
        self._calls = NativeCalls(self._front, self._batcher, self._callers)
        loop = asyncio.get_running_loop()
        self._metrics.before_page = lambda: self._count_on(loop)
        return self._front.port

    @property
    def path_behind(self) -> str:
        """The path of the socket of the listener behind the front, for this process."""
        if self._socket is None:
            raise AssertionError("it is not started")
        return self._socket.path

    @property
    def token(self) -> str:
        """The token of calls to the listener behind the front."""
        return self._gate.token

    async def sweep(self) -> None:
        """Tell the metrics what was counted, and end silent calls behind the front. Raises what has ended the front."""
        if self._calls is not None:
            self._calls.raise_fault()
        if self._callers is not None:
            self._callers.sweep()
        if self._tls is not None and self._front is not None:
            self._tls.renew(self._front)
        self._count()
        await self._behind.sweep()

    async def drain(self, grace_s: float) -> None:
        """End streams and watches, take no new calls, and give running ones ``grace_s`` seconds to end."""
        ends_s = time.monotonic() + grace_s
        self._behind.begin_drain()
        if self._front is not None:
            self._front.drain()
            if self._calls is not None:
                self._calls.turn_soon()  # for what the front has read as it began to drain
            while not self._front.is_idle and time.monotonic() < ends_s:  # noqa: ASYNC110 - the front has no event
                await asyncio.sleep(DRAIN_LOOKS_S)
        await self._behind.drain(max(0, ends_s - time.monotonic()))
        self._close()

    def _close(self) -> None:
        self._count()
        if self._calls is not None:
            self._calls.stop()
        if self._front is not None:
            self._front.close()
        if self._socket is not None:
            self._socket.close()
        self._calls = self._front = self._socket = None

    def _count(self) -> None:
        if self._front is not None:
            counts = self._front.counts()
            self._counts.add(counts)
            self._held_bytes = counts.held_bytes
            self._batcher.queued_before = counts.queued_codes

    def _count_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the loop's thread count, and wait for it. Called on another thread."""
        is_done = threading.Event()

        def count() -> None:
            self._count()
            is_done.set()

        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(count)
            is_done.wait(PAGE_WAITS_S)

    def _open_front(self, hosts: Sequence[str], port: int, upstream: str) -> Front:
        overloaded = Overloaded("too many codes are waiting to be checked", RETRY_AFTER_S)
        crowded = Overloaded("the caller has too many calls in flight", CALLS_RETRY_S)
        return Front(
            hosts,
            port,
            upstream,
            self._gate.token,
            failure_of(overloaded).status,
            _EXPIRED,
            failure_of(silent_calls.overdue()).status,
            failure_of(silent_calls.idle()).status,
            failure_of(crowded).status,
            tls=None if self._tls is None else self._tls.make(),
            latency_buckets_s=RPC_BUCKETS_S,
            shares_port=self._shares_port,
            connections_max=self._connections_max,
            queue_codes_max=QUEUE_CODES_MAX,
            queue_age_s=WAIT_MAX_S,
            idle_s=listener.CONNECTION_IDLE_S,
            age_s=self._connection_age_s,
            age_ends_s=listener.CONNECTION_ENDS_S,
            handshake_s=listener.HANDSHAKE_S,
            keepalive_s=listener.KEEPALIVE_S,
            keepalive_timeout_s=listener.KEEPALIVE_TIMEOUT_S,
            window_bytes=listener.WINDOW_BYTES,
            calls_max=listener.CALLS_MAX,
            streams_max=silent_calls.STREAMS_MAX,
            stream_idle_s=silent_calls.STREAM_IDLE_S,
            request_s=silent_calls.REQUEST_S,
            held_bytes_max=answers.SHARED_BYTES,
            identifies=self._authenticator.identifies,
            credentials_max=CREDENTIALS_MAX,
        )


def _addresses_of(host: str) -> list[str]:
    """Return the addresses of a host: ``localhost`` has two, and gRPC listens on both. Raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
