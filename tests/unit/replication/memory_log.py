"""A log in memory with a clock of its own, and machines on it whose stores, replicators and writers are the real ones.

Tests on real brokers are beside these: here each turn of each machine, and each second, is the test's to give.
"""

import asyncio
from pathlib import Path
from typing import Any

from onecode_server.model.partition import ALL
from onecode_server.replication.log_writer import LogWriter
from onecode_server.replication.machine import Machine
from onecode_server.replication.replicator import CANNOT_GO_ON, Replicator
from onecode_server.replication.rule_versions import KNOWN, RuleVersions
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.replica_layout import Membership
from onecode_server.system.clock import wall_clock
from onecode_server.telemetry.log_metrics import ReplicatorMetrics

from tests.unit.replication.cluster import SECOND, Logged


class MemoryLog:
    """``now`` is the time of all clocks (Unix microseconds)."""

    def __init__(self) -> None:
        self.now = wall_clock()
        self.messages: dict[int, list[Logged]] = {partition: [] for partition in ALL}
        self.appended = asyncio.Event()
        """Set by what a writer appends."""

    def add(self, partition: int, value: bytes) -> None:
        kept = self.messages[partition]
        kept.append(Logged(partition, len(kept), 1, self.now, value))


class _Client:
    """What a machine reads, sends marks and appends with."""

    fault = None

    def __init__(self, log: MemoryLog, positions: dict[int, int]) -> None:
        self._log, self._positions = log, positions

    def read(self, timeout_s: float, messages_max: int) -> list[Logged]:
        found = [one for partition in ALL for one in self._log.messages[partition][self._positions[partition] :]]
        for one in found[:messages_max]:
            self._positions[one.partition] = one.offset + 1
        return found[:messages_max]

    def lag(self) -> dict[int, int]:
        return {}

    def send(self, partition: int, message: bytes) -> bool:
        self._log.add(partition, message)
        return True

    def poll(self) -> None:
        pass

    async def append(self, partition: int, message: bytes) -> None:
        self._log.add(partition, message)
        self._log.appended.set()


class MachineInMemory:
    """One machine, from its start to ``close``. ``fault`` is why it does not go on."""

    def __init__(self, path: Path, log: MemoryLog, machine: Machine, versions: RuleVersions = KNOWN) -> None:
        self.path, self.log, self.machine = path, log, machine
        self.store = LmdbReplica(path)
        self.store.join(Membership(machine.cluster, machine.identifier, {"in memory": "1"}))
        client: Any = _Client(log, {p: state.offset for p, state in self.store.partitions().items()})
        now, metrics = (lambda: log.now), ReplicatorMetrics()
        clocks = now, lambda: log.now * 1000
        self.replicator = Replicator(self.store, client, client, machine, metrics, *clocks, versions)
        self.writer = LogWriter(client, self.store, machine, now, lambda: 1)
        self.fault: Exception | None = None

    def turn(self) -> None:
        if self.fault is None:
            try:
                self.replicator.turn()
            except CANNOT_GO_ON as fault:
                self.fault = fault

    def unconfirmed_s(self, partition: int) -> float | None:
        """Return for how long a partition has not been confirmed."""
        age: float | None = self.replicator.report()["partitions"][str(partition)]["confirmed_age_s"]
        return age

    def close(self) -> None:
        self.store.close_here()

    def again(self, versions: RuleVersions = KNOWN) -> "MachineInMemory":
        """Return the machine after another start, by a program that knows these versions of the rules."""
        self.close()
        return MachineInMemory(self.path, self.log, self.machine, versions)


def pass_seconds(log: MemoryLog, seconds: int, *machines: MachineInMemory) -> None:
    """Let time pass; in each second each machine has two turns."""
    for _ in range(seconds):
        log.now += SECOND
        for _ in range(2):
            for machine in machines:
                machine.turn()
