"""The soak: one publication of a million records while the server is killed ten times, and no acknowledged one is lost.

``python -m benchmarks.soak``, or ``make soak``. After each SIGKILL, before the server is back on its port, the store is
opened in this process and every record at or below the last ``durable_through`` is looked up; at the end all of them
are. It ends with status 1 where one is missing or other than it was published, or where the server's memory grew by
more than ``GROWTH_MIB_MAX``. Linux only: it reads ``/proc``.
"""

import asyncio
import random
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import click
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from onecode.v1 import status_pb2 as pb
from onecode_client import OperatorClient
from onecode_server.composition import open_engine
from onecode_server.model.status import UNPUBLISHED, Level, Scope, StatusRecord
from onecode_server.publication.publisher import LocalSubject
from onecode_server.stores.protocol import Unreadable

from benchmarks.servers import RestartingServer
from benchmarks.workload import COMMAND_TIMEOUT_S, ONECODE

GROWTH_MIB_MAX: Final = 100
"""By how much a server may grow over what it held when it was idle, the mapped part of its store included."""
KILL_DELAY_S_MAX: Final = 0.05
"""A kill comes this long after an answer at the most: two commits and what lies between them."""
REGION: Final = "420000"
NOW: Final = 1_750_000_000
"""From when the records count, in Unix seconds: a time that has come, on every machine."""
_CHUNK: Final = 1000


class Soaked(NamedTuple):
    """What a run came to. ``lost`` are the sequences of acknowledged records that were not there, or were others."""

    records: int
    seconds: float
    kills: int
    resumed: int
    lost: list[int]
    idle_mib: int
    peak_mib: int
    peak_anonymous_mib: int


def run(data_dir: Path, records: int, kills: int, seed: int, show: Callable[[int], None]) -> Soaked:
    """Publish ``records`` over one call while the server is killed ``kills`` times; ``show`` is told how far it is."""
    chance = random.Random(seed)
    moments = sorted(chance.sample(range(1, records * 9 // 10), kills))  # with something left to publish after each
    lost: set[int] = set()
    breaks: list[str] = []
    with RestartingServer(data_dir) as server, OperatorClient(server.address) as client:
        idle_mib, _ = server.memory_mib()
        peak_mib = peak_anonymous_mib = through = killed = 0
        started_s, checking_s = time.perf_counter(), 0.0
        for answer in client.publish(red_records(records), interrupted=lambda fault: breaks.append(fault.code)):
            through = answer.durable_through
            lost.update(rejection.sequence for rejection in answer.rejections)  # they break no rule
            # Answers that a killed server had sent still come in: the next kill waits for the next server's.
            if killed < kills and through >= moments[killed] and len(breaks) >= killed:
                time.sleep(chance.uniform(0, KILL_DELAY_S_MAX))
                server.kill()
                killed += 1
                asked_s = time.perf_counter()
                lost.update(asyncio.run(missing(data_dir, through)))
                checking_s += time.perf_counter() - asked_s
                server.start()
            mib, anonymous_mib = server.memory_mib()
            peak_mib, peak_anonymous_mib = max(peak_mib, mib), max(peak_anonymous_mib, anonymous_mib)
            show(through)
        seconds = time.perf_counter() - started_s - checking_s
    lost.update(range(through + 1, records + 1))
    lost.update(asyncio.run(missing(data_dir, records)))
    return Soaked(records, seconds, killed, len(breaks), sorted(lost), idle_mib, peak_mib, peak_anonymous_mib)


def red_records(count: int) -> Iterator[pb.StatusRecord]:
    """Yield the messages: each of another subject, with a level and a revision of its own."""
    effective_at = Timestamp(seconds=NOW)
    for number in range(1, count + 1):
        level, revision = _what(number)
        yield pb.StatusRecord(
            publisher=REGION,
            subject=pb.SubjectRef(local=pb.LocalSubject(region=REGION, id=_who(number))),
            level=level.value,  # type: ignore[arg-type]
            scope=pb.SCOPE_NATIONAL,
            effective_at=effective_at,
            revision=revision,
        )


async def missing(data_dir: Path, through: int) -> list[int]:
    """Open the store, and return the sequences up to ``through`` whose record is not there as it was published."""
    found: list[int] = []
    async with open_engine(data_dir) as engine:
        for first in range(1, through + 1, _CHUNK):
            numbers = range(first, min(first + _CHUNK, through + 1))
            resolved = [await engine.publisher.resolve(LocalSubject(REGION, _who(number))) for number in numbers]
            kept = (await engine.store.statuses([one.subject for one in resolved if one is not None])).records
            for number, records in zip(numbers, kept, strict=True):
                level, revision = _what(number)
                found_there = () if isinstance(records, Unreadable) else records
                published = tuple(one._replace(published_at=UNPUBLISHED) for one in found_there)  # whenever that was
                if published != (StatusRecord(REGION, Scope.NATIONAL, level, NOW * 1_000_000, None, revision),):
                    found.append(number)
    return found


def _who(number: int) -> str:
    return f"bearer-{number}"


def _what(number: int) -> tuple[Level, int]:
    return Level(1 + number % 3), 1 + number % 5


@click.command(context_settings={"show_default": True})
@click.option("--records", default=1_000_000, type=click.IntRange(100))
@click.option("--kills", default=10, type=click.IntRange(0, 200), help="At random moments on the way.")
@click.option("--seed", type=int, help="Of the moments; random unless given.")
def main(records: int, kills: int, seed: int | None) -> None:
    """Publish through kills, and count what was acknowledged and lost: it must be nothing."""
    seed = secrets.randbelow(2**32) if seed is None else seed
    click.echo(f"seed {seed}")
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with tempfile.TemporaryDirectory(prefix="onecode-soak-") as directory:
        data_dir = Path(directory) / "data"
        init = [str(ONECODE), "init", "--data-dir", str(data_dir), "--demo"]
        subprocess.run(init, check=True, capture_output=True, timeout=COMMAND_TIMEOUT_S)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("", total=records)
            soaked = run(data_dir, records, kills, seed, lambda done: progress.update(bar, completed=done))
    grown_mib = soaked.peak_mib - soaked.idle_mib
    click.echo(
        f"{soaked.records:,} records in {soaked.seconds:.0f} s with {soaked.kills} kills and restarts: "
        f"{soaked.records / soaked.seconds:,.0f} a second\n"
        f"server memory: {soaked.idle_mib} MiB idle, {soaked.peak_mib} at its peak "
        f"({soaked.peak_anonymous_mib} of them anonymous)\n"
        f"kills survived: {soaked.kills}; the publication resumed {soaked.resumed} times\n"
        f"acknowledged and lost: {len(soaked.lost):,} {soaked.lost[:10] or ''}"
    )
    if soaked.lost or grown_mib > GROWTH_MIB_MAX:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
