"""The parts of a server around an engine: its services, and the listener of calls."""

import asyncio
import time
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from onecode_server.access import Access
from onecode_server.engine import Engine
from onecode_server.rpc.caller_limits import CallerLimits
from onecode_server.rpc.callers import Callers, nothing_shown, shown_to_grpc
from onecode_server.rpc.front_selection import SelectedFront
from onecode_server.rpc.health import HealthServicer
from onecode_server.rpc.listener import API, GrpcListener, Listener, Services
from onecode_server.rpc.recognition import RecognitionServicer
from onecode_server.rpc.recognition_exceptions import ExceptionServicer
from onecode_server.rpc.status import StatusServicer
from onecode_server.rpc.traced_meter import TracedMeter
from onecode_server.rpc.trust_list import TrustListServicer
from onecode_server.settings.config import Settings
from onecode_server.system import descriptors
from onecode_server.telemetry.counting import begin
from onecode_server.telemetry.metrics import Metrics

if TYPE_CHECKING:  # OpenTelemetry is an extra
    from onecode_server.telemetry.tracing import Tracing


def listener(
    engine: Engine,
    front: SelectedFront,
    access: Access,
    metrics: Metrics,
    settings: Settings,
    tracing: "Tracing | None" = None,
) -> Listener:
    """Return the listener of calls, by the front that was selected: grpc.aio where calls are traced."""
    host, shares_port = settings.listen.host, settings.is_supervised

    def count(role: str, limit: str) -> None:
        metrics.limited_calls.labels(role, limit).inc()

    begin(metrics.limited_calls, *product((role.value for role in settings.limits.by_role), ("calls", "rate")))
    limits = CallerLimits(settings.limits.by_role, time.monotonic, count)
    if front.name == "grpc":
        return GrpcListener(
            services(engine),
            metrics,
            Callers(
                access,
                shown_to_grpc if access.identifies else nothing_shown,
                limits,
                answers_health=settings.health_without_identity,
            ),
            # gRPC counts connections by address.
            connections_max=descriptors.connections_max(
                addresses=1 if settings.listen.is_unix else descriptors.addresses_of(host)
            ),
            reflects=settings.reflection,
            shares_port=shares_port,
            connection_age_s=settings.connection_age_s,
            tls=access.tls,
            make_meter=None if tracing is None else partial(TracedMeter, tracing),
        )
    from onecode_server.rpc import native_listener  # noqa: PLC0415 - it may not have been built

    return native_listener.NativeListener(
        services(engine),
        engine.batcher,
        metrics,
        access,
        limits,
        connections_max=descriptors.connections_max(descriptors_each=native_listener.DESCRIPTORS_EACH),
        reflects=settings.reflection,
        shares_port=shares_port,
        connection_age_s=settings.connection_age_s,
        tls=access.tls,
        note_tls=access.note_tls,
        demands_certificate=access.demands_certificates,
        answers_health=settings.health_without_identity,
    )


def services(engine: Engine) -> Services:
    """Return the services of an engine."""
    draining = asyncio.Event()
    return Services(
        RecognitionServicer(engine.batcher, engine.translator, engine.trust, draining),
        StatusServicer(engine.publisher, draining),
        ExceptionServicer(engine.exception_service, engine.exception_list),
        TrustListServicer(engine.trust),
        HealthServicer(lambda: states(engine), draining),
        draining,
    )


def states(engine: Engine) -> dict[str, bool]:
    """Return for each service whether it serves."""
    is_open = engine.is_open
    return {
        **dict.fromkeys(("", *API), is_open),
        "onecode.trust_list": engine.trust.is_open and engine.trust.fault is None and engine.trust.is_read,
        "onecode.store": engine.exceptions.is_open
        and engine.exceptions.store_answers
        and engine.store.write_fault is None,
    }
