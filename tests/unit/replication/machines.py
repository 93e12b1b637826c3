"""Machines of one cluster on real brokers: in this process each has a store, a replicator on a thread, and a writer."""

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from onecode_server.crypto.signing import Signer
from onecode_server.log import topics
from onecode_server.log.address import LogAddress
from onecode_server.log.appender import LogAppender
from onecode_server.log.mark_sender import MarkSender
from onecode_server.log.reader import LogReader, Position
from onecode_server.model.partition import ALL
from onecode_server.replication.log_writer import LogWriter
from onecode_server.replication.machine import Machine
from onecode_server.replication.replicator import Replicator
from onecode_server.replication.signing import Sealer, certify
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.replica_layout import Membership
from onecode_server.system.clock import wall_clock
from onecode_server.telemetry.log_metrics import ReplicatorMetrics

HOUR_US = 3_600_000_000
CLUSTER = Signer(b"c" * 32)


def member(identifier: bytes | None = None, cluster: Signer = CLUSTER) -> Machine:
    """Return a new machine of the cluster."""
    key = Signer(secrets.token_bytes(32))
    certificate = certify(identifier or secrets.token_bytes(16), key.public_key, wall_clock() + HOUR_US, cluster)
    return Machine(Sealer(certificate, key), cluster.public_key)


class Running:
    """One machine: ``turns`` of its replicator go on until ``stop``, or until ``fault`` says why not."""

    def __init__(self, path: Path, log: LogAddress, machine: Machine) -> None:
        self.machine = machine
        self.store = LmdbReplica(path)
        ids = self.store.membership.topics if self.store.membership else topics.topic_ids(log)
        self.store.join(Membership(machine.cluster, machine.identifier, ids))
        at = {p: Position(state.offset, state.epoch) for p, state in self.store.partitions().items()}
        self.reader = LogReader(log, "test", at, ids)
        self.sender = MarkSender(log, "test")
        self.metrics = ReplicatorMetrics()
        self.replicator = Replicator(self.store, self.reader, self.sender, machine, self.metrics)
        self.appender = LogAppender(log, "test")
        self.writer = LogWriter(self.appender, self.store, machine, wall_clock, lambda: 1)
        self.fault: Exception | None = None
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._turn, daemon=True)
        self._thread.start()

    def _turn(self) -> None:
        try:
            while not self._ends.is_set():
                self.replicator.turn()
        except Exception as fault:
            self.fault = fault

    async def confirmed(self, within_s: float = 30.0) -> None:
        """Wait until every partition is confirmed by a mark sent from now on."""
        begun_us = time.monotonic_ns() // 1000
        async with asyncio.timeout(within_s):
            while not ((marks := self.store.own_marks()) and min(marks.sent_us) > begun_us):
                if self.fault is not None:
                    raise self.fault
                await asyncio.sleep(0.02)

    async def broken(self, within_s: float = 30.0) -> Exception:
        """Wait until the replicator cannot go on; return why."""
        await asyncio.to_thread(self._thread.join, within_s)
        assert self.fault is not None
        return self.fault

    def digests(self) -> list[bytes]:
        """Return the digest of each partition."""
        return [self.store.partitions()[p].digest for p in ALL]

    async def hold(self) -> None:
        """End the thread as between two turns, so that a test makes the next ones."""
        self._ends.set()
        await asyncio.to_thread(self._thread.join)

    async def stop(self) -> None:
        """End the replicator as between two turns, and close everything."""
        await self.hold()
        self.reader.close()
        self.sender.close()
        await self.appender.close()
        await self.store.close()


@asynccontextmanager
async def begun(path: Path, log: LogAddress, machine: Machine) -> AsyncIterator[Running]:
    """Run one machine, which need not come to be confirmed."""
    made = Running(path, log, machine)
    try:
        yield made
    finally:
        await made.stop()


@asynccontextmanager
async def running(path: Path, log: LogAddress, count: int = 1) -> AsyncIterator[list[Running]]:
    """Run machines of one cluster, each confirmed."""
    async with contextlib.AsyncExitStack() as closing:
        machines = []
        for number in range(count):
            machines.append(Running(path / f"machine-{number}", log, member()))
            closing.push_async_callback(machines[-1].stop)
        for machine in machines:
            await machine.confirmed()
        yield machines
