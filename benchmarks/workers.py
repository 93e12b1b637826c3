"""CPU an answer of one worker and of two, by calls in flight: ``python -m benchmarks.workers``.

The pages of results are docs/design/workers.md and docs/performance.md. Both servers answer in turns, so that what the
machine does meets both. Two workers have the first two cores, of which the load takes the last.
"""

import os
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import track

from onecode_server.cli import output

from benchmarks import h2load, load, servers, warm_cache, workload
from benchmarks.load import Case
from benchmarks.processes import CORES
from benchmarks.servers import Server

POOL_CODES: Final = 10_000
ONE, TWO = "one worker", "two workers"
CASES: Final = tuple(
    Case(f"Verify, {in_flight:,} in flight", "national", "Verify", 1, in_flight, connections, (ONE, TWO))
    for in_flight, connections in ((64, 32), (256, 32), (1024, 64))
)
"""From two to sixteen calls in flight on each of connections enough for the system to deal them out evenly."""
H2LOAD_CALLS: Final = 20_000
HEADERS: Final = ("in flight, connections", "one worker, us a call", "two workers", "ratio", "load's share of its core")


@click.command(context_settings={"show_default": True})
@click.option("--rounds", default=5, type=click.IntRange(1, 50), help="Of each case and server, in turns.")
@click.option("--seconds", default=0.8, type=click.FloatRange(0.2, 15), help="Of each round.")
@click.option("--front", default=servers.FRONT, type=click.Choice(["native", "grpc"]), help="Of both servers.")
def main(rounds: int, seconds: float, front: str) -> None:
    """Measure CPU an answer of one worker and of two; the peers too where h2load is installed."""
    progress = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="onecode-workers-") as directory, ExitStack() as running:
        data_dir = Path(directory) / "data"
        codes = workload.make(data_dir, POOL_CODES)["national"].codes
        one, two = (
            running.enter_context(servers.running(name, servers.onecode(data_dir, count, front), data_dir, cores))
            for name, count, cores in ((ONE, 1, CORES[:1]), (TWO, 2, CORES[:2]))
        )
        os.sched_setaffinity(0, CORES[-1:])  # from here on this process is the load
        found = measure((one, two), codes, rounds, seconds, progress)
        peers = [
            running.enter_context(servers.running(name, command, data_dir, CORES[:1]))
            for name, command in servers.commands(data_dir).items()
            if name in servers.BUILT
        ]
        second = [h2load_row(case, (one, two, *peers), codes[0], data_dir) for case in CASES]
    output.print_table(f"The {front} front, medians of {rounds} rounds", HEADERS, [row(*one) for one in found.items()])
    if all(second):
        names = (ONE, TWO, *(peer.name for peer in peers))
        output.print_table("h2load: CPU an answer, us", ("in flight, connections", *names), second)
    else:
        print("h2load is not installed (Debian's nghttp2-client): no second opinion, and no peers")


def measure(
    asked: Sequence[Server], codes: list[bytes], rounds: int, seconds: float, progress: Console
) -> dict[Case, list[tuple[load.Round, ...]]]:
    """Return the rounds of the servers by case, those of a turn together."""
    requests = load.bodies_of(CASES[0], codes)
    # Each server has its own place in the pool: none meets a code that it has just seen.
    bodies = {(case, server.name): cycle(requests) for case in CASES for server in asked}
    found: dict[Case, list[tuple[load.Round, ...]]] = {case: [] for case in CASES}
    for turn in track(range(rounds), "measuring", console=progress, transient=True):
        for case in CASES:
            rounds_of_turn = []
            for server in asked:
                warm_cache.warm(server, codes, turn)
                rounds_of_turn.append(load.run(case, bodies[case, server.name], server, seconds))
            found[case].append(tuple(rounds_of_turn))
    return found


def row(case: Case, turns: Sequence[tuple[load.Round, ...]]) -> tuple[str, ...]:
    """Return the cells of a case. The ratio is the median of those of the turns."""
    costs_us = [[one.cpu_s / one.codes * 1e6 for one in turn] for turn in turns]
    one_us, two_us = (statistics.median(column) for column in zip(*costs_us, strict=True))
    ratio = statistics.median(two / one for one, two in costs_us)
    busiest = max(one.load_cores for turn in turns for one in turn)
    return _place(case), f"{one_us:.1f}", f"{two_us:.1f}", f"{ratio:.2f}", f"≤ {busiest:.0%}"


def h2load_row(case: Case, asked: Sequence[Server], code: bytes, directory: Path) -> tuple[str, ...]:
    """Return what h2load finds of each server, in us of CPU an answer, or nothing where it is not installed."""
    rates = h2load.answers_per_cpu_s(list(asked), code, directory, case.connections, case.in_flight, H2LOAD_CALLS)
    return (_place(case), *(f"{1e6 / rate:.1f}" for rate in rates.values())) if rates else ()


def _place(case: Case) -> str:
    return f"{case.in_flight:,}, {case.connections}"


if __name__ == "__main__":
    main()
