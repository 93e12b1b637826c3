"""Sites at a distance from each other: a bridge at each, and a process that passes frames on between them late.

``python -m benchmarks.log_drills.sites ROUND_TRIP_MS …`` makes them, with no broker and no machine, and prints the
round trips that it measures as JSON. The word ``cut`` there cuts the last site off, and prints which site reaches
which.
Needs what ``networks`` needs, and /dev/net/tun.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.log_drills import distance, networks, round_trips
from benchmarks.log_drills.networks import Link, Networks
from benchmarks.processes import cpu_s
from demo.brokers.node import Place, bound_to_parent

SITES: Final = 3
TIMES: Final = 20
"""The connections by which a round trip is measured."""
_END_S: Final = 5.0


class Passed(NamedTuple):
    """What went on between sites in a period: frames, their bytes, those that were dropped, how late 99 of 100 came
    out at most (ms), and the CPU seconds of the process."""

    frames: int
    sent_bytes: int
    dropped: int
    late_p99_ms: float
    cpu_s: float


class Sites:
    """The sites, their networks, and what joins them."""

    def __init__(self, made: Networks, process: subprocess.Popen[str]) -> None:
        self.networks = made
        self.links = {f"site {number}": Link(_tap(number), bridge) for number, bridge in enumerate(made.bridges, 1)}
        self._process = process
        self._used_s = 0.0

    def set_round_trip(self, round_trip_ms: float, jitter_ms: float = 0.0) -> None:
        """Let sites be so far from each other from now on; what is on its way comes first."""
        self._ask(f"delay {round_trip_ms} {jitter_ms}")

    def passed(self) -> Passed:
        """Return what went on between sites since this was asked last."""
        found, used_s = self._ask("report"), cpu_s(self._process.pid)
        of_period_s, self._used_s = used_s - self._used_s, used_s
        return Passed(
            int(found["frames"]), int(found["bytes"]), int(found["dropped"]), found["late_p99_ms"], of_period_s
        )

    def _ask(self, command: str) -> dict[str, float]:
        if self._process.stdin is None or self._process.stdout is None:
            raise ValueError("the process was started without its pipes")
        print(command, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("what passes frames on between sites has ended")
        found: dict[str, float] = json.loads(answer)
        return found


def missing() -> str:
    """Return in one line why no sites can be made here, "" where they can."""
    if lacking := networks.missing():
        return lacking
    return "" if Path(distance.DEVICE).exists() else f"{distance.DEVICE} is not here: no frames can be delayed"


@contextmanager
def joined(seed: int) -> Iterator[Sites]:
    """Make sites that are joined, without a delay at first, until the block ends. ``seed`` is that of the jitter. Needs
    a program that ``networks.enter`` has started. Raises CalledProcessError."""
    made = Networks(SITES, distance.MTU)
    taps = [_tap(number) for number in range(1, SITES + 1)]
    for tap, bridge in zip(taps, made.bridges, strict=True):
        networks.run("ip", "tuntap", "add", "mode", "tap", "name", tap)
        networks.run("ip", "link", "set", tap, "mtu", str(distance.MTU), "master", bridge, "up")
    command = [*bound_to_parent(), sys.executable, "-m", "benchmarks.log_drills.distance", str(seed), *taps]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise SystemExit("what passes frames on between sites did not start")
        yield Sites(made, process)
    finally:
        process.kill()
        process.communicate(timeout=_END_S)


def _tap(number: int) -> str:
    return f"tap{number}"


class Measured(NamedTuple):
    """Round trips in milliseconds: the median within sites, and the least and the median between them."""

    within_ms: float
    least_ms: float
    between_ms: float


def measured(machines: Sequence[Place], brokers: Sequence[Place]) -> Measured:
    """Measure round trips from each site's machine to the brokers of all sites. Raises CalledProcessError."""
    found = round_trips.between(machines, [place.host for place in brokers], TIMES)
    within = [row[site].median_ms for site, row in enumerate(found)]
    between = [one for site, row in enumerate(found) for other, one in enumerate(row) if other != site]
    return Measured(max(within), min(one.least_ms for one in between), max(one.median_ms for one in between))


def _main(asked: Sequence[str]) -> None:
    networks.enter("benchmarks.log_drills.sites")
    if not networks.are_own():
        raise SystemExit(missing())
    with joined(0) as sites:
        brokers = [sites.networks.broker(number)[0] for number in range(1, SITES + 1)]
        machines = [sites.networks.machine(number)[0] for number in range(1, SITES + 1)]
        for word in asked:
            if word == "cut":
                sites.links[f"site {SITES}"].cut()
                print(json.dumps(_are_reached(machines, brokers)))
                sites.links[f"site {SITES}"].mend()
            else:
                sites.set_round_trip(float(word))
                print(json.dumps(measured(machines, brokers)._asdict()))


def _are_reached(machines: Sequence[Place], brokers: Sequence[Place]) -> list[list[bool]]:
    """Return whether each site's machine reaches each site's broker."""

    def is_reached(machine: Place, broker: Place) -> bool:
        try:
            return len(round_trips.between([machine], [broker.host], 1)) == 1
        except subprocess.CalledProcessError:
            return False

    return [[is_reached(machine, broker) for broker in brokers] for machine in machines]


if __name__ == "__main__":
    _main(sys.argv[1:])
