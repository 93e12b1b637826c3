"""The server of grpc.aio: its limits, its services, its address.

It listens on the public address, or behind the native front on a Unix socket, where it has the calls that the front
passes on (``native_listener``).
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from onecode.v1 import (
    exceptions_pb2,
    exceptions_pb2_grpc,
    recognition_pb2,
    recognition_pb2_grpc,
    status_pb2,
    status_pb2_grpc,
    trust_list_pb2,
    trust_list_pb2_grpc,
)
from onecode_server.errors import Misconfigured
from onecode_server.rpc import grpc_tls
from onecode_server.rpc.admission import Admission
from onecode_server.rpc.callers import Callers
from onecode_server.rpc.growth import Growth
from onecode_server.rpc.health import HealthServicer
from onecode_server.rpc.instrumented import InstrumentedServer
from onecode_server.rpc.meter import Meter
from onecode_server.rpc.named_socket import NamedSocket
from onecode_server.rpc.recognition import BATCH_BYTES_MAX, RecognitionServicer
from onecode_server.rpc.recognition_exceptions import ExceptionServicer
from onecode_server.rpc.reflection import reflect
from onecode_server.rpc.reserved_metadata import Gate, peer_of_connection
from onecode_server.rpc.silent_calls import STREAM_IDLE_S
from onecode_server.rpc.status import StatusServicer
from onecode_server.rpc.tls_files import FilesOf
from onecode_server.rpc.trust_list import TrustListServicer
from onecode_server.rpc.unknown_methods import UnknownMethods
from onecode_server.telemetry.metrics import Metrics

_PROTOS: Final = tuple(proto.DESCRIPTOR for proto in (recognition_pb2, status_pb2, exceptions_pb2, trust_list_pb2))
API: Final = tuple(service.full_name for proto in _PROTOS for service in proto.services_by_name.values())
"""The full names of the API's services."""

RPCS_MAX: Final = 8192
"""The bound on calls that gRPC keeps, over all connections; the next one is RESOURCE_EXHAUSTED. The bounds on calls
that are worked on are those of ``admission``: an ended call stays, with 33 KB, until its caller reads the answer or
leaves, and must not keep others out. gRPC checks this bound before any code here, and for health checks too."""
CALLS_MAX: Final = 100
"""The bound on calls at once on a connection: a caller that needs more uses batches or a second connection."""
ENDED_CALLS_MAX: Final = 128
"""The bound on ended calls of a connection that are still being cleared away, in addition to CALLS_MAX. All of them may
end at once, and some may be held by gRPC's threads: with 64, two calls in a hundred of a full caller were refused."""
HEADROOM: Final = "h2_max_deallocating_streams_headroom"
"""gRPC's experiment that makes ENDED_CALLS_MAX count in addition to CALLS_MAX. Without it, callers with CALLS_MAX calls
are refused."""

BEGUN_CALLS_MAX: Final = 4000
"""The bound on calls that gRPC keeps until Python takes them, reset ones among them. Above it gRPC refuses some calls,
above twice as many all. Its default of 1,000 is filled by ten connections that only reset; 30 of them fill this one: 50
KB for each call, and a second until a call behind them is taken."""

WINDOW_BYTES: Final = 128 * 1024
"""The flow-control window of a call whose message is not read yet: a batch of 250 codes fits. Ten connections full of
calls may fill 128 MiB with it."""

METADATA_BYTES_MAX: Final = 12 * 1024
"""The bound on a call's metadata, as the native front has it: a token of 8 KiB is refused by name, not by a reset."""
METADATA_BEHIND_BYTES_MAX: Final = 24 * 1024
"""The bound behind the native front, which adds the caller's certificate in base64."""
KEEPALIVE_S: Final = 60.0
KEEPALIVE_TIMEOUT_S: Final = 20.0
"""A scanner that vanished without closing its connection is noticed within 80 s."""
HANDSHAKE_S: Final = 10.0
"""A connection without a completed handshake is closed after this time."""
CONNECTION_IDLE_S: Final = 15 * 60.0
"""A connection without calls is closed after this time."""
CONNECTION_AGE_S: Final = 3600.0
"""A connection takes no further calls after this time, a tenth more or less, and its caller opens another one: a server
that is added has its share within the time, and what a handshake alone looks at, as constraints on names, is no older.
A handshake an hour costs a caller milliseconds."""
CONNECTION_ENDS_S: Final = STREAM_IDLE_S
"""The calls that are open then are ended so long after it: as long as a silent stream may last."""

_OPTIONS: Final = (
    ("grpc.max_concurrent_streams", CALLS_MAX),
    # A call that has ended is cleared away a little later. A caller that begins and resets calls without end (Rapid
    # Reset, CVE-2023-44487) would have any number of those. They have a bound of their own, so that a caller with
    # CALLS_MAX calls that begins the next one at each answer is never refused.
    ("grpc.http2.max_deallocating_streams", ENDED_CALLS_MAX),
    ("grpc.server.max_pending_requests", BEGUN_CALLS_MAX),
    ("grpc.server.max_pending_requests_hard_limit", 2 * BEGUN_CALLS_MAX),
    # gRPC would widen the window of a busy connection to megabytes for each call, and a flood of batches would wait in
    # its memory and before everybody's next call. A larger message is let in once it is read.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
    # 4 MiB of codes and their framing: at most 4 bytes before each of 4,096.
    ("grpc.max_receive_message_length", BATCH_BYTES_MAX + 64 * 1024),
    ("grpc.max_metadata_size", METADATA_BYTES_MAX),
    ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
    # A client that pings more often than every 10 s is sent ENHANCE_YOUR_CALM (GOAWAY) and disconnected.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 2),
    ("grpc.keepalive_time_ms", int(KEEPALIVE_S * 1000)),
    ("grpc.keepalive_timeout_ms", int(KEEPALIVE_TIMEOUT_S * 1000)),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.server_handshake_timeout_ms", int(HANDSHAKE_S * 1000)),
    ("grpc.max_connection_idle_ms", int(CONNECTION_IDLE_S * 1000)),
    ("grpc.max_connection_age_grace_ms", int(CONNECTION_ENDS_S * 1000)),
)

_NEVER_MS: Final = 2**31 - 1
"""gRPC's value for a period that never ends."""
_BEHIND_FRONT: Final = (
    # The front bounds the calls of each caller's connection, and how long it lasts. A connection here lasts as long.
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.max_metadata_size", METADATA_BEHIND_BYTES_MAX),
    ("grpc.absolute_max_metadata_size", METADATA_BEHIND_BYTES_MAX),
    ("grpc.keepalive_time_ms", _NEVER_MS),
    ("grpc.max_connection_idle_ms", _NEVER_MS),
    ("grpc.max_connection_age_ms", _NEVER_MS),
)
"""The options that differ behind the native front. gRPC takes the last value of an option."""


class Listener(Protocol):
    """Serves the API on one address."""

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port. Raises Misconfigured where the address cannot be bound."""

    async def sweep(self) -> None:
        """End what uses up a bound, and tell the metrics; to be called each ``silent_calls.SWEEP_S``."""

    async def drain(self, grace_s: float) -> None:
        """End streams and watches, take no new calls, and give running ones ``grace_s`` seconds to end."""


class Services(NamedTuple):
    """The services. ``draining`` is set once the server is to end: streams and watches then end by themselves."""

    recognition: RecognitionServicer
    status: StatusServicer
    exceptions: ExceptionServicer
    trust_list: TrustListServicer
    health: HealthServicer
    draining: asyncio.Event


class GrpcListener:
    """Serves the API on one address until it is drained."""

    def __init__(
        self,
        services: Services,
        metrics: Metrics,
        callers: Callers,
        *,
        connections_max: int,
        reflects: bool,
        shares_port: bool,
        connection_age_s: float = CONNECTION_AGE_S,
        gate: Gate | None = None,
        tls: FilesOf | None = None,
        make_meter: Callable[..., Meter] | None = None,
    ) -> None:
        """Prepare to listen, in plaintext without ``tls``. One connection more than ``connections_max`` is closed as
        soon as it is accepted, and one that is older than ``connection_age_s`` takes no further calls. Behind the
        front, ``gate`` admits its calls alone."""
        self._draining = services.draining
        self._tls = tls
        self._named_socket: NamedSocket | None = None
        # A second server on the same port by mistake must fail to start. Workers share a port that is reserved.
        options = (
            *_OPTIONS,
            ("grpc.so_reuseport", int(shares_port)),
            ("grpc.max_connection_age_ms", int(connection_age_s * 1000)),
            ("grpc.http.overload_protection", int(HEADROOM in os.environ.get("GRPC_EXPERIMENTS", ""))),
            # Silent connections and handshakes count; without this bound, connections use up all descriptors.
            ("grpc.max_allowed_incoming_connections", connections_max),
            *(_BEHIND_FRONT if gate is not None else ()),
        )
        self._server = grpc.aio.server(options=options, maximum_concurrent_rpcs=RPCS_MAX)
        self._growth = Growth()
        self._admission = Admission(
            metrics,
            self._growth,
            expect_room=services.recognition.expect_room,
            peer_of=peer_of_connection if gate is None else gate.peer_of,
        )
        server: Any = InstrumentedServer(self._server, metrics, self._admission, callers, gate, make_meter)
        recognition_pb2_grpc.add_RecognitionServiceServicer_to_server(services.recognition, server)
        status_pb2_grpc.add_StatusServiceServicer_to_server(services.status, server)
        exceptions_pb2_grpc.add_ExceptionServiceServicer_to_server(services.exceptions, server)
        trust_list_pb2_grpc.add_TrustListServiceServicer_to_server(services.trust_list, server)
        health_pb2_grpc.add_HealthServicer_to_server(services.health, server)
        if reflects:
            reflect(server, (*_PROTOS, health_pb2.DESCRIPTOR))
        self._server.add_generic_rpc_handlers((UnknownMethods(self._admission.strangers),))  # gRPC asks them in order

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port. A host may be ``unix:`` and a path, without a port. Raises Misconfigured where
        the address cannot be bound."""
        if host.startswith("unix:"):
            self._named_socket = NamedSocket(Path(host.removeprefix("unix:")))
            self._named_socket.bind(lambda: self._server.add_insecure_port(host))
            await self._server.start()
            return port
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if self._tls is None:
                bound = self._server.add_insecure_port(address)
            else:
                bound = self._server.add_secure_port(address, grpc_tls.credentials(self._tls))
        except RuntimeError:
            raise cannot_listen(address) from None
        await self._server.start()
        return int(bound)

    async def start_behind_front(self, path: str) -> None:
        """Listen on a Unix socket. Raises Misconfigured where it cannot be made."""
        try:
            self._server.add_insecure_port(f"unix:{path}")
        except RuntimeError:
            raise cannot_listen(path) from None
        await self._server.start()

    @property
    def held_answer_bytes(self) -> int:
        """The bytes of large answers that wait for their callers."""
        return self._admission.answers.held_bytes

    def begin_drain(self) -> None:
        """End streams and watches by themselves, and report that nothing is served any more."""
        self._draining.set()

    async def sweep(self) -> None:
        """End silent calls and streams that use up a bound or memory; to be called each ``silent_calls.SWEEP_S``."""
        await self._admission.sweep()

    async def drain(self, grace_s: float) -> None:
        """End streams and watches, take no new calls, and give running ones ``grace_s`` seconds to end."""
        self.begin_drain()
        await self._server.stop(grace_s)
        if self._named_socket is not None:
            self._named_socket.remove()
        self._growth.close()


def cannot_listen(address: str) -> Misconfigured:
    """Return the failure of a listener whose address cannot be bound."""
    return Misconfigured(f"cannot listen on {address}: it is taken, or not of this machine")
