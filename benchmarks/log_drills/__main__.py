"""Drills of machines that share a log: ``python -m benchmarks.log_drills NAME``, and ``--help`` has
their names.

Each starts three brokers (``make brokers``) and three machines on loopback, prints a table, and ends with status 1
where a promise is broken, or with 3 where no brokers can be run here.
"""

import asyncio
import random
import secrets
import sys
from collections.abc import Callable

import click
from rich.console import Console

from benchmarks.log_drills import (
    batches_drill,
    clocks_drill,
    decided,
    decisions_drill,
    fault_drill,
    networks,
    seen_drill,
    sites,
    sites_drill,
    sites_report,
)
from benchmarks.log_drills.decided import Decided
from benchmarks.log_drills.decisions_drill import Taken
from benchmarks.log_drills.drilled import Drilled, drilled, tell
from benchmarks.log_drills.faults import order
from benchmarks.log_drills.networks import Networks
from benchmarks.replica import bar
from benchmarks.report import TABLE_COLUMNS
from demo.brokers.jars import BrokersMissing, class_path

MISSING_STATUS = 3

_rate = click.option(
    "--records-a-second", default=2000, show_default=True, type=click.IntRange(12, 20_000), help="Published meanwhile."
)


@click.group()
def main() -> None:
    """Drill machines that share a log."""
    try:
        class_path()
    except BrokersMissing as missing:
        tell(str(missing))
        sys.exit(MISSING_STATUS)


@main.command()
@click.option("--times", default=20, show_default=True, type=click.IntRange(1, 1000), help="Faults.")
@_rate
@click.option("--seed", type=int, help="Of their order; random unless given.")
def faults(times: int, records_a_second: int, seed: int | None) -> None:
    """Faults of brokers and machines, one after the other, beside publications and scans."""
    networks.enter()
    seed = secrets.randbelow(2**32) if seed is None else seed
    print(f"seed {seed}")
    if not networks.are_own():
        print("network namespaces are not allowed here: no network is cut and no disk is filled")
    console, chance = Console(width=TABLE_COLUMNS), random.Random(seed)
    with drilled(tell, Networks() if networks.are_own() else None) as here, bar(console, "faults", times) as advance:
        chosen = order(times, chance, fault_drill.kinds(here))
        found = asyncio.run(fault_drill.run(here, chosen, records_a_second, chance, advance))
    fault_drill.show(console, found)
    sys.exit(fault_drill.is_broken(found))


@main.command()
@click.option("--tries", default=10_000, show_default=True, type=click.IntRange(100, 1_000_000))
@_rate
def seen(tries: int, records_a_second: int) -> None:
    """How soon a record that one machine took shows at the others, beside publications and batches."""
    console = Console(width=TABLE_COLUMNS)
    with drilled(tell) as here, bar(console, "tries", tries) as advance:
        found = asyncio.run(seen_drill.run(here, tries, records_a_second, advance))
    seen_drill.show(console, found)
    sys.exit(seen_drill.is_broken(found))


@main.command(name="sites")
@click.option(
    "--round-trip-ms",
    "round_trips_ms",
    multiple=True,
    default=(0.0, 10.0, 30.0, 60.0),
    show_default=True,
    type=click.FloatRange(0, 1000),
    help="Between sites; may be given again, for a row each.",
)
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(5, 3600), help="Of each row.")
@click.option(
    "--jitter-ms", default=0.0, show_default=True, type=click.FloatRange(0, 1000), help="On each way, at most."
)
@_rate
def at_sites(round_trips_ms: tuple[float, ...], seconds: float, jitter_ms: float, records_a_second: int) -> None:
    """What the distance between three sites adds, a broker and a machine at each; a leader killed, a site cut off."""
    if len(round_trips_ms) > sites_drill.ROWS_MAX:
        raise click.UsageError(f"at most {sites_drill.ROWS_MAX} distances")
    if lacking := sites.missing():
        tell(lacking)
        sys.exit(MISSING_STATUS)
    networks.enter()
    console = Console(width=TABLE_COLUMNS)
    with (
        sites.joined(0) as joined,
        drilled(tell, joined.networks) as here,
        bar(console, "distances", len(round_trips_ms)) as advance,
    ):
        found = asyncio.run(
            sites_drill.run(here, joined, round_trips_ms, seconds, records_a_second, jitter_ms, advance)
        )
    sites_report.show(console, found)
    sys.exit(bool(sites_report.broken(found)))


@main.command()
@click.option("--rounds", default=10, show_default=True, type=click.IntRange(1, 1000), help="At each machine.")
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(0.5, 600), help="Of a round.")
@_rate
def batches(rounds: int, seconds: float, records_a_second: int) -> None:
    """What a log costs a machine that checks batches, against one without a log."""
    console = Console(width=TABLE_COLUMNS)
    with drilled(tell) as here, bar(console, "rounds", rounds) as advance:
        measured = batches_drill.run(here, here.path, records_a_second, rounds, seconds, advance)
    batches_drill.show(console, measured)
    sys.exit(batches_drill.ratio(measured.turns) < batches_drill.SHARE)


@main.command()
@click.option("--steps", default=1200, show_default=True, type=click.IntRange(1, 100_000), help="At least.")
@click.option("--kills", default=decisions_drill.KILLS, show_default=True, type=click.IntRange(0, 100))
@click.option("--seed", type=int, help="Of the steps; random unless given.")
def decisions(steps: int, kills: int, seed: int | None) -> None:
    """Steps of exceptions at all machines, while brokers that lead the decisions are killed."""
    seed = secrets.randbelow(2**32) if seed is None else seed
    print(f"seed {seed}")
    console = Console(width=TABLE_COLUMNS)
    with drilled(tell) as here, bar(console, "steps", steps) as advance:
        before, _ = decided.audit(here.cluster)[0]
        taken, found = asyncio.run(_decisions(here, steps, kills, seed, advance, before))
    decided.show(console, taken, found, kills)
    sys.exit(bool(found.broken))


async def _decisions(
    here: Drilled, steps: int, kills: int, seed: int, advance: Callable[[int], None], before: int
) -> tuple[Taken, Decided]:
    callers = await decisions_drill.run(here, steps, kills, random.Random(seed), advance)
    return callers.taken, await decided.prove(here, callers, before)


@main.command()
def clocks() -> None:
    """Machines whose clocks are an hour wrong, and twenty seconds."""
    console = Console(width=TABLE_COLUMNS)
    with drilled(tell) as here, bar(console, "machines", 7) as advance:
        preload = clocks_drill.compiled(here.path)
        if preload is None:
            tell("there is no C compiler (cc): no clock is moved")
            return
        rows, broken = clocks_drill.run(here, preload, advance)
    clocks_drill.show(console, rows, broken)
    sys.exit(bool(broken) or any(row.broken for row in rows))


if __name__ == "__main__":
    main()
