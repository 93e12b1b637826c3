"""Serving: an engine behind gRPC and the metrics page, what is done again and again beside it, and an end in order."""

import asyncio
import gc
import logging
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from onecode_server import descriptors
from onecode_server.composition import Engine, open_with
from onecode_server.config import Settings
from onecode_server.engine import follower, trust_source, write_probe
from onecode_server.engine.batcher import Batcher
from onecode_server.engine.clock import every, wall_clock, watch_lag
from onecode_server.engine.exception_list import ExceptionList
from onecode_server.errors import OnecodeError
from onecode_server.metrics import Metrics
from onecode_server.rpc import admission
from onecode_server.rpc.exceptions import ExceptionServicer
from onecode_server.rpc.health import HealthServicer
from onecode_server.rpc.listener import API, Listener, Services
from onecode_server.rpc.observation import ObservationPage
from onecode_server.rpc.recognition import RecognitionServicer
from onecode_server.rpc.status import StatusServicer
from onecode_server.rpc.trust_list import TrustListServicer
from onecode_server.signals import ENDING, stop_event

REPORT_S: Final = 1.0
"""How often a worker tells its supervisor how it is."""
SILENT_S: Final = 10.0
"""After so long without a turn of its event loop a server of one process does not count as serving: nobody but the page
can tell, and no supervisor replaces it. A turn takes milliseconds."""
NEWS_MAX: Final = 128
"""Metrics in one message of what was counted: a histogram's has some 300 bytes, and a supervisor's line 64 KiB."""

_log = logging.getLogger(__name__)


async def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve alone until SIGTERM, SIGINT or SIGHUP, then drain. ``announce`` is given the line that says where.

    Raises Misconfigured, StoreUnavailable where it cannot start, OnecodeError where it ended by itself.
    """
    metrics = Metrics()
    with stop_event(*ENDING) as stop:
        async with open_with(settings, metrics) as engine:
            turned_s = time.monotonic()

            async def turn() -> None:
                nonlocal turned_s
                turned_s = time.monotonic()

            def report() -> dict[str, Any]:
                silent_s = time.monotonic() - turned_s
                told = engine.report()
                return {**told, "serving": told["serving"] and silent_s < SILENT_S, "silent_s": round(silent_s, 1)}

            turning = _keep(every(REPORT_S, turn))
            page = ObservationPage(metrics.page, report)
            try:
                shown = settings.metrics._replace(port=page.start(*settings.metrics))

                def ready(port: int) -> None:
                    announce(f"ready grpc={settings.listen._replace(port=port)} metrics={shown}")

                await _serve(engine, metrics, settings, stop, ready)
            finally:
                turning.cancel()
                page.stop()
        _log.info("ended")


class Line(Protocol):
    """Where a worker tells its supervisor how it is: an object of JSON for each message."""

    @property
    def is_free(self) -> bool:
        """Whether earlier messages have been read."""

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message, however many wait."""


async def serve_in_slot(settings: Settings, stop: asyncio.Event, line: Line) -> None:
    """Serve as one of several workers until ``stop``, then drain. Raises as ``serve`` does.

    The line is told a ``report`` each second, what was ``counted`` since, and ``serves`` once it does.
    """
    async with open_with(settings, metrics := Metrics()) as engine:

        def tell_counted() -> None:
            news = metrics.news()
            for start in range(0, len(news), NEWS_MAX):
                line.tell({"counted": news[start : start + NEWS_MAX]})

        async def report() -> None:
            if line.is_free:  # else the next one is newer, and counts on
                line.tell({"report": engine.report()})
                tell_counted()

        reporter = _keep(every(REPORT_S, report))
        try:
            await _serve(
                engine, metrics, settings, stop, lambda _: line.tell({"serves": True, "report": engine.report()})
            )
        finally:
            reporter.cancel()
            tell_counted()
    _log.info("ended")


async def _serve(
    engine: Engine, metrics: Metrics, settings: Settings, stop: asyncio.Event, ready: Callable[[int], None]
) -> None:
    """Serve until ``stop``. ``ready`` is given the port, once there is something to check with."""
    if stop.is_set():  # a worker whose supervisor has ended: the port may be another server's by now
        return
    services = _services(engine, metrics, settings)
    listener = Listener(
        services,
        metrics,
        connections_max=descriptors.connections_max(settings.listen.host),
        reflects=settings.reflection,
        shares_port=settings.workers > 1,
    )
    watchers = (
        _keep(every(trust_source.POLL_S, engine.trust.refresh)),
        _keep(every(follower.FOLLOW_S, engine.follower.catch_up)),
        _keep(watch_lag(metrics.loop_lag.observe)),
        _keep(every(write_probe.PROBE_S, engine.write_probe.look)),
        _keep(every(admission.SWEEP_S, listener.sweep)),
    )
    try:
        port = await listener.start(*settings.listen)
        _log.info("signatures are checked by %s (%s)", engine.backend.name, engine.backend.detail)
        _quiet_garbage_collection()
        announcer = asyncio.create_task(_announce_once_open(engine, lambda: ready(port)))
        await stop.wait()
        announcer.cancel()
        _log.info("draining")
        await listener.drain(settings.drain_s)
        if any(watcher.done() for watcher in watchers):
            raise OnecodeError("a watcher has ended, and so the server: its log says which")
    finally:
        for watcher in watchers:
            watcher.cancel()


def _quiet_garbage_collection() -> None:
    """Leave what is there for good out of collections, and collect the young seldom, and all of them very seldom.

    A call makes some hundred short-lived objects, of which five are a cycle (grpc.aio's ``_find_method_handler``), with
    the call's metadata: with Python's first threshold, 700, collections took a sixth of a unary call's time; with
    50,000 each held all callers up for 15 to 60 ms. With 3,000 it is 1 ms, for the same CPU per call. A full one takes
    a microsecond a bearer that is known.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(3_000, 20, 500)


async def _announce_once_open(engine: Engine, announce: Callable[[], None]) -> None:
    """Until then health says NOT_SERVING and every call is UNAVAILABLE."""
    while not engine.is_open:  # noqa: ASYNC110 - it opens by what two watchers find, not by one event
        await asyncio.sleep(0.05)
    announce()


def _services(engine: Engine, metrics: Metrics, settings: Settings) -> Services:
    draining = asyncio.Event()
    batcher = Batcher(engine.verifier, metrics, settings.queue_codes_max)
    return Services(
        RecognitionServicer(batcher, engine.translator, engine.trust, draining),
        StatusServicer(engine.publisher, draining),
        ExceptionServicer(engine.desk, ExceptionList(engine.store, wall_clock)),
        TrustListServicer(engine.trust),
        HealthServicer(lambda: _states(engine), draining),
        draining,
    )


def _states(engine: Engine) -> dict[str, bool]:
    is_open = engine.is_open
    return {
        **dict.fromkeys(("", *API), is_open),
        "onecode.trust_list": engine.trust.is_open and engine.trust.fault is None and engine.trust.is_read,
        "onecode.store": engine.exceptions.is_open
        and engine.exceptions.store_answers
        and engine.store.write_fault is None,
    }


def _keep(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run work that never ends; that it ended all the same is loud, and health no longer says that all is well."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            _log.critical("a watcher has ended: %s", type(task.exception()).__name__)
            signal.raise_signal(signal.SIGTERM)

    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    return task
