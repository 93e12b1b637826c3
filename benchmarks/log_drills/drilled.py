"""A cluster that is drilled: three brokers and three machines, in networks that can be cut where the system allows."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from onecode_server.settings.data_directory import DataDirectory

from benchmarks.log_drills import networks
from benchmarks.log_drills.networks import Link, Networks
from demo.brokers.cluster import NODES
from demo.brokers.node import HERE, Node, Place
from demo.cluster.cluster import MACHINES, Cluster
from demo.cluster.machine import Machine, Report

SMALL_DISK_MIB: Final = 512
"""Room for what a drill writes in half an hour, and little enough to be filled in a second."""
CONFIRMED_S: Final = 2.0
"""The age of a machine's newest mark in each partition, when all is well: one is sent each second."""
SETTLED_S: Final = 120.0
"""The time until a cluster is whole after a fault. Only a computer that is busy with other things takes as long."""
_POLL_S: Final = 0.25


class Unsettled(SystemExit):
    """A cluster was not whole within SETTLED_S. It ends the program where nobody takes it."""


class Drilled(NamedTuple):
    """A cluster that runs below ``path``. ``links`` is empty where no network can be cut."""

    cluster: Cluster
    path: Path
    links: dict[str, Link]
    small: Node | None
    pseudonym_key: bytes

    @property
    def machines(self) -> list[Machine]:
        """The machines."""
        return self.cluster.machines


@contextmanager
def drilled(tell: Callable[[str], None], made: Networks | None = None) -> Iterator[Drilled]:
    """Start a cluster, and end it: in networks that were made for it, where there are such."""
    with tempfile.TemporaryDirectory(prefix="onecode-log-drills-", ignore_cleanup_errors=True) as directory:
        path, links = Path(directory), dict[str, Link]()
        brokers, machines = [HERE] * NODES, [HERE] * MACHINES
        disk = path / "brokers" / f"node-{NODES}" / "data"
        if made is not None:
            brokers = _joined(links, "broker", made.broker, NODES)
            machines = _joined(links, "machine", made.machine, MACHINES)
            networks.small_disk(disk, SMALL_DISK_MIB)
        try:
            cluster = Cluster(path, tell, brokers, machines)
            try:
                await_well(cluster)
                key = DataDirectory(cluster.machines[0].data_dir).read_pseudonym_key()
                small = cluster.brokers.nodes[-1] if made is not None else None
                yield Drilled(cluster, path, links, small, key)
            finally:
                cluster.close()
        finally:
            if made is not None:
                networks.unmount(disk)


def _joined(links: dict[str, Link], what: str, make: Callable[[int], tuple[Place, Link]], count: int) -> list[Place]:
    places = []
    for number in range(1, count + 1):
        place, links[f"{what} {number}"] = make(number)
        places.append(place)
    return places


def await_well(cluster: Cluster) -> None:
    """Wait until all replicas of the brokers are in sync, and each machine is confirmed in all partitions. Raises
    Unsettled where that does not come; ends the program where a machine has stopped applying."""
    cluster.brokers.await_ready(SETTLED_S)
    ends_s = time.monotonic() + SETTLED_S
    while not all(is_well(report) for report in reports(cluster)):
        if time.monotonic() > ends_s:
            raise Unsettled(f"the machines are not confirmed within {SETTLED_S:g} s: {_ages(cluster)}")
        time.sleep(_POLL_S)


def is_well(report: Report | None) -> bool:
    """Tell whether a machine was confirmed in all partitions just now. Ends the program where it has stopped."""
    if report is not None and report.stopped:
        raise SystemExit(f"a machine has stopped applying the log: {report.stopped}")
    return report is not None and report.confirmed_age_s is not None and report.confirmed_age_s <= CONFIRMED_S


def _ages(cluster: Cluster) -> str:
    """Return what each machine says of itself, in a line."""
    found = [report and (report.confirmed_age_s, report.fault) for report in reports(cluster)]
    return "; ".join("no answer" if one is None else f"age {one[0]} s, fault {one[1]}" for one in found)


def reports(cluster: Cluster) -> list[Report | None]:
    """Return what each machine says of its log."""
    return [machine.report() for machine in cluster.machines]


def await_equal(cluster: Cluster) -> bool:
    """Wait until the machines have the same digests while nothing is published; tell whether that came."""
    ends_s = time.monotonic() + SETTLED_S
    while time.monotonic() < ends_s:
        found = reports(cluster)
        if all(is_well(report) for report in found) and len({one.digests for one in found if one is not None}) == 1:
            return True
        time.sleep(_POLL_S)
    return False


def load_of_computer() -> str:
    """Return how busy the computer is: brokers, machines and the drill share it."""
    return f"load of the computer {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, the cluster among it"


def tell(text: str) -> None:
    """Print a line about a step, beside the tables."""
    print(text, file=sys.stderr, flush=True)
