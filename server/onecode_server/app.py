"""The composition root: builds the parts, starts them, and ends them in order. Nothing else constructs parts."""

import asyncio
import gc
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from onecode_server import descriptors
from onecode_server.config import Settings
from onecode_server.crypto import ShadowedBackend, SignatureBackend, open_backend
from onecode_server.data_directory import DataDirectory
from onecode_server.engine import follower, trust_source, write_probe
from onecode_server.engine.authenticator import Authenticator
from onecode_server.engine.batcher import Batcher
from onecode_server.engine.claim_faults import ClaimFaults
from onecode_server.engine.claims_reader import ClaimsReader
from onecode_server.engine.clock import every, wall_clock, watch_lag
from onecode_server.engine.column_authenticator import ColumnAuthenticator
from onecode_server.engine.decider import Decider
from onecode_server.engine.exception_book import ExceptionBook
from onecode_server.engine.exception_desk import ExceptionDesk
from onecode_server.engine.exception_list import ExceptionList
from onecode_server.engine.follower import Follower
from onecode_server.engine.issuer_index import IssuerIndexes
from onecode_server.engine.migration import Migration
from onecode_server.engine.publisher import Publisher
from onecode_server.engine.row_reader import RowReader
from onecode_server.engine.status_cache import StatusCache
from onecode_server.engine.token_reader import TokenReader
from onecode_server.engine.translator import Translator
from onecode_server.engine.trust_source import TrustSource
from onecode_server.engine.verifier import Verifier
from onecode_server.engine.write_probe import WriteProbe
from onecode_server.errors import Misconfigured, OnecodeError, StoreUnavailable
from onecode_server.metrics import Metrics
from onecode_server.model.region import NATIONAL
from onecode_server.model.trust_list import Role
from onecode_server.rpc import admission
from onecode_server.rpc.exceptions import ExceptionServicer
from onecode_server.rpc.health import HealthServicer
from onecode_server.rpc.listener import API, Listener, Services
from onecode_server.rpc.observation import ObservationPage
from onecode_server.rpc.recognition import RecognitionServicer
from onecode_server.rpc.status import StatusServicer
from onecode_server.rpc.trust_list import TrustListServicer
from onecode_server.signals import ENDING, stop_event
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.lmdb_file import is_open_elsewhere

REPORT_S: Final = 1.0
"""How often a worker tells its supervisor how it is."""
SILENT_S: Final = 10.0
"""After so long without a turn of its event loop a server of one process does not count as serving: nobody but the page
can tell, and no supervisor replaces it. A turn takes milliseconds."""
NEWS_MAX: Final = 128
"""Metrics in one message of what was counted: a histogram's has some 300 bytes, and a supervisor's line 64 KiB."""

_log = logging.getLogger(__name__)


class Engine:
    """The parts that check and publish, on one data directory. Raises Misconfigured, StoreUnavailable."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        data = DataDirectory(settings.data_dir)
        data.expect()
        self.backend = _shadowed(open_backend(settings.signature_backend), settings, metrics)
        pseudonym_key, root = data.read_pseudonym_key(), data.read_root_public_key()
        skew, grace = round(settings.skew_s * 1e6), round(settings.trust_list_grace_s * 1e6)
        self.translator = Translator(data.signers(NATIONAL, Role.GATEWAY), metrics)
        self.store = LmdbStore(data.store, wall_clock, skew, lambda what: metrics.store_failures.labels(what).inc())
        self.write_probe = WriteProbe(self.store, metrics)
        issuers = IssuerIndexes(skew)
        self.trust = TrustSource(
            data.trust_list,
            root,
            self.backend,
            self.store,
            metrics,
            wall_clock,
            time.monotonic,
            settings.trust_list_unread_max_s,
            issuers.prepare,
        )
        self.exceptions = ExceptionBook(self.store)
        self.statuses = StatusCache(self.store, time.monotonic, wall_clock, metrics, settings.cache_entries_max)
        tokens = TokenReader(self.store, pseudonym_key)
        rows, claims = RowReader(issuers, pseudonym_key), ClaimsReader(pseudonym_key, ClaimFaults(metrics))
        authenticator = Authenticator(self.backend, rows, claims, tokens, metrics, skew)
        columns = ColumnAuthenticator(self.backend, issuers, pseudonym_key, metrics, skew)
        decider = Decider(self.exceptions, grace, skew)
        self.follower = Follower(self.store, self.statuses, self.exceptions)
        self.verifier = Verifier(
            self.trust, authenticator, columns, self.statuses, self.follower, decider, metrics, wall_clock
        )
        self.desk = ExceptionDesk(self.trust, self.store, self.exceptions, wall_clock, skew)
        self.publisher = Publisher(self.trust, self.verifier, tokens, self.store, pseudonym_key, metrics, wall_clock)
        self.migration = Migration(self.store, self.trust, pseudonym_key, wall_clock)

    @property
    def is_open(self) -> bool:
        """Whether there is something to check with: a trust list, and a store that has answered."""
        return self.trust.is_open and self.exceptions.is_open

    def report(self) -> dict[str, Any]:
        """Return what operations want to know: is it serving, and if not, why."""
        trusted = self.trust.current if self.trust.is_open else None
        return {
            "serving": self.is_open,
            "signature_backend": {
                "name": self.backend.name,
                "detail": self.backend.detail,
                "degraded": self.backend.is_degraded,
            },
            "store": {
                "open": self.exceptions.is_open,
                "answers": self.exceptions.store_answers,
                "write_fault": self.store.write_fault,
                "clock_behind_s": self.store.clock_behind_us / 1e6,
            },
            "trust_list": {
                "version": trusted.version if trusted else None,
                "fault": self.trust.fault,
                "unread_s": round(self.trust.unread_s, 1),
                "skipped": [f"{where}: {why}" for where, why in trusted.skipped] if trusted else [],
            },
        }


def _shadowed(backend: SignatureBackend, settings: Settings, metrics: Metrics) -> SignatureBackend:
    """Watch a backend that is not PyNaCl's own, and show where PyNaCl had to take its place."""

    def count(agrees: bool) -> None:
        metrics.shadow_checks.labels("agreed" if agrees else "disagreed").inc()

    watched = backend if backend.name == "libsodium" else ShadowedBackend(backend, settings.shadow_one_in, count)
    metrics.backend_fault.set_function(lambda: watched.is_degraded)
    return watched


@asynccontextmanager
async def open_engine(data_dir: Path) -> AsyncIterator[Engine]:
    """Open an engine without a server, for commands that work on a data directory directly."""
    async with _open(Settings(data_dir), Metrics()) as engine:
        yield engine


@asynccontextmanager
async def open_for_migration(data_dir: Path) -> AsyncIterator[Engine]:
    """Open an engine on a store of whichever layout there is, to migrate it. Raises Misconfigured where another process
    has it open: a server of the version before would go on writing where nobody looks any more."""
    if is_open_elsewhere(DataDirectory(data_dir).store):
        raise Misconfigured(f"another process has the store in {data_dir} open: stop the servers on it first")
    async with _open(Settings(data_dir), Metrics(), migrates=True) as engine:
        yield engine


@asynccontextmanager
async def _open(settings: Settings, metrics: Metrics, *, migrates: bool = False) -> AsyncIterator[Engine]:
    engine = Engine(settings, metrics)
    try:
        await engine.trust.refresh()
        if not migrates and not await engine.migration.upgrade():
            raise StoreUnavailable(
                f"the store in {settings.data_dir} is of an older version, and may hold records of binary subjects of "
                f"regions with the format national: run 'onecode store migrate --data-dir {settings.data_dir}' first"
            )
        await engine.follower.catch_up()
        yield engine
    finally:
        engine.trust.close()
        await engine.store.close()


async def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve alone until SIGTERM, SIGINT or SIGHUP, then drain. ``announce`` is given the line that says where.

    Raises Misconfigured, StoreUnavailable where it cannot start, OnecodeError where it ended by itself.
    """
    metrics = Metrics()
    with stop_event(*ENDING) as stop:
        async with _open(settings, metrics) as engine:
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
    async with _open(settings, metrics := Metrics()) as engine:

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
    """Leave what is there for good out of collections, and collect less often.

    A call makes some hundred short-lived objects and hardly a cycle: with the default thresholds collections took a
    sixth of a unary call's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


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
