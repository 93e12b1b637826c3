"""What a list of codes costs the engine alone, by its length: ``python -m benchmarks.engine_lists``.

The engine runs in this process, composed as the server composes it, and gets lists as the native front hands them
over; there is no socket. *Warm* lists follow each other at once. Before a *cold* one the process sleeps for 0.3 ms, as
a server does that waits for a caller's next call: meanwhile the processor's caches and predictors lose what they held.

A figure is the median over rounds of the CPU time of a list, on the thread of the event loop. Two trees are compared by
running each one's command in turns on one ``--data-dir``.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Final
from unittest.mock import patch

import click
import uvloop

from onecode_server.cli import output
from onecode_server.composition import open_with
from onecode_server.engine import Engine
from onecode_server.model.code import Scans
from onecode_server.settings.config import Settings
from onecode_server.telemetry.metrics import Metrics
from onecode_server.verification.authenticate import by_template, template_lookup

from benchmarks import workload

LENGTHS: Final = (1, 4, 16, 64, 512)
CODES: Final = 2_000
"""Codes of a pool: each comes back after all others, and all stay in the status cache."""
ROUND_CODES: Final = 2_000
"""Codes of a warm round of one length. All lengths are done long before a status lapses, after 24 s."""
COLD_LISTS: Final = 200
PAUSE_S: Final = 0.0003

Costs = dict[tuple[str, int], list[float]]
"""Microseconds of CPU a list in each round, by ``"warm"`` or ``"cold"`` and the length."""


@click.command()
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1, 101))
@click.option("--pool", default="national", show_default=True, type=click.Choice(tuple(workload.POOLS)))
@click.option("--length", "lengths", multiple=True, default=LENGTHS, show_default=True, type=click.IntRange(1, CODES))
@click.option("--way", type=click.Choice(("rows", "columns")), help="Read lists in this way, whichever pays.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where codes are kept for another run within a day.")
def main(rounds: int, pool: str, lengths: tuple[int, ...], way: str | None, data_dir: Path | None) -> None:
    """Measure lists of each length, warm and cold, and print microseconds of CPU a list and a code."""
    with ExitStack() as closing:
        if way is not None:
            closing.enter_context(read_in(way))
        if data_dir is None:
            data_dir = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="onecode-lists-"))) / "data"
        codes = codes_of(data_dir, pool)
        costs: Costs = {}
        for _ in range(rounds):  # each with an engine of its own, at other places in memory
            uvloop.run(one_round(data_dir, codes, lengths, costs))
    rows = []
    for length in lengths:
        warm, cold = (median(costs[state, length]) for state in ("warm", "cold"))
        rows.append((str(length), f"{warm:.1f}", f"{warm / length:.2f}", f"{cold:.1f}", f"{cold / length:.2f}"))
    output.print_table("", ("codes", "warm, us", "us a code", "cold, us", "us a code"), rows)


def codes_of(data_dir: Path, pool: str) -> list[bytes]:
    """Return a pool's codes, which are issued where ``data_dir`` is new, and read from there otherwise."""
    kept = data_dir / f"{pool}.codes"
    if not data_dir.exists():
        for name, made in workload.make(data_dir, CODES).items():
            (data_dir / f"{name}.codes").write_bytes(b"\n".join(made.codes))
    return kept.read_bytes().split(b"\n")


@contextmanager
def read_in(way: str) -> Iterator[None]:
    """Have lists of two and more codes read in rows, or in columns."""
    fewest = 2 if way == "columns" else CODES + 1
    with ExitStack() as patched:
        for name in ("ROWS_MIN", "TOGETHER_MIN"):
            for module in (by_template, template_lookup):
                patched.enter_context(patch.object(module, name, fewest))
        yield


async def one_round(data_dir: Path, codes: list[bytes], lengths: tuple[int, ...], costs: Costs) -> None:
    """Add a round of each length to ``costs``."""
    async with open_with(Settings(data_dir), Metrics()) as engine:
        for length in lengths:
            lists = [[*islice(taken, length)] for taken in [cycle(codes)] for _ in range(max(1, ROUND_CODES // length))]
            await warm_up(engine, codes, lists[:8])
            costs.setdefault(("warm", length), []).append(await warm_us(engine, lists))
            costs.setdefault(("cold", length), []).append(await cold_us(engine, lists))


async def warm_up(engine: Engine, codes: list[bytes], lists: list[list[bytes]]) -> None:
    """Have all statuses confirmed and all templates learned, and take the path of these lists."""
    await engine.change_feed.catch_up()
    for start in range(0, len(codes), 512):
        await check(engine, codes[start : start + 512])
    for one in lists:
        await check(engine, one)


async def warm_us(engine: Engine, lists: list[list[bytes]]) -> float:
    """Return the CPU of a list, of lists without a pause between them."""
    started_s = time.thread_time()
    for one in lists:
        await check(engine, one)
    return (time.thread_time() - started_s) / len(lists) * 1e6


async def cold_us(engine: Engine, lists: list[list[bytes]]) -> float:
    """Return the median CPU of a list that follows a pause."""
    spent_ns = []
    for one in islice(cycle(lists), COLD_LISTS):
        time.sleep(PAUSE_S)  # noqa: ASYNC251 - nothing else runs here, and a turn of the loop is not to be measured
        started_ns = time.thread_time_ns()
        await check(engine, one)
        spent_ns.append(time.thread_time_ns() - started_ns)
    return median(spent_ns) / 1e3


async def check(engine: Engine, codes: list[bytes]) -> None:
    """Have the engine decide on a list, as the native front's lists are."""
    await engine.batcher.check_gathered(Scans.at(workload.HOST_REGION, codes))


if __name__ == "__main__":
    main()
