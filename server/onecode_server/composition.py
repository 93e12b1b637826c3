"""The composition root: it opens the store of a data directory, builds an engine around it, and closes both."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from onecode_server import replica
from onecode_server.crypto import open_backend
from onecode_server.engine import Engine
from onecode_server.errors import Misconfigured, StoreUnavailable
from onecode_server.log.address import LogAddress
from onecode_server.publication.migration import Migration
from onecode_server.replication.log_store import LogStore
from onecode_server.replication.log_writer import LogWriter
from onecode_server.settings.config import Settings
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.lmdb_file import is_open_elsewhere
from onecode_server.system.clock import Clock, wall_clock
from onecode_server.telemetry.counting import begin
from onecode_server.telemetry.metrics import Metrics

if TYPE_CHECKING:  # OpenTelemetry is an extra
    from onecode_server.telemetry.tracing import Tracing


def open_store(settings: Settings, metrics: Metrics, clock: Clock = wall_clock) -> LmdbStore:
    """Open the store of a data directory, made if it is missing: a LogStore where there is a log. Raises
    StoreUnavailable."""
    directory, skew = DataDirectory(settings.data_dir).store, round(settings.skew_s * 1e6)
    begin(metrics.store_failures, "check_read", "read", "write", "damaged")
    kind = LmdbStore if settings.log is None else LogStore
    return kind(directory, clock, skew, lambda what: metrics.store_failures.labels(what).inc())


@asynccontextmanager
async def open_engine(data_dir: Path, log: LogAddress | None = None) -> AsyncIterator[Engine]:
    """Open an engine without a server, for commands that work on a data directory directly. With ``log`` its changes go
    to all machines, and a server of this one must apply them: ``expect_writable`` tells."""
    async with _open_upgraded(_direct_settings(data_dir, log), Metrics()) as (engine, _):
        yield engine


async def expect_writable(data_dir: Path, log: LogAddress | None) -> None:
    """Raise Misconfigured where a store belongs to a log and ``log`` is None, or the other way round, and
    StoreUnavailable where no server of this machine applies the log."""
    DataDirectory(data_dir).expect()
    store = open_store(_direct_settings(data_dir, log), Metrics())
    try:
        if store.membership is None and log is not None:
            raise Misconfigured(
                f"the store in {data_dir} belongs to no log: give neither --log nor a file that has one"
            )
        if store.membership is not None and log is None:
            raise Misconfigured(
                f"the store in {data_dir} belongs to a log, through which a change must go: give --log, or --config "
                "with the server's settings file"
            )
        if isinstance(store, LogStore):
            replica.expect_applied(store)
    finally:
        await store.close()


async def put_rules_in_force(data_dir: Path, log: LogAddress, version: int) -> None:
    """Bring a later version of the rules into force on all machines of a log, through a data directory's machine, whose
    server must run. Raises Misconfigured, PreconditionFailed, StoreUnavailable and LogUnavailable."""
    await expect_writable(data_dir, log)
    settings = _direct_settings(data_dir, log)
    async with AsyncExitStack() as closing:
        store = LogStore(DataDirectory(data_dir).store)
        closing.push_async_callback(store.close)
        # No record is checked: no version of the trust list is named.
        writer = await closing.enter_async_context(replica.open_writer(settings, store, int))
        await writer.put_rules_in_force(version)


def _direct_settings(data_dir: Path, log: LogAddress | None) -> Settings:
    if log is None:
        return Settings(data_dir)
    named = LogAddress(log.brokers)  # the settings have its files and its prefix by themselves
    return Settings(data_dir, log=named, log_ca=log.ca, log_cert=log.cert, log_key=log.key, log_topic_prefix=log.prefix)


@asynccontextmanager
async def open_with(settings: Settings, metrics: Metrics, tracing: "Tracing | None" = None) -> AsyncIterator[Engine]:
    """Open an engine for a server with these settings. Raises Misconfigured, and StoreUnavailable if the store must
    first be migrated by command."""
    async with _open_upgraded(settings, metrics, tracing) as (engine, store):
        if settings.log is None and store.membership is not None:
            raise Misconfigured(
                f"the store in {settings.data_dir} belongs to a log, from which its changes come: start the server "
                "with --log"
            )
        yield engine


@asynccontextmanager
async def _open_upgraded(
    settings: Settings, metrics: Metrics, tracing: "Tracing | None" = None
) -> AsyncIterator[tuple[Engine, LmdbStore]]:
    async with _open(settings, metrics, tracing) as (engine, migration):
        if not await migration.upgrade():
            raise StoreUnavailable(
                f"the store in {settings.data_dir} is of an older version, and may hold records of binary subjects of "
                f"regions with the format national: run 'onecode store migrate --data-dir {settings.data_dir}' first"
            )
        await engine.change_feed.catch_up()
        yield engine, migration.store


@asynccontextmanager
async def open_for_migration(data_dir: Path) -> AsyncIterator[Migration]:
    """Open a store of any layout, to migrate it. Raises Misconfigured if another process has the store open: a server
    of an earlier version would go on writing in the old layout, which is no longer read."""
    if is_open_elsewhere(DataDirectory(data_dir).store):
        raise Misconfigured(f"another process has the store in {data_dir} open: stop the servers on it first")
    async with _open(Settings(data_dir), Metrics()) as (_, migration):
        yield migration


@asynccontextmanager
async def _open(
    settings: Settings, metrics: Metrics, tracing: "Tracing | None" = None
) -> AsyncIterator[tuple[Engine, Migration]]:
    """Open a store of any layout, an engine on it whose trust list was looked for, and the store's migration."""
    data = DataDirectory(settings.data_dir)
    data.expect()
    # Before the store: a directory without this key gets none, so that a backup can be restored to it.
    pseudonym_key = data.read_pseudonym_key()
    backend = open_backend(settings.signature_backend)
    async with AsyncExitStack() as closing:
        store = open_store(settings, metrics)
        closing.push_async_callback(store.close)
        writer: LogWriter | None = None
        if isinstance(store, LogStore):

            def trust_version() -> int:
                return engine.trust.current.version

            writer = await closing.enter_async_context(replica.open_writer(settings, store, trust_version))
        engine = Engine(
            settings,
            store=store,
            backend=backend,
            metrics=metrics,
            records=writer,
            steps=writer,
            tracing=tracing,
            follows_log=writer is not None,
        )
        closing.callback(engine.trust.close)
        closing.callback(engine.gateway_keys.close)
        closing.callback(engine.space_gauges.close)
        await engine.trust.refresh()
        await engine.gateway_keys.refresh()
        yield engine, Migration(store, engine.trust, pseudonym_key, wall_clock)
