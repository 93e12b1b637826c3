"""What must be so after all faults: each acknowledged record is on each machine, no change was made twice, and all
machines have come to the same state."""

import asyncio
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from onecode_server.settings.data_directory import DataDirectory
from onecode_server.stores import layout
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.protocol import Unreadable

from demo.cluster.cluster import Cluster
from demo.cluster.traffic import end
from demo.deployment import ONECODE

_POLL_S: Final = 0.5
_CHUNK: Final = 1000
_STATUS_S: Final = 120.0


class Feeds:
    """Reads the change feeds of machines that run, which keep their newest 100,000 changes.

    ``twice`` counts subjects that one machine has changed more than once: each was published once, with one revision.
    """

    def __init__(self, stores: Sequence[Path]) -> None:
        self.twice = 0
        self._stores = [LmdbReplica(store) for store in stores]
        self._after = [0] * len(self._stores)
        self._changed: dict[bytes, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Read to the end. Raises what reading has failed with."""
        if self._task is not None:
            await end([self._task])
        self._read()
        for store in self._stores:
            store.close_here()

    def faults(self, subjects: Sequence[bytes]) -> Iterator[str]:
        """Yield what is wrong with the changes that were read, where ``subjects`` were acknowledged."""
        if self.twice:
            yield f"{self.twice} changes were made twice"
        everywhere = (1 << len(self._stores)) - 1
        if lacking := sum(self._changed.get(subject) != everywhere for subject in subjects):
            yield f"{lacking} acknowledged records are in no change feed of some machine"

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_POLL_S)
            self._read()

    def _read(self) -> None:
        for place, store in enumerate(self._stores):
            after = self._after[place]
            position, subjects = _changes(store, after)
            if position - after != len(subjects):
                raise SystemExit("a change feed was read too late: it has dropped changes meanwhile")
            self._after[place] = position
            for subject in subjects:
                known = self._changed.get(subject, 0)
                self.twice += known >> place & 1
                self._changed[subject] = known | 1 << place


def _changes(store: LmdbReplica, after: int) -> tuple[int, list[bytes]]:
    """Return the position of the newest change, and the subjects changed after another one. ``changes`` of the store
    itself stops at 20,000: fewer than a machine applies in a second."""

    def read(txn: Any) -> tuple[int, list[bytes]]:
        cursor = txn.cursor(db=store._changes)
        if not cursor.set_range(layout.number(after + 1)):
            return after, []
        found = [(layout.read_number(key), layout.unpack_change(value)[0]) for key, value in cursor]
        return found[-1][0], [subject for _, subject in found]

    return store._env.read_here(read)


async def missing(data: Path, subjects: Sequence[bytes]) -> int:
    """Return how many subjects have not the one record that was published, in the store of a machine that has ended."""
    count, store = 0, LmdbReplica(DataDirectory(data).store)
    try:
        for first in range(0, len(subjects), _CHUNK):
            there = (await store.statuses(subjects[first : first + _CHUNK])).records
            count += sum(isinstance(one, Unreadable) or [record.revision for record in one] != [1] for one in there)
    finally:
        await store.close()
    return count


def differing(cluster: Cluster) -> list[str]:
    """Return a line for each machine by whose ``onecode log status`` a digest or an audit head differs."""
    lines = []
    for machine in cluster.machines:
        command = [str(ONECODE), "log", "status", "--data-dir", str(machine.data_dir)]
        command += ["--log", f"kafka://{cluster.brokers.plaintext}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_STATUS_S, check=False)
        if done.returncode:
            lines.append(f"log status of machine {machine.number}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return lines
