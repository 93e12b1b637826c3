"""Serving: it runs an engine behind gRPC and the metrics server, with periodic tasks, and drains it at the end."""

import asyncio
import gc
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from onecode_server import assembly
from onecode_server.access import Access
from onecode_server.composition import open_with
from onecode_server.engine import Engine
from onecode_server.errors import Misconfigured, OnecodeError
from onecode_server.identity import watched_files
from onecode_server.recognition import exception_gauges
from onecode_server.rpc import front_selection, silent_calls
from onecode_server.rpc.front_selection import SelectedFront
from onecode_server.rpc.metrics_server import MetricsServer
from onecode_server.settings.config import Settings
from onecode_server.status import change_feed
from onecode_server.stores import space_gauges, write_probe
from onecode_server.system import heap
from onecode_server.system.clock import every, watch_lag
from onecode_server.system.signals import ENDING, stop_event
from onecode_server.telemetry.metrics import Metrics
from onecode_server.telemetry.supervisor_metrics import SingleProcessMetrics
from onecode_server.translation import gateway_keys
from onecode_server.trust import source as trust_source

if TYPE_CHECKING:  # OpenTelemetry is an extra
    from onecode_server.telemetry.tracing import Tracing

REPORT_S: Final = 1.0
"""The interval at which a worker reports its state to its supervisor."""
SILENT_S: Final = 10.0
"""A server of one process whose event loop has had no turn for this time is reported as not serving. It has no
supervisor that would replace it, so only the metrics server can show it. A turn takes milliseconds."""
COUNTS_MAX: Final = 128
"""Metrics in one ``counted`` message: a histogram has some 300 bytes, and a supervisor's line 64 KiB."""

_log = logging.getLogger(__name__)


async def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve in one process until SIGTERM, SIGINT or SIGHUP, then drain. ``announce`` is called with the ready line,
    which names the ports.

    Raises Misconfigured or StoreUnavailable if it cannot start, OnecodeError if it ended by itself.
    """
    metrics = SingleProcessMetrics()
    with stop_event(*ENDING) as stop:
        front = await _select_front(settings, metrics)
        async with (
            _open_tracing(settings) as tracing,
            open_with(settings, metrics, tracing) as engine,
            _open_access(settings, engine, metrics) as access,
        ):
            turned_s = time.monotonic()

            async def turn() -> None:
                nonlocal turned_s
                turned_s = time.monotonic()

            def report() -> dict[str, Any]:
                silent_s = time.monotonic() - turned_s
                state = _report(engine, front, access)
                return {**state, "serving": state["serving"] and silent_s < SILENT_S, "silent_s": round(silent_s, 1)}

            metrics.watch(lambda: report()["serving"])
            turning = _keep(every(REPORT_S, turn))
            page = MetricsServer(metrics.page, report, access.page_authorizer(), metrics.refused_pages)
            try:
                shown = settings.metrics._replace(port=page.start(*settings.metrics))

                def ready(port: int) -> None:
                    announce(f"ready grpc={settings.listen._replace(port=port)} metrics={shown}")

                await _serve(engine, front, access, metrics, settings, tracing, stop, ready)
            finally:
                turning.cancel()
                page.stop()
        _log.info("ended")


class Line(Protocol):
    """The channel from a worker to its supervisor; each message is a JSON object."""

    @property
    def is_free(self) -> bool:
        """Whether earlier messages have been read."""

    def send(self, message: dict[str, Any]) -> None:
        """Send a message, regardless of how many wait."""


async def serve_in_slot(settings: Settings, stop: asyncio.Event, line: Line) -> None:
    """Serve as one of several workers until ``stop``, then drain. Raises as ``serve`` does.

    Each second the worker sends a ``report`` and the metrics ``counted`` since; it sends ``serves`` once it is ready.
    """
    front = await _select_front(settings, metrics := Metrics())
    async with (
        _open_tracing(settings) as tracing,
        open_with(settings, metrics, tracing) as engine,
        _open_access(settings, engine, metrics) as access,
    ):

        def flush_counts() -> None:
            counts = metrics.flush()
            for start in range(0, len(counts), COUNTS_MAX):
                line.send({"counted": counts[start : start + COUNTS_MAX]})

        def ready(_: int) -> None:
            flush_counts()  # before the server's ready line, so that all series are on the first page after it
            line.send({"serves": True, "report": _report(engine, front, access)})

        async def report() -> None:
            if line.is_free:  # else the next report replaces this one, and the counts accumulate
                line.send({"report": _report(engine, front, access)})
                flush_counts()

        reporter = _keep(every(REPORT_S, report))
        try:
            await _serve(engine, front, access, metrics, settings, tracing, stop, ready)
        finally:
            reporter.cancel()
            flush_counts()
    _log.info("ended")


async def _select_front(settings: Settings, metrics: Metrics) -> SelectedFront:
    front = await front_selection.select(
        settings.front, is_unix=settings.listen.is_unix, is_traced=settings.otel_endpoint is not None
    )
    metrics.front_info.labels(front.name, front.reason).set(1)
    return front


@asynccontextmanager
async def _open_tracing(settings: Settings) -> AsyncIterator["Tracing | None"]:
    """Yield what records traces, and send the last ones; None where calls are not traced. Raises Misconfigured."""
    if settings.otel_endpoint is None:
        yield None
        return
    try:
        from onecode_server.telemetry.tracing import tracing_to  # noqa: PLC0415 - OpenTelemetry is an extra
    except ImportError:
        raise Misconfigured("--otel-endpoint needs OpenTelemetry: pip install 'onecode[otel]'") from None
    tracing = tracing_to(settings.otel_endpoint)
    _log.info("calls are traced to %s", settings.otel_endpoint)
    try:
        yield tracing
    finally:
        await tracing.close()


@asynccontextmanager
async def _open_access(settings: Settings, engine: Engine, metrics: Metrics) -> AsyncIterator[Access]:
    trust = engine.trust
    access = Access(settings, metrics, lambda: trust.current.regions, lambda: trust.current.partners)
    try:
        yield access
    finally:
        access.close()


def _report(engine: Engine, front: SelectedFront, access: Access) -> dict[str, Any]:
    return {**engine.report(), "front": front._asdict(), "access": access.report(front.name)}


async def _serve(
    engine: Engine,
    front: SelectedFront,
    access: Access,
    metrics: Metrics,
    settings: Settings,
    tracing: "Tracing | None",
    stop: asyncio.Event,
    ready: Callable[[int], None],
) -> None:
    """Serve until ``stop``. ``ready`` is called with the port once the engine is open."""
    if stop.is_set():  # the supervisor of this worker has ended, and another server may use the port by now
        return
    listener = assembly.listener(engine, front, access, metrics, settings, tracing)
    watchers = [
        _keep(every(trust_source.POLL_S, engine.trust.refresh)),
        _keep(every(watched_files.POLL_S, access.refresh)),
        _keep(every(gateway_keys.POLL_S, engine.gateway_keys.refresh)),
        _keep(every(change_feed.FOLLOW_S, engine.change_feed.catch_up)),
        _keep(watch_lag(metrics.loop_lag.observe)),
        _keep(every(space_gauges.LOOK_S, engine.space_gauges.look)),
        _keep(every(exception_gauges.LOOK_S, engine.exception_gauges.look)),
        _keep(every(silent_calls.SWEEP_S, listener.sweep)),
        _keep(every(heap.TRIM_S, heap.trim_on_thread)),
    ]
    if engine.write_probe is not None:
        watchers.append(_keep(every(write_probe.PROBE_S, engine.write_probe.probe)))
    try:
        port = await listener.start(*settings.listen)
        _log.info("signatures are checked by %s (%s)", engine.backend.name, engine.backend.detail)
        _log.info("calls are answered by the front %s (%s)", front.name, front.detail)
        access.log(front.name)
        _quiet_garbage_collection()
        announcer = asyncio.create_task(_announce_once_open(engine, lambda: ready(port)))
        await stop.wait()
        announcer.cancel()
        _log.info("draining")
        await listener.drain(settings.drain_s)
        if any(watcher.done() for watcher in watchers):
            raise OnecodeError("the server has ended because a watcher ended: see the log")
    finally:
        for watcher in watchers:
            watcher.cancel()


def _quiet_garbage_collection() -> None:
    """Exclude permanent objects from garbage collections, and collect young objects in small steps.

    A call makes some hundred short-lived objects, of which five form a cycle (grpc.aio's ``_find_method_handler``) with
    the call's metadata. With Python's first threshold, 700, collections took a sixth of a unary call's time; with
    50,000 each collection delayed all callers by 15 to 60 ms. With 3,000 the delay is 1 ms, for the same CPU per call.
    A full collection frees the calls that were in progress at both younger ones. It visits no cached subject without a
    record, so that it is cheap.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(3_000, 20, 20)


async def _announce_once_open(engine: Engine, announce: Callable[[], None]) -> None:
    """Call ``announce`` once the engine is open. Until then health is NOT_SERVING and every call is UNAVAILABLE."""
    while not engine.is_open:  # noqa: ASYNC110 - two watchers open it together, no single event does
        await asyncio.sleep(0.05)
    announce()


def _keep(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run a watcher, which must never end. If it ends, log it as critical and end the server with SIGTERM."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            _log.critical("a watcher has ended: %s", type(task.exception()).__name__)
            signal.raise_signal(signal.SIGTERM)

    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    return task
