"""What a machine has of a log, by the settings and the data directory: each worker's writer, and the replicator."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from onecode_server.errors import Misconfigured
from onecode_server.log import topics
from onecode_server.log.address import LogAddress
from onecode_server.log.appender import LogAppender
from onecode_server.log.mark_sender import MarkSender
from onecode_server.log.reader import LogReader, Position
from onecode_server.replication.log_store import LogStore
from onecode_server.replication.log_writer import LogWriter
from onecode_server.replication.machine import Machine, read_machine
from onecode_server.replication.replicator import Replicator
from onecode_server.settings.config import Settings
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.replica_layout import Membership
from onecode_server.system.clock import Clock, wall_clock
from onecode_server.telemetry.log_metrics import ReplicatorMetrics

GROUP = "onecode"
"""The consumer group, which the brokers' access lists must let machines read with; nothing is committed in it."""


@asynccontextmanager
async def open_writer(
    settings: Settings, store: LogStore, trust_version: Callable[[], int], clock: Clock = wall_clock
) -> AsyncIterator[LogWriter]:
    """Open what a worker writes to the log with. Raises Misconfigured."""
    address, machine = _address(settings), read_machine(settings.data_dir)
    appender = LogAppender(address, client_name(machine))
    try:
        writer = LogWriter(appender, store, machine, clock, trust_version)
        store.write_to(writer)
        yield writer
    finally:
        await appender.close()


@contextmanager
def open_replicator(settings: Settings, metrics: ReplicatorMetrics) -> Iterator[Replicator]:
    """Open what applies the log, in the only process that does. Raises Misconfigured, LogUnavailable where no broker
    tells a new machine the topics' ids, and StoreUnavailable where the store belongs to another log or machine."""
    address, machine = _address(settings), read_machine(settings.data_dir)
    store = LmdbReplica(DataDirectory(settings.data_dir).store)
    try:
        # Asked for once: a machine whose brokers are all away starts, and answers with what it has.
        ids = store.membership.topics if store.membership else topics.topic_ids(address)
        store.join(Membership(machine.cluster, machine.identifier, ids))
        positions = {p: Position(state.offset, state.epoch) for p, state in store.partitions().items()}
        reader = LogReader(address, GROUP, positions, ids)
        sender = MarkSender(address, client_name(machine))
        try:
            yield Replicator(store, reader, sender, machine, metrics)
        finally:
            reader.close()
            sender.close()
    finally:
        store.close_here()


def _address(settings: Settings) -> LogAddress:
    if (address := settings.shared_log) is None:
        raise Misconfigured("log: no log is set")
    return address


def client_name(machine: Machine) -> str:
    """Return the name under which brokers see this machine."""
    return f"onecode-{machine.identifier.hex()[:8]}"
