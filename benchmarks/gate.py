"""Is this tree slower than the last release? ``python -m benchmarks.gate`` compares ratios, not rates.

A machine is as fast as it is, and its neighbours are as loud as they are; how many times faster than another server on
the same codes, in the same minute, is a property of the code. ``release.json`` holds the last release's ratios by what
checks signatures, which is the one thing of a processor that moves them by multiples. Status 1: a ratio is lower,
and is so again when everything is measured a second time.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from onecode_server.crypto import open_backend

from benchmarks import load, report, servers, workload
from benchmarks.load import Case, Round
from benchmarks.servers import GRPC_AIO

RELEASE: Final = Path(__file__).parent / "release.json"
CASES: Final = {
    "batch_over_first_try": Case("", "national", "BatchVerify", 250, 2, 2, (GRPC_AIO, "first try")),
    "mix_over_first_try": Case("", "mix", "BatchVerify", 250, 2, 2, (GRPC_AIO, "first try")),
    "unary_over_echo": Case("", "national", "Verify", 1, 32, 4, (GRPC_AIO, "echo")),
    "stream_over_echo": Case("", "national", "StreamVerify", 1, 512, 2, (GRPC_AIO, "echo")),
}
"""Batches of 250 keep the first try's rounds short; each way into the server is here."""
FRONT_CASES: Final = {
    "front_unary_over_echo": Case("", "national", "Verify", 1, 32, 4, ("native", "echo")),
    "front_stream_over_echo": Case("", "national", "StreamVerify", 1, 512, 2, ("native", "echo")),
}
"""The native front's, measured where it is built."""
POOL_CODES: Final = 2_000
ROUNDS: Final = 7
ROUND_S: Final = 0.3
TOLERANCE: Final = 0.35
"""How much lower than the release's a ratio may be. Ten runs of one tree, on two cores with work for nine to nineteen,
gave ratios up to 24 % below their own median, and the least was 30 % below the greatest. What is slower by less than
this shows in `make bench`, where a person reads it."""
TRIES: Final = 2
"""What is slower is so again. A neighbour that hits the same ratio in both tries, a minute apart, was not seen."""

Ratios = dict[str, float]


def slower(measured: Mapping[str, float], released: Mapping[str, float]) -> list[str]:
    """Return the names of the ratios that are lower than the release's by more than the tolerance.

    A name that only one side has is no regression: a measure comes or goes with the release that changes it.
    """
    common = [name for name in CASES | FRONT_CASES if name in measured and name in released]
    return [name for name in common if measured[name] < released[name] * (1 - TOLERANCE)]


def is_slower(measured: Callable[[], Mapping[str, float]], released: Mapping[str, float], console: Console) -> bool:
    """Return whether one of the ratios is lower by more than the tolerance each time that they are measured."""
    suspects = set(CASES | FRONT_CASES)
    for turn in range(1, TRIES + 1):
        found = measured()
        suspects &= set(slower(found, released))
        if not suspects:
            return False
        for name in sorted(suspects):
            console.print(f"slower, try {turn} of {TRIES}: {name} is {found[name]:.2f}, was {released[name]:.2f}")
    return True


def measure(progress: Console) -> Ratios:
    """Return the ratios of this tree."""
    cases = CASES | (FRONT_CASES if servers.FRONT == "native" else {})
    with tempfile.TemporaryDirectory(prefix="onecode-gate-") as directory, ExitStack() as running:
        data_dir = Path(directory) / "data"
        pools = workload.make(data_dir, POOL_CODES, names=())
        commands = {GRPC_AIO: servers.onecode(data_dir, front="grpc")} | servers.commands(data_dir)
        if servers.FRONT == "native":
            commands["native"] = commands["onecode"]
        asked = {name for case in cases.values() for name in case.servers}
        here = {
            name: running.enter_context(servers.running(name, command, data_dir))
            for name, command in commands.items()
            if name in asked
        }
        requests = {key: load.bodies_of(case, pools[case.pool].codes) for key, case in cases.items()}
        bodies = {(key, name): cycle(requests[key]) for key, case in cases.items() for name in case.servers}
        rounds: dict[tuple[str, str], list[Round]] = {one: [] for one in bodies}
        for _ in range(ROUNDS):  # of all, in turn: what a neighbour does for ten seconds hits a round of each
            for (key, name), sent in bodies.items():
                rounds[key, name].append(load.run(cases[key], sent, here[name], ROUND_S))
    found: Ratios = {}
    for key, case in cases.items():
        one = report.ratio(*(rounds[key, name] for name in case.servers))
        found[key] = one["median"]
        progress.print(f"{key}: {one['median']:.2f} ({one['lowest']:.2f} to {one['highest']:.2f})", highlight=False)
    return found


@click.command()
@click.option("--write", is_flag=True, help="Measure, and make this tree the release to compare with.")
def main(write: bool) -> None:
    """Compare this tree's ratios with the last release's."""
    console = Console(highlight=False, soft_wrap=True)
    backend = open_backend()
    by_backend: dict[str, Ratios] = json.loads(RELEASE.read_text()) if RELEASE.exists() else {}
    signatures = getattr(backend, "detail", backend.name)
    if write:
        by_backend[signatures] = measure(console)
        RELEASE.write_text(json.dumps(by_backend, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return
    released = by_backend.get(signatures)
    if released is None:
        console.print(f"not compared: the last release was not measured with {signatures} signatures")
        return
    if is_slower(lambda: measure(console), released, console):
        sys.exit(1)
    console.print(f"no slower than the last release, within {TOLERANCE:.0%}")


if __name__ == "__main__":
    main()
