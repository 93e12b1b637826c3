"""``python -m benchmarks.attacks [NAME...]``: all attacks, or some, each against a fresh server; one table."""

import sys
import tempfile
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import Progress

from onecode_server.cli import output

from benchmarks import workload
from benchmarks.attacks import secured
from benchmarks.attacks.catalogue import ATTACKS, NEEDS_NATIVE_FRONT, excused
from benchmarks.attacks.measure import CODES, MEMORY_TIMES_MAX, P99_TIMES_MAX, ROUNDS, Row, measure
from benchmarks.servers import FRONT

CAPTIONS: Final = {"native": "The native front", "grpc": "The front of grpc.aio"}
HEADERS = ("attack", "p99 ms, dummy", "p99 ms", "answered", "errors", "MiB", "most", "CPU", "lag p99 ms", "")


@click.command(context_settings={"show_default": True})
@click.argument("names", nargs=-1, type=click.Choice(list(ATTACKS)))
@click.option("--seconds", default=5.0, type=click.FloatRange(1, 600), help="Of each round.")
@click.option("--rate", default=1.0, type=click.FloatRange(0.01, 100), help="Times the rates that the table names.")
@click.option("--front", default=FRONT, type=click.Choice(["native", "grpc"]), help="Of the servers.")
def main(names: tuple[str, ...], seconds: float, rate: float, front: str) -> None:
    """Attack fresh servers, and say what a polite client beside each attack noticed.

    The status is 1 where a row is not within the bars: p99 within 3 times what it is beside the same attack on a
    listener that does nothing, no error, anonymous memory within 1.5 times.
    """
    with tempfile.TemporaryDirectory(prefix="onecode-attacks-") as directory:
        data_dir = Path(directory) / "data"
        workload.init(data_dir)
        codes = workload.issue(data_dir, "420000", CODES)
        authority = secured.make_authority(Path(directory) / "certs")
        with Progress(console=Console(stderr=True), transient=True) as progress:
            attacks = progress.track(names or list(ATTACKS), description="attacking")
            rows = [measure(name, front, data_dir, codes, seconds, rate, authority) for name in attacks]
    output.print_table(CAPTIONS[front], HEADERS, [shown(row, front) for row in rows])
    for row in rows:
        print(f"{row.name}: {ATTACKS[row.name].__doc__}")
    for row in rows:
        if set(row.faults) & excused(row.name, front):
            print(f"{row.name} needs a native front: {NEEDS_NATIVE_FRONT[row.name][1]}")
    print(f"p99: the median of {ROUNDS} rounds of each, server and dummy in turn")
    print(f"bars: p99 within {P99_TIMES_MAX:g} x, no errors, anonymous memory within {MEMORY_TIMES_MAX:g} x")
    sys.exit(any(set(row.faults) - excused(row.name, front) for row in rows))


def shown(row: Row, front: str) -> tuple[str, ...]:
    """Return the cells of a row, the last of which judges it."""
    errors = ", ".join(f"{count} {kind}" for kind, count in row.errors.items()) or "0"
    measured = (f"{row.p99_dummy:.1f}", f"{row.p99:.1f}", str(row.answered), errors)
    used = (f"{row.memory_before:.0f}", f"{row.memory_most:.0f}", f"{row.cpu_share:.0%}", row.lag_p99)
    faults = row.faults
    judged = "pass"
    if excess := [fault for fault in faults if fault not in excused(row.name, front)]:
        judged = f"not: {', '.join(excess)}"
    elif faults:
        judged = f"needs native front ({', '.join(faults)})"
    return (row.name, *measured, *used, judged)


if __name__ == "__main__":
    main()
