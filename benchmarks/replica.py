"""How fast a machine of a shared log gets its records: from a backup, and by applying the log, each commit on disk.

``python -m benchmarks.replica restore`` makes a store of 10 million subjects, backs it up, lets the log have a million
records more, restores the backup for another machine, and has it catch up. ``python -m benchmarks.replica apply`` has a
machine apply records all over a store. Both run three brokers of their own (``make brokers``), whose CPU is not ours:
what is printed as CPU is that of applying. The status is 1 where a bar is missed.
"""

import asyncio
import os
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from onecode_server.crypto.signing import Signer
from onecode_server.log import topics
from onecode_server.log.address import LogAddress
from onecode_server.log.appender import LogAppender
from onecode_server.replica import open_replicator
from onecode_server.replication import message_form
from onecode_server.replication.enrolment import enrol
from onecode_server.replication.machine import read_machine
from onecode_server.replication.messages import RANDOM_BYTES, Chunk, identifier_in
from onecode_server.replication.rule_versions import RULES
from onecode_server.settings.config import Settings
from onecode_server.stores import lmdb_backup, lmdb_manifest
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.protocol import Publication
from onecode_server.stores.replica_layout import Membership
from onecode_server.system.clock import wall_clock
from onecode_server.telemetry.log_metrics import ReplicatorMetrics

from benchmarks.replica_records import chunks_of, fill, record_of
from benchmarks.report import plain_table
from benchmarks.store import PARTS
from tests.brokers.cluster import Brokers

RESTORE_BAR_S: Final = 120.0
"""A machine of 10 million subjects that missed a million records is back within two minutes."""
APPLY_BAR: Final = 30_000
"""Records a second that one machine applies, each commit on disk: the country, three times over in two days."""
ON_THE_WAY: Final = 64
"""Chunks that are appended at once: what is measured is not the appending."""
_HOUR_US: Final = 3_600_000_000


class Caught(NamedTuple):
    """What applying took: seconds, of them in transactions before their commits and in commits, and seconds of CPU."""

    records: int
    seconds: float
    apply_s: float
    commit_s: float
    cpu_s: float


async def append(log: LogAddress, data: Path, count: int, subjects: int, advance: Callable[[int], None]) -> None:
    """Append chunks of 1,000 records of random subjects of a store."""
    machine, appender, free = read_machine(data), LogAppender(log, "benchmark"), asyncio.Semaphore(ON_THE_WAY)
    chance, record = random.Random(count), record_of(2)

    async def send(partition: int, chosen: list[bytes]) -> None:
        identifier = identifier_in(partition, secrets.token_bytes(RANDOM_BYTES))
        publications = tuple(Publication(subject, record) for subject in chosen)
        chunk = Chunk(machine.identifier, identifier, wall_clock(), RULES, 1, publications)
        try:
            await appender.append(partition, machine.sealer.seal(message_form.encode(chunk), partition))
        finally:
            free.release()
        advance(len(chosen))

    try:
        async with asyncio.TaskGroup() as sending:
            for partition, chosen in chunks_of(chance, subjects, count):
                await free.acquire()
                sending.create_task(send(partition, chosen))
    finally:
        await appender.close()


def catch_up(settings: Settings, records: int) -> Caught:
    """Apply the log on this thread until so many records are applied."""
    metrics = ReplicatorMetrics()
    with open_replicator(settings, metrics) as replicator:
        began_s, cpu_s, done = time.perf_counter(), time.thread_time(), 0.0
        while done < records:
            replicator.turn()
            done = _sample(metrics, "onecode_log_applied_records_total", outcome="taken")
        seconds, cpu_s = time.perf_counter() - began_s, time.thread_time() - cpu_s
        apply_s, commit_s = (
            _sample(metrics, "onecode_log_batch_seconds_sum", operation=one) for one in ("apply", "commit")
        )
        return Caught(records, seconds, apply_s, commit_s, cpu_s)


def _sample(metrics: ReplicatorMetrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


class Made(NamedTuple):
    """Brokers with empty topics, and the place for data directories of machines of one cluster."""

    log: LogAddress
    path: Path
    cluster: Signer

    def machine(self, name: str) -> tuple[Path, Settings, Membership]:
        """Make the data directory of a member."""
        data = self.path / name
        data.mkdir()
        identifier = enrol(data, self.cluster, wall_clock() + _HOUR_US).machine
        named = {"data_dir": str(data), "log": f"kafka://{','.join(self.log.brokers)}"}
        settings = Settings.read(named | {"log_topic_prefix": self.log.prefix})
        return data, settings, Membership(self.cluster.public_key, identifier, topics.topic_ids(self.log))


@contextmanager
def made(where: Path | None) -> Iterator[Made]:
    """Start three brokers, and end them."""
    with tempfile.TemporaryDirectory(prefix="onecode-replica-", dir=where) as directory:
        path = Path(directory)
        brokers = Brokers(path / "brokers")
        try:
            log = LogAddress(tuple(brokers.plaintext.split(",")), prefix=brokers.fresh_prefix())
            topics.create(log, topics.REPLICAS)
            brokers.await_topics(*topics.names(log))
            yield Made(log, path, Signer(secrets.token_bytes(32)))
        finally:
            brokers.kill()


@contextmanager
def bar(console: Console, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar; yields what moves it on by a number."""
    columns = (TextColumn(what), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.advance(task, done)


def show(console: Console, steps: list[tuple[str, float, str]]) -> None:
    """Print what each step took, and the load of the machine."""
    table = plain_table()
    for column in ("", "s", ""):
        table.add_column(column, justify="left" if not column else "right")
    for what, seconds, rate in steps:
        table.add_row(what, f"{seconds:.1f}", rate)
    console.print(table)
    console.print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, the brokers among it")


def of_caught(caught: Caught) -> list[tuple[str, float, str]]:
    """Return the rows of what applying took."""
    each = 1e6 / caught.records
    return [
        (f"apply {caught.records:,} records", caught.seconds, f"{caught.records / caught.seconds:,.0f} records/s"),
        ("  in transactions", caught.apply_s, f"{caught.apply_s * each:.1f} us a record"),
        ("  in commits, with fsync", caught.commit_s, f"{caught.commit_s * each:.1f} us a record"),
        ("  CPU of the thread", caught.cpu_s, f"{caught.cpu_s * each:.1f} us a record"),
    ]


@click.group()
def main() -> None:
    """Measure how fast a machine of a shared log gets its records."""


_subjects = click.option("--subjects", default=10_000_000, show_default=True, type=click.IntRange(PARTS))
_records = click.option("--records", default=1_000_000, show_default=True, type=click.IntRange(PARTS))
_where = click.option("--dir", "where", type=click.Path(path_type=Path), help="Where all is made, and removed again.")


@main.command()
@_subjects
@_records
@_where
def restore(subjects: int, records: int, where: Path | None) -> None:
    """Back a store up, restore it for another machine, and have that catch up."""
    console, steps = Console(), list[tuple[str, float, str]]()

    def timed(what: str, work: Callable[[], Any], size: Callable[[], float]) -> None:
        began_s = time.perf_counter()
        work()
        seconds = time.perf_counter() - began_s
        steps.append((what, seconds, f"{size() / seconds / 1e6:,.0f} MB/s"))

    with made(where) as here:
        first, _, membership = here.machine("first")
        with bar(console, "filling", subjects) as advance:
            fill(first / "store", subjects, membership, advance)
        copy = here.path / "backup"
        mib = [(first / "store" / "data.mdb").stat().st_size]
        timed("back up", lambda: lmdb_backup.backup(first / "store", copy), lambda: mib[0])
        found: dict[str, Any] = {}
        timed("manifest, with SHA-256", lambda: found.update(lmdb_manifest.describe(copy)), lambda: mib[0])
        with bar(console, "appending", records) as advance:
            asyncio.run(append(here.log, first, records, subjects, advance))
        second, settings, membership = here.machine("second")

        def bring_back() -> None:
            lmdb_backup.restore(copy, second / "store", found["sha256"], lambda _: None)
            replica = LmdbReplica(second / "store")
            replica.adopt(membership.machine)
            replica.close_here()

        timed(f"restore {subjects:,} subjects", bring_back, lambda: mib[0])
        caught = catch_up(settings, records)
        steps += of_caught(caught)
    total_s = steps[2][1] + caught.seconds
    show(console, [*steps, ("restored and caught up", total_s, f"bar: {RESTORE_BAR_S:.0f} s")])
    sys.exit(total_s > RESTORE_BAR_S)


@main.command()
@_subjects
@_records
@_where
def apply(subjects: int, records: int, where: Path | None) -> None:
    """Apply records of random subjects of a store."""
    console = Console()
    with made(where) as here:
        data, settings, membership = here.machine("machine")
        with bar(console, "filling", subjects) as advance:
            fill(data / "store", subjects, membership, advance)
        with bar(console, "appending", records) as advance:
            asyncio.run(append(here.log, data, records, subjects, advance))
        caught = catch_up(settings, records)
    show(console, [*of_caught(caught), ("at the bar", records / APPLY_BAR, f"{APPLY_BAR:,} records/s")])
    sys.exit(caught.records / caught.seconds < APPLY_BAR)


if __name__ == "__main__":
    main()
