"""Coverage-guided comparison of the kernel with PyNaCl's libsodium: `make fuzz`, `make fuzz-ci`.

Status 0: no disagreement. 1: at least one, or a memory error; the input is kept, and ``--replay`` runs it again.
2: the fuzzer cannot be built or run here.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.build import KERNEL, OUTPUT, CannotBuild, build
from tests.fuzz.report import report
from tests.fuzz.run import Run

HEADER_BYTES, ITEM_BYTES, TWISTS, SEEDS = 12, 12, 25, 200
"""As items.h and items.c have them; enough inputs that each twist stands in several batches."""


def write_seeds(folder: Path, seed: int) -> None:
    """Write batches of 1 to 40 items: each twist alone and among others, under all kinds of keys."""
    chance = random.Random(seed)
    for number in range(SEEDS):
        header = bytearray(chance.randbytes(HEADER_BYTES))
        items = [bytearray(chance.randbytes(ITEM_BYTES)) for _ in range(1 + number % 40)]
        items[0][2] = number % TWISTS
        (folder / f"seed-{number:03}").write_bytes(header + b"".join(items))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=int, default=600, help="how long to run (default: 600)")
    parser.add_argument("--runs", type=int, help="how many inputs each process runs, instead of --seconds")
    parser.add_argument("--processes", type=int, default=2, help="how many processes (default: 2)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="where chance begins (default: the clock)")
    parser.add_argument("--sanitized", action="store_true", help="with AddressSanitizer and UndefinedBehaviorSanitizer")
    parser.add_argument("--kernel", type=Path, default=KERNEL, help="other sources, to see a fault in them found")
    parser.add_argument("--replay", type=Path, help="run one saved input")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    try:
        library = build(given.kernel.resolve(), sanitized=given.sanitized)
    except CannotBuild as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    OUTPUT.joinpath("crashes").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="onecode-fuzz-") as folder:
        work = Path(folder)
        if given.replay:
            runs = [Run(work, library, 0, [str(given.replay)], sanitized=given.sanitized)]
        else:
            limit = f"-runs={given.runs}" if given.runs else f"-max_total_time={given.seconds}"
            runs = []
            for number in range(given.processes):
                corpus = work / f"corpus-{number}"
                corpus.mkdir()
                write_seeds(corpus, given.seed + number)
                flags = [str(corpus), limit, f"-seed={given.seed + number}"]
                runs.append(Run(work, library, number, flags, sanitized=given.sanitized))
        started = time.monotonic()
        try:
            while any(run.is_running() for run in runs) and not any(run.status() for run in runs):
                time.sleep(0.2)
        finally:  # what one process found ends the others too
            for run in runs:
                run.stop()
        return report(runs, time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main())
