"""Fuzzing of the native front, with frames, messages and calls that are nearly right: `make fuzz-front`.

A server of its own is fuzzed over a few connections, beside a polite caller; whole calls are compared with a server of
grpc.aio. Status 0: nothing was found. 1: something was, and ``--seed S --case K`` repeats it. A seed and a number make
the same case, but for the codes in it, which the deployment's new keys sign.
"""

import argparse
import asyncio
import math
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from tests.fuzz_front.run import Done, Run
from tests.fuzz_front.served import Watched, both_fronts

MIB = 2**20
TOLD_S = 60


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.fuzz_front", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=600, help="how long to run (default: 600)")
    parser.add_argument("--cases", type=int, help="how many cases to run, instead of --seconds")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="where chance begins (default: the clock)")
    parser.add_argument("--case", type=int, action="append", help="run only this case; may be given again")
    return parser.parse_args()


def fuzz(seed: int, numbers: Iterable[int], seconds: float, pause: float = TOLD_S) -> int:
    """Run cases, and return the status to end with. ``pause``: seconds between two lines about how far it is."""
    started_s = told_s = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="onecode-fuzz-front-") as directory,
        both_fronts(Path(directory)) as (native, by_grpc, codes),
    ):
        run = Run(seed, native, by_grpc, codes)

        def tell(done: Done) -> None:
            nonlocal told_s
            if (now_s := time.monotonic()) - told_s >= pause:
                told_s = now_s
                print(_line(done, run, native, now_s - started_s), flush=True)

        done = asyncio.run(run.run(numbers, started_s + seconds, tell))
        print(_line(done, run, native, time.monotonic() - started_s))
    print(f"FOUND: {done.finding}" if done.finding else "nothing was found")
    return int(done.finding is not None)


def _line(done: Done, run: Run, native: Watched, elapsed_s: float) -> str:
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in sorted(done.cases.items()))
    is_alive = native.server.process.poll() is None
    memory = native.server.anonymous_bytes() / MIB if is_alive else math.nan
    descriptors = native.descriptors() if is_alive else 0
    return (
        f"{done.cases.total():,} cases in {elapsed_s:.0f} s ({kinds}), {run.polite.calls:,} polite calls; "
        f"{memory:.1f} MiB ({native.bytes_warm / MIB:.1f} after the warm-up, {native.bytes_most / MIB:.1f} at most), "
        f"{descriptors} descriptors ({native.descriptors_at_rest} after the warm-up)"
    )


def main() -> int:
    given = arguments()
    print(f"seed {given.seed}", flush=True)
    if given.case:
        return fuzz(given.seed, given.case, math.inf)
    if given.cases:
        return fuzz(given.seed, range(given.cases), math.inf)
    return fuzz(given.seed, count(), given.seconds)


if __name__ == "__main__":
    sys.exit(main())
