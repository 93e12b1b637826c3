"""What a store costs that is larger than the memory for it: look-ups of slices of codes, and applying the log.

``python -m benchmarks.beyond_memory`` makes a machine's store. For each share of it that may stay in memory, processes
of their own look subjects up and apply records of random subjects. From its first look-up or record on, all that such a
process takes (pages of the file, those that it writes, what else it asks for) is bounded by a control group.
"""

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from onecode_server.replication.messages import CHUNK_RECORDS_MAX

from benchmarks.beyond_memory.applying import MEMBERSHIP, Applying, apply_records
from benchmarks.beyond_memory.group import NoGroups, expect, group
from benchmarks.beyond_memory.looking_up import SLICE, Lookups, look_up
from benchmarks.replica_records import fill
from benchmarks.report import circumstances, plain_table, write
from benchmarks.store import PARTS, RESULTS

SHARES: Final = (1.0, 0.25)
"""Parts of the store for which there is memory. Of the whole there is no bound: nothing waits for the disk."""
OWN_MIB: Final = 16
"""Memory beside the store's share, and beside what applying was seen to ask for when nothing bounded it: threads, and
the kernel's tables of pages."""
COLUMNS: Final = (
    "memory of\nthe store",
    "MiB",
    "codes/s\nlooked up",
    "slice\np50 ms",
    "p99 ms",
    "not\nanswered",
    "KB of the\ndisk a code",
    "records/s\napplied",
    "in\ncommits",
    "KB of the\ndisk each",
)

_T = TypeVar("_T")


class Row(NamedTuple):
    """The figures of one share of the store, which is so many bytes; 1 is without a bound."""

    share: float
    stored: int
    lookups: Lookups
    applying: Applying


def memory_for(share: float, size: int, own_mib: float) -> int:
    """Return the bytes of memory for a share of a store of ``size`` bytes, and for what a process itself asks for; 0,
    which is no bound, for all of it."""
    return 0 if share >= 1 else round(size * share + (own_mib + OWN_MIB) * 2**20)


def cells(row: Row) -> tuple[str, ...]:
    """Return a row of the table."""
    share, stored, lookups, applying = row
    return (
        f"{share:.1%}" if share < 1 else "all",
        f"{stored / 2**20:,.0f}",
        f"{lookups.codes_per_s:,.0f}",
        f"{lookups.p50_ms:.1f}",
        f"{lookups.p99_ms:.1f}",
        f"{lookups.unanswered} of {lookups.slices}",
        f"{lookups.disk_bytes / 1e3:,.1f}",
        f"{applying.records_per_s:,.0f}",
        f"{applying.commit_share:.0%}",
        f"{applying.disk_bytes / 1e3:,.1f}",
    )


def measured_afresh(memory: int, work: Callable[..., _T], *given: Any) -> _T:
    """Return what ``work`` makes of the store, the group and what is given, with so many bytes of memory, in a process
    that has not touched the store, nor has anybody. Raises click.ClickException where the process was killed."""
    store, *rest = given
    try:
        with group(memory) as made, ProcessPoolExecutor(1, get_context("spawn")) as fresh:
            return fresh.submit(work, store, made, *rest).result()
    except BrokenProcessPool:
        raise click.ClickException(f"a process was killed: {memory / 2**20:,.0f} MiB are too few for it") from None


def read_ahead_kb(directory: Path) -> int | None:
    """Return the KiB that the kernel reads around a page of a file in this directory; None where it does not say."""
    device = directory.stat().st_dev
    told = Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb")
    return int(told.read_text()) if told.exists() else None


@click.command(context_settings={"show_default": True})
@click.option("--subjects", default=4_000_000, type=click.IntRange(PARTS))
@click.option("--slices", default=200, type=click.IntRange(10), help=f"Of {SLICE} look-ups.")
@click.option("--records", default=60_000, type=click.IntRange(10 * CHUNK_RECORDS_MAX), help="To apply.")
@click.option("--seconds", default=5.0, type=click.FloatRange(1), help="Of each measurement, at the most.")
@click.option("--share", "shares", multiple=True, default=SHARES, type=click.FloatRange(0.01, 1), help="In memory.")
@click.option("--dir", "where", type=click.Path(path_type=Path), help="Where the store is made, and removed again.")
def main(
    subjects: int, slices: int, records: int, seconds: float, shares: tuple[float, ...], where: Path | None
) -> None:
    """Make a store, measure with ever less memory, print a table, write JSON. All of the store is in memory first."""
    try:
        expect()
    except NoGroups as fault:
        raise click.ClickException(str(fault)) from None
    console, rows, own_mib = Console(), list[Row](), 0.0
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with (
        tempfile.TemporaryDirectory(prefix="onecode-beyond-memory-", dir=where) as made,
        Progress(*columns, console=console, transient=True) as progress,
    ):
        store, task = Path(made), progress.add_task("filling", total=subjects)
        fill(store, subjects, MEMBERSHIP, lambda done: progress.advance(task, done))
        size, around_kb = (store / "data.mdb").stat().st_size, read_ahead_kb(store)
        for turn, share in enumerate(sorted({1.0, *shares}, reverse=True)):
            going_on = progress.add_task(f"with memory for {share:.1%}", total=None)
            enough = memory_for(share, size, 0.0)
            lookups = measured_afresh(enough, look_up, store, subjects, slices, seconds)
            enough = memory_for(share, size, own_mib)
            applying = measured_afresh(enough, apply_records, store, subjects, records, turn, seconds)
            own_mib = max(own_mib, applying.anonymous_mib)
            rows.append(Row(share, round(size * share), lookups, applying))
            progress.update(going_on, total=1, completed=1)
    table = plain_table()
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)
    console.print(f"{subjects:,} subjects, {size / 2**20:,.0f} MiB; the kernel reads {around_kb} KiB around a page")
    console.print(f"beside it {OWN_MIB} MiB for the process, and {own_mib:.0f} more for applying")
    console.print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    found = [{**row._asdict(), "lookups": row.lookups._asdict(), "applying": row.applying._asdict()} for row in rows]
    about = circumstances("python -m benchmarks.beyond_memory")
    about |= {"subjects": subjects, "bytes": size, "read_ahead_kb": around_kb, "own_mib": own_mib, "rows": found}
    write(about, RESULTS / "beyond-memory.json")
    console.print(f"written: {RESULTS.name}/beyond-memory.json")


if __name__ == "__main__":
    main()
