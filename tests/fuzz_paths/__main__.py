"""Differential fuzzing of the ways by which a code is answered: `make fuzz-paths`, `make fuzz-paths-ci`.

Status 0: no disagreement. 1: a disagreement, of which the case is kept, and ``--replay`` finds it again; or too few
mutants of a kind. Each process has a seed of its own, ``--seed`` and the next ones; a seed makes the same mutants.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.fuzz_paths.processes import Limits, fuzz
from tests.fuzz_paths.report import least_of, print_case, progress, report, save, shortfalls
from tests.fuzz_paths.run import Run
from tests.fuzz_paths.tally import Tally


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.fuzz_paths", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=600, help="how long to run (default: 600)")
    parser.add_argument("--runs", type=int, help="how many mutants to compare in all, instead of --seconds")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="where chance begins (default: the clock)")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes (default: 2)")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz-paths"), help="where cases are kept")
    parser.add_argument("--replay", type=Path, help="run the world of one saved case again")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    if given.replay:
        return asyncio.run(_replay(json.loads(given.replay.read_text(encoding="utf-8"))))
    print(f"seed {given.seed}, {given.jobs} processes", flush=True)
    started_s = time.monotonic()
    limits = Limits(given.seconds, given.runs and -(-given.runs // given.jobs))
    total, case = fuzz(given.seed, given.jobs, limits, started_s)
    elapsed_s = time.monotonic() - started_s
    progress(total, elapsed_s, end=True)
    report(total, elapsed_s)
    if case is not None:
        print_case(case, save(case, given.out))
        return 1
    faults = shortfalls(total)
    good = f"no disagreement; each reason but NO_RULE was reached at least {least_of(total):,} times"
    print("", *(faults or [good]), sep="\n")
    return int(bool(faults))


async def _replay(saved: dict[str, Any]) -> int:
    async for case in Run(saved["seed"], saved["world"], saved["batch"]).batches(Tally()):
        if case is not None:
            print_case(case, None)
            return 1
    print("no disagreement any more: the world of this case was run up to its batch")
    return 0


if __name__ == "__main__":
    sys.exit(main())
