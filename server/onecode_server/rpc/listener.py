"""The gRPC server: its limits, its services, its address."""

import asyncio
import os
from typing import Any, Final, NamedTuple

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
from onecode_server.rpc.admission import Admission
from onecode_server.rpc.growth import Growth
from onecode_server.rpc.health import HealthServicer
from onecode_server.rpc.instrumented import InstrumentedServer
from onecode_server.rpc.recognition import BATCH_BYTES_MAX, RecognitionServicer
from onecode_server.rpc.recognition_exceptions import ExceptionServicer
from onecode_server.rpc.reflection import reflect
from onecode_server.rpc.status import StatusServicer
from onecode_server.rpc.trust_list import TrustListServicer
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
    ("grpc.max_metadata_size", 8 * 1024),
    # A client that pings more often than every 10 s is sent ENHANCE_YOUR_CALM (GOAWAY) and disconnected.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 2),
    # A scanner that vanished without closing its connection is noticed within 80 s.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A connection without a completed handshake is closed.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 15 * 60_000),
)


class Services(NamedTuple):
    """The services. ``draining`` is set once the server is to end: streams and watches then end by themselves."""

    recognition: RecognitionServicer
    status: StatusServicer
    exceptions: ExceptionServicer
    trust_list: TrustListServicer
    health: HealthServicer
    draining: asyncio.Event


class Listener:
    """Serves the API on one address until it is drained."""

    def __init__(
        self, services: Services, metrics: Metrics, *, connections_max: int, reflects: bool, shares_port: bool
    ) -> None:
        """Prepare to listen. One connection more than ``connections_max`` is closed as soon as it is accepted."""
        self._draining = services.draining
        # A second server on the same port by mistake must fail to start. Workers share a port that is reserved.
        options = (
            *_OPTIONS,
            ("grpc.so_reuseport", int(shares_port)),
            ("grpc.http.overload_protection", int(HEADROOM in os.environ.get("GRPC_EXPERIMENTS", ""))),
            # Silent connections and handshakes count; without this bound, connections use up all descriptors.
            ("grpc.max_allowed_incoming_connections", connections_max),
        )
        self._server = grpc.aio.server(options=options, maximum_concurrent_rpcs=RPCS_MAX)
        self._growth = Growth()
        self._admission = Admission(metrics, self._growth, expect_room=services.recognition.expect_room)
        server: Any = InstrumentedServer(self._server, metrics, self._admission)
        recognition_pb2_grpc.add_RecognitionServiceServicer_to_server(services.recognition, server)
        status_pb2_grpc.add_StatusServiceServicer_to_server(services.status, server)
        exceptions_pb2_grpc.add_ExceptionServiceServicer_to_server(services.exceptions, server)
        trust_list_pb2_grpc.add_TrustListServiceServicer_to_server(services.trust_list, server)
        health_pb2_grpc.add_HealthServicer_to_server(services.health, server)
        if reflects:
            reflect(server, (*_PROTOS, health_pb2.DESCRIPTOR))

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port. Raises Misconfigured where the address cannot be bound."""
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = self._server.add_insecure_port(address)
        except RuntimeError:
            raise Misconfigured(f"cannot listen on {address}: it is taken, or not of this machine") from None
        await self._server.start()
        return int(bound)

    async def sweep(self) -> None:
        """End silent calls and streams that use up a bound or memory; to be called each ``admission.SWEEP_S``."""
        await self._admission.sweep()

    async def drain(self, grace_s: float) -> None:
        """End streams and watches, take no new calls, and give running ones ``grace_s`` seconds to end."""
        self._draining.set()
        await self._server.stop(grace_s)
        self._growth.close()
