"""Runs the cluster until ``q``, a signal, or the end of ``--seconds`` or of a script. Status 0 where no acknowledged
record is missing, 1 where one is or a start fails, 2 for a mistake, 3 where the brokers cannot be run here, and 128 and
the signal's number for a signal."""

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console

from demo.brokers.jars import BrokersMissing, class_path
from demo.brokers.node import BrokersFailed
from demo.cluster import keys, screen
from demo.cluster.cluster import Cluster
from demo.cluster.machine import MachineFailed
from demo.cluster.watch import SIGNALS, Watch

MISSING_STATUS: Final = 3


class Interrupted(BaseException):
    """A signal came while the cluster was started."""


def main() -> int:
    """Return the status."""
    parser = argparse.ArgumentParser(prog="python -m demo.cluster", description=screen.KEYS)
    parser.add_argument("--do", metavar="SCRIPT", help='keys, and seconds between them: "b 5 r 5 q"')
    parser.add_argument("--seconds", type=float, help="end after so long")
    given = parser.parse_args()
    try:
        script = keys.read_script(given.do) if given.do else None
    except ValueError as mistake:
        parser.error(f"--do: {mistake}")
    try:
        class_path()
    except BrokersMissing as missing:
        print(missing, file=sys.stderr)
        return MISSING_STATUS
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    try:
        with tempfile.TemporaryDirectory(prefix="onecode-cluster-", ignore_cleanup_errors=True) as directory:
            return _run(Path(directory), script, given.seconds)
    except Interrupted as interrupted:
        return 128 + int(interrupted.args[0])
    except (BrokersFailed, MachineFailed) as failure:
        print(failure, file=sys.stderr)
    except subprocess.CalledProcessError as failure:
        print(failure.stderr or failure, file=sys.stderr)
    return 1


def _run(path: Path, script: list[str | float] | None, seconds: float | None) -> int:
    cluster = Cluster(path, lambda text: print(text, flush=True))
    try:
        status, missing = asyncio.run(_watch(cluster, script, seconds))
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # what follows ends by itself
        print("ending all processes ...", flush=True)
        cluster.close()
    for text in missing:
        print(text)
    return status or bool(missing)


async def _watch(cluster: Cluster, script: list[str | float] | None, seconds: float | None) -> tuple[int, list[str]]:
    watch = Watch(cluster, Console())
    missing = await watch.run(script, seconds)
    return 128 + watch.signal if watch.signal else 0, missing


def _interrupt(number: int, _: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)  # what was started ends before the program does
    raise Interrupted(number)


if __name__ == "__main__":
    sys.exit(main())
