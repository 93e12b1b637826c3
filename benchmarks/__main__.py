"""One command, a canonical workload, two headline numbers. What is measured, and why so, stands in README.md."""

import multiprocessing
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import track

from benchmarks import agreement, load, report, servers, workload
from benchmarks.load import Case

CASES: Final = (
    Case("unary national", "national", codes_per_call=1, in_flight=32, connections=4),
    Case("batch national", "national", codes_per_call=1000, in_flight=2, connections=2),
    Case("batch JWT", "jwt", codes_per_call=1000, in_flight=2, connections=2),
    Case("batch mix", "mix", codes_per_call=1000, in_flight=2, connections=2),
)
POOL_CODES: Final = 20_000
"""A code comes back to a server after all the others, some 6 s later: as at a gate, where the next code is somebody
else's, little is gained by remembering the bearer. A server that is through with them in a round needs more."""
RESULTS: Final = Path(__file__).parent / "results" / "latest.json"


@click.command(context_settings={"show_default": True})
@click.option("--rounds", default=5, type=click.IntRange(1, 50), help="Of each case and server.")
@click.option("--seconds", default=2.0, type=click.FloatRange(0.5, 60), help="Longest round.")
@click.option("--out", default=RESULTS, type=click.Path(dir_okay=False, path_type=Path), help="JSON.")
def main(rounds: int, seconds: float, out: Path) -> None:
    """Measure onecode against what a user would write first, in answers a second of server CPU."""
    about = report.circumstances()
    progress = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="onecode-bench-") as directory:
        data_dir = Path(directory) / "data"
        progress.print("issuing codes and publishing status")
        pools = workload.make(data_dir, POOL_CODES)
        spawn = multiprocessing.get_context("spawn")  # a forked child would inherit gRPC's threads, but not running
        with servers.both(data_dir) as both, ProcessPoolExecutor(1, mp_context=spawn) as process:
            progress.print("comparing decisions")
            agreed = agreement.check(both, pools)
            found: dict[Case, dict[str, list[load.Round]]] = {
                case: {server.name: [] for server in both} for case in CASES
            }
            turns = [(case, server) for case in CASES for _ in range(rounds) for server in both]
            position: Counter[tuple[str, str]] = Counter()
            for case, server in track(turns, "measuring", console=progress, transient=True):
                codes, start = pools[case.pool].codes, position[case.pool, server.name]
                one = process.submit(load.run, case, codes[start:] + codes[:start], server, seconds).result()
                found[case][server.name].append(one)
                position[case.pool, server.name] = (start + one.sent) % len(codes)
    results = report.summary(found, about | {"codes_agreed_on": agreed, "rounds": rounds, "seconds": seconds})
    report.write(results, out)
    report.show(results, Console())


if __name__ == "__main__":
    main()
