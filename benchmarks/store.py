"""What a look-up costs in a store of 10 million subjects, against one of 100 thousand, and what disk a subject takes.

``python -m benchmarks.store`` fills two stores through ``LmdbStore`` and asks each for subjects in random order, every
one once, as many to a call as the engine asks for. Each measurement is a process of its own, so that nothing of the
store is mapped or resident before. The status is 1 where a bar is missed.
"""

import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from onecode_server.model.status import SUBJECT_BYTES, Level, Scope, StatusRecord
from onecode_server.rules import publication
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.protocol import Publication, Records

from benchmarks.report import circumstances, plain_table, write

BATCH: Final = 64
"""Subjects to a call: the engine asks for a slice of codes at once."""
WARM_LOOKUPS: Final = 100_000
COLD_LOOKUPS: Final = 12_800
"""Fewer, since each may be a read of the disk."""
PARTS: Final = 256
"""A store is filled part by part of the key space, by the first byte, one commit each. Within a part the order is
random, and a leaf's fill depends on the order of its own keys alone: the tree is the one that random order over all
keys makes, without having every page of it written again in each commit."""
COMMITS, COMMIT_RECORDS = 20, 1000
"""At the end so many records change in commits of a usual size, all over the store, so that what a store in service
keeps free for its next commits is there too."""
RATIO_BAR, RATIO_AIM = 5.0, 2.0
DISK_BAR, DISK_AIM = 120.0, 60.0
RESULTS: Final = Path(__file__).parent / "results"

_NOW: Final = 1_795_000_000_000_000  # 2026-11-18, Unix microseconds: the same records in every run
_PUBLISHED: Final = _NOW + 1_800_000_000  # half an hour after they took effect


class Lookups(NamedTuple):
    """What a look-up took: microseconds of CPU and of wall time, bytes of the disk; and what the process held then."""

    cpu_us: float
    wall_us: float
    disk_bytes: float
    anonymous_mib: float


class Measured(NamedTuple):
    """One store: its size, the time to fill it, and look-ups with its file in the page cache and without."""

    subjects: int
    bytes_on_disk: int
    fill_s: float
    warm: Lookups
    cold: Lookups

    @property
    def bytes_a_subject(self) -> float:
        """The bytes on disk that a subject takes, everything else in the store included."""
        return self.bytes_on_disk / self.subjects


def subjects_of(part: int, count: int) -> Iterator[bytes]:
    """Yield a part's pseudonyms of a store of ``count`` subjects, in random order; always the same."""
    size = count * (part + 1) // PARTS - count * part // PARTS
    chance, rest = random.Random(part), SUBJECT_BYTES - 1
    many = chance.randbytes(rest * size)
    for start in range(0, len(many), rest):
        yield bytes([part]) + many[start : start + rest]


def sample(count: int, wanted: int) -> list[bytes]:
    """Return ``wanted`` different subjects of a store in random order, from all over it."""
    each = -(-wanted // PARTS)
    chosen = [one for part in range(PARTS) for _, one in zip(range(each), subjects_of(part, count), strict=False)]
    random.Random(wanted).shuffle(chosen)
    return chosen[:wanted]


async def fill(directory: Path, count: int, advance: Callable[[int], None]) -> None:
    """Make a store with a record for each of ``count`` subjects."""
    store = LmdbStore(directory, lambda: _PUBLISHED)
    try:
        for part in range(PARTS):
            publications = [Publication(subject, _record(1)) for subject in subjects_of(part, count)]
            await store.publish(publications, _merge)
            advance(len(publications))
        changing = sample(count, min(COMMITS * COMMIT_RECORDS, count))
        for start in range(0, len(changing), COMMIT_RECORDS):
            chunk = changing[start : start + COMMIT_RECORDS]
            await store.publish([Publication(subject, _record(2)) for subject in chunk], _merge)
    finally:
        await store.close()


def measured_afresh(directory: Path, subjects: list[bytes], *, cold: bool) -> Lookups:
    """Look every one of ``subjects`` up once, in a process that has not touched the store; ``cold``: nor has anybody.

    Raises ValueError where a subject has no record.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
        return fresh.submit(_measured, directory, subjects, cold=cold).result()


def _measured(directory: Path, subjects: list[bytes], *, cold: bool) -> Lookups:
    read_through(directory / "data.mdb", drop=cold)
    return uvloop.run(_measure(directory, subjects))


async def _measure(directory: Path, subjects: list[bytes]) -> Lookups:
    store = LmdbStore(directory, lambda: _PUBLISHED)
    try:
        disk, cpu_s, wall_s = disk_bytes(), time.process_time(), time.perf_counter()
        for start in range(0, len(subjects), BATCH):
            found = await store.statuses(subjects[start : start + BATCH])
            if not all(found.records):
                raise ValueError("a subject has no record")
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
        each = 1e6 / len(subjects)
        return Lookups(cpu_s * each, wall_s * each, (disk_bytes() - disk) / len(subjects), anonymous_mib())
    finally:
        await store.close()


def _record(revision: int) -> StatusRecord:
    return StatusRecord("420000", Scope.NATIONAL, Level.GREEN, _NOW, None, revision)


def _merge(records: Records, record: StatusRecord) -> Records | None:
    merged = publication.merge(records, record, _PUBLISHED)
    return merged if isinstance(merged, tuple) else None


def read_through(file: Path, *, drop: bool) -> None:
    """Bring a file into the kernel's page cache, or out of it: only clean pages that nobody has mapped go."""
    opened = os.open(file, os.O_RDONLY)
    try:
        if drop:
            os.fsync(opened)
            os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
        else:
            while os.read(opened, 2**24):
                pass
    finally:
        os.close(opened)


def disk_bytes() -> int:
    """Return the bytes that this process made the system read from a disk (proc(5)): nothing that was in memory."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes:"))


def anonymous_mib() -> float:
    """Return the memory of this process that is no file's (proc(5)): the store's mapped pages are not counted."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024


def run(directory: Path, count: int, progress: Progress) -> Measured:
    """Fill and measure one store."""
    task = progress.add_task(f"filling with {count:,}", total=count)
    started_s = time.perf_counter()
    asyncio.run(fill(directory, count, lambda done: progress.advance(task, done)))
    fill_s = time.perf_counter() - started_s
    bytes_on_disk = (directory / "data.mdb").stat().st_blocks * 512
    found = []
    for lookups, cold in ((WARM_LOOKUPS, False), (COLD_LOOKUPS, True)):
        task = progress.add_task(f"looking up, {'cold' if cold else 'warm'}", total=1)
        found.append(measured_afresh(directory, sample(count, min(lookups, count)), cold=cold))
        progress.advance(task)
    return Measured(count, bytes_on_disk, fill_s, *found)


def show(small: Measured, large: Measured, console: Console) -> bool:
    """Print the table, and tell whether both bars were kept."""
    table = plain_table()
    table.add_column("")
    for one in (small, large):
        table.add_column(f"{one.subjects:,}", justify="right")
    for column in ("ratio", "bar", "aim"):
        table.add_column(column, justify="right")
    ratio_goals, disk_goals = (f"{RATIO_BAR:g}", f"{RATIO_AIM:g}"), (f"{DISK_BAR:g}", f"{DISK_AIM:g}")
    for state in ("warm", "cold"):
        pair: tuple[Lookups, Lookups] = getattr(small, state), getattr(large, state)
        for what, field in (("us of CPU", "cpu_us"), ("us", "wall_us")):
            low, high = (getattr(one, field) for one in pair)
            goals = ratio_goals if state == "warm" else ("", "")
            table.add_row(f"{state}: {what} a look-up", f"{low:.2f}", f"{high:.2f}", f"{high / low:.2f}", *goals)
        table.add_row(f"{state}: bytes of the disk a look-up", *(f"{one.disk_bytes:,.0f}" for one in pair))
        table.add_row(f"{state}: anonymous MiB", *(f"{one.anonymous_mib:.0f}" for one in pair))
        table.add_section()
    table.add_row("bytes on disk a subject", *(f"{one.bytes_a_subject:.1f}" for one in (small, large)), "", *disk_goals)
    table.add_row("seconds to fill it", *(f"{one.fill_s:.0f}" for one in (small, large)))
    console.print(table)
    console.print(
        "warm: the file is in the page cache, and no process has it mapped. cold: nor is it in the page cache."
    )
    return large.warm.cpu_us / small.warm.cpu_us <= RATIO_BAR and large.bytes_a_subject <= DISK_BAR


@click.command()
@click.option("--small", default=100_000, show_default=True, type=click.IntRange(PARTS), help="Subjects.")
@click.option("--large", default=10_000_000, show_default=True, type=click.IntRange(PARTS), help="Subjects.")
@click.option("--dir", "where", type=click.Path(path_type=Path), help="Where the stores are made, and removed again.")
def main(small: int, large: int, where: Path | None) -> None:
    """Fill both stores, measure, print a table, write JSON."""
    console, columns = Console(), (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with tempfile.TemporaryDirectory(prefix="onecode-store-", dir=where) as made:
        needed, free = max(small, large) * round(DISK_BAR), shutil.disk_usage(made).free
        if free < 2 * needed:
            raise click.ClickException(f"{made} has {free / 2**30:.1f} GiB free, of {2 * needed / 2**30:.1f} needed")
        with Progress(*columns, console=console, transient=True) as progress:
            found = [run(Path(made) / str(count), count, progress) for count in (small, large)]
    kept = show(found[0], found[1], console)
    rows = [{**one._asdict(), "warm": one.warm._asdict(), "cold": one.cold._asdict()} for one in found]
    about: dict[str, Any] = circumstances("python -m benchmarks.store")
    write({**about, "stores": rows}, RESULTS / "store.json")
    console.print(f"written: {RESULTS.name}/store.json")
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
