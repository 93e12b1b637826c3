"""What a log costs those who check: codes in a second of the answering worker's CPU, on a machine that applies a log
and on one that has none, in turns.

Records are published through the other machines. This one applies all of them, in its replicator, whose CPU is printed
beside; its worker reads the change feed. The machine without a log takes no records.
"""

import asyncio
import shutil
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Final, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console

from onecode.v1 import status_pb2 as pb
from onecode_client import OperatorClient

from benchmarks import cases, load, servers, workload
from benchmarks.log_drills.drilled import Drilled, load_of_computer
from benchmarks.log_drills.faults import applier
from benchmarks.log_drills.publisher import Publisher
from benchmarks.processes import cpu_s
from benchmarks.report import plain_table
from benchmarks.servers import Server
from demo.cluster.machine import Machine

SHARE: Final = 0.9
"""The share of the codes that a machine without a log answers, which one with a log must answer."""
CODES: Final = 1000
"""The codes of each region; half of the bearers have a record."""
PATIENCE_S: Final = 60.0


class Turn(NamedTuple):
    """A round at each machine: codes in a second of the worker's CPU, and how much of a core the replicator took."""

    with_log: float
    without: float
    replicator: float


class Measured(NamedTuple):
    """All turns, and the records that were acknowledged meanwhile, a second."""

    turns: list[Turn]
    records: float


def run(
    drilled: Drilled, path: Path, records_a_second: float, rounds: int, seconds: float, tick: Callable[[int], None]
) -> Measured:
    """Measure both machines in turns."""
    machine, *others = drilled.machines
    data_dir = _copied(machine, path / "without")
    with servers.running("without", servers.onecode(data_dir), data_dir) as alone:
        codes = {home: workload.issue(machine.data_dir, home, CODES) for home in workload.POOLS["national"]}
        for address in (machine.address, alone.address):
            _publish(address, codes)
        bodies = load.bodies_of(cases.BATCH, [code for issued in codes.values() for code in issued])
        turns = []
        with _publishing(lambda: Publisher(others, drilled.pseudonym_key, records_a_second)) as published:
            time.sleep(seconds)
            for number in range(rounds + 1):
                turn = _turn(machine, alone, bodies, seconds)
                if number:  # the first one warms caches
                    turns.append(turn)
                    tick(1)
    return Measured(turns, published[0])


def _turn(machine: Machine, alone: Server, bodies: Sequence[bytes], seconds: float) -> Turn:
    pid = applier(machine)
    used_s, began_s = cpu_s(pid), time.monotonic()
    worker = Server("with", int(machine.health()["workers"]["0"]["pid"]), machine.address)
    with_log = _rate(worker, bodies, seconds)
    replicator = (cpu_s(pid) - used_s) / (time.monotonic() - began_s)
    return Turn(with_log, _rate(alone, bodies, seconds), replicator)


def _rate(server: Server, bodies: Sequence[bytes], seconds: float) -> float:
    """Return the codes that a process answers in a second of its CPU."""
    found = load.run(cases.BATCH, cycle(bodies), server, seconds)
    return found.codes / found.cpu_s


def _copied(machine: Machine, data_dir: Path) -> Path:
    """Copy a machine's deployment without what makes it a member of a cluster."""
    not_its_own = shutil.ignore_patterns("store", "machine.*", "cluster.*", "server.log")
    shutil.copytree(machine.data_dir, data_dir, ignore=not_its_own)
    return data_dir


def _publish(address: str, codes: Mapping[str, Sequence[bytes]]) -> None:
    """Publish a record of every other bearer of each home."""
    now = Timestamp()
    now.GetCurrentTime()
    records = [
        pb.StatusRecord(
            publisher=home,
            subject=pb.SubjectRef(code=code),
            level=pb.LEVEL_GREEN,
            scope=pb.SCOPE_NATIONAL,
            effective_at=now,
            revision=1,
        )
        for home, issued in codes.items()
        for code in issued[::2]
    ]
    with OperatorClient(address) as client:
        answers = list(client.publish(records, patience_s=PATIENCE_S))
    if any(answer.rejections for answer in answers) or answers[-1].durable_through != len(records):
        raise SystemExit(f"the records of the checked bearers were not taken: {answers[-1]}")


@contextmanager
def _publishing(make: Callable[[], Publisher]) -> Iterator[list[float]]:
    """Publish on another thread until the block ends; the list has the records a second then. Raises what publishing
    has failed with."""
    ends, published = threading.Event(), list[float]()

    async def publish() -> float:
        publisher, began_s = make(), time.monotonic()
        publisher.start()
        await asyncio.to_thread(ends.wait)
        await publisher.stop()
        return len(publisher.acknowledged) / (time.monotonic() - began_s)

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(lambda: asyncio.run(publish()))
        try:
            yield published
        finally:
            ends.set()
        published.append(running.result())


def ratio(turns: Sequence[Turn]) -> float:
    """Return the median over the turns of what a machine with a log answers, over what one without answers."""
    return statistics.median(turn.with_log / turn.without for turn in turns)


def show(console: Console, measured: Measured) -> None:
    """Print the medians, and the spread of the ratios."""
    table = plain_table("with a log", "without", "ratio", "lowest", "highest", "replicator, cores")
    turns = measured.turns
    ratios = [turn.with_log / turn.without for turn in turns]
    table.add_row(
        f"{statistics.median(turn.with_log for turn in turns):,.0f}",
        f"{statistics.median(turn.without for turn in turns):,.0f}",
        *(f"{one:.3f}" for one in (ratio(turns), min(ratios), max(ratios))),
        f"{statistics.median(turn.replicator for turn in turns):.3f}",
    )
    console.print("codes in a second of the worker's CPU, BatchVerify of 1,000", table)
    console.print(f"beside {measured.records:,.0f} records a second; {load_of_computer()}", highlight=False)
