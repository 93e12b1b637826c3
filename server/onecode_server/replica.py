"""What a machine has of a log, by the settings and the data directory: each worker's writer, and the replicator."""

import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

from onecode_server.errors import Misconfigured, StoreUnavailable
from onecode_server.log import topics
from onecode_server.log.address import LogAddress
from onecode_server.log.appender import LogAppender
from onecode_server.log.mark_sender import MarkSender
from onecode_server.log.partition_places import PartitionPlace
from onecode_server.log.reader import LogReader, Position
from onecode_server.model.partition import ALL, DECISIONS
from onecode_server.replication.heard_marks import TAIL_MESSAGES
from onecode_server.replication.log_store import LogStore
from onecode_server.replication.log_writer import LogWriter
from onecode_server.replication.machine import Machine, read_machine
from onecode_server.replication.replicator import Replicator
from onecode_server.replication.rule_versions import KNOWN, RuleVersions
from onecode_server.rules.freshness import CURRENT_S
from onecode_server.settings.config import Settings
from onecode_server.settings.data_directory import DataDirectory
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.replica_layout import Membership
from onecode_server.system.boot import boot_id
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
def open_replicator(
    settings: Settings, metrics: ReplicatorMetrics, versions: RuleVersions = KNOWN
) -> Iterator[Replicator]:
    """Open what applies the log, in the only process that does, by the ``versions`` of the rules.

    Raises Misconfigured, LogUnavailable where no broker tells a new machine the topics' ids, and StoreUnavailable where
    the store belongs to another log or machine.
    """
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
            yield Replicator(store, reader, sender, machine, metrics, versions=versions)
        finally:
            reader.close()
            sender.close()
    finally:
        store.close_here()


class ProofParts(NamedTuple):
    """What ``replication.audit_proof.prove`` needs, and the number of ``messages`` that it will apply."""

    own: LmdbReplica
    scratch: LmdbReplica
    reader: LogReader
    cluster: bytes
    messages: int


@contextmanager
def open_proof(data_dir: Path, address: LogAddress) -> Iterator[ProofParts]:
    """Open a machine's store, an empty one, and the decisions of its log. Raises Misconfigured, where the store belongs
    to no log too."""
    data = DataDirectory(data_dir)
    data.expect()
    with ExitStack() as closing:
        membership = _expect_membership(data)
        own = LmdbReplica(data.store)
        closing.callback(own.close_here)
        directory = closing.enter_context(tempfile.TemporaryDirectory(prefix="onecode-audit-"))
        scratch = LmdbReplica(Path(directory))
        closing.callback(scratch.close_here)
        reader = LogReader(address, GROUP, {DECISIONS: Position(0, -1)}, membership.topics)
        closing.callback(reader.close)
        yield ProofParts(own, scratch, reader, membership.cluster, own.decided().partition.offset)


@contextmanager
def open_hearing(
    data_dir: Path, address: LogAddress, places: Sequence[PartitionPlace]
) -> Iterator[tuple[LmdbReplica, LogReader, bytes]]:
    """Open a machine's store, a reader that begins shortly before the ends of the log, and the cluster's public key.
    Raises Misconfigured, where the store belongs to no log too, and LogUnavailable."""
    data = DataDirectory(data_dir)
    data.expect()
    with ExitStack() as closing:
        membership = _expect_membership(data)
        store = LmdbReplica(data.store)
        closing.callback(store.close_here)
        starts = {
            place.partition: Position(max(place.first, place.next - TAIL_MESSAGES), -1)
            for place in places
            if place.first is not None and place.next is not None
        }
        reader = LogReader(address, GROUP, starts, membership.topics)
        closing.callback(reader.close)
        yield store, reader, membership.cluster


def _expect_membership(data: DataDirectory) -> Membership:
    """Return the log to which a store belongs, without making the tables that only such a store has. Raises
    Misconfigured where it belongs to none."""
    store = LmdbStore(data.store)
    store.close_here()
    if store.membership is None:
        raise Misconfigured(f"the store in {data.store} belongs to no log")
    return store.membership


def confirmed_ages_s(store: LmdbReplica, monotonic_s: float) -> list[float | None]:
    """Return for how many seconds each partition has not been confirmed by an own mark, None where it never was in this
    boot. Raises StoreUnavailable."""
    marks = store.own_marks()
    sent_us = marks.sent_us if marks is not None and marks.boot == boot_id() else (0,) * len(ALL)
    return [monotonic_s - sent / 1e6 if sent else None for sent in sent_us]


def expect_applied(store: LmdbReplica, monotonic: Callable[[], float] = time.monotonic) -> None:
    """Raise StoreUnavailable where this machine has applied none of its own marks lately: nobody here would apply a
    change that is brought into the log now."""
    ages_s = [age_s for age_s in confirmed_ages_s(store, monotonic()) if age_s is not None]
    if min(ages_s, default=CURRENT_S) >= CURRENT_S:
        raise StoreUnavailable(
            f"no server of this machine has applied the log within {CURRENT_S:g} s: start one with --log, and see what "
            "its /healthz says"
        )


def _address(settings: Settings) -> LogAddress:
    if (address := settings.shared_log) is None:
        raise Misconfigured("log: no log is set")
    return address


def client_name(machine: Machine) -> str:
    """Return the name under which brokers see this machine."""
    return f"onecode-{machine.identifier.hex()[:8]}"
