"""Round trips between places, as TCP has them: the time that a connection to a port takes on which nobody listens.

The port answers a SYN with a RST, which is one round trip, and no program takes part but the one that measures:
``python -m benchmarks.log_drills.round_trips TIMES HOST HOST …`` prints the least and the median of each host as JSON.
"""

import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from demo.brokers.node import Place

_PORT: Final = 9
"""That of the discard service (RFC 863), which nobody offers here."""
_CONNECT_S: Final = 2.0
_FIRST: Final = 1
"""Connections that are not counted: the first one asks for the address of the Ethernet as well."""


class RoundTrip(NamedTuple):
    """What connections to a host took, in milliseconds."""

    least_ms: float
    median_ms: float


def measured(hosts: Sequence[str], times: int) -> list[RoundTrip]:
    """Connect to each host ``times`` times, one after the other. Raises OSError where one is not reached."""
    return [_measured(host, times) for host in hosts]


def _measured(host: str, times: int) -> RoundTrip:
    took_ms = []
    for _ in range(_FIRST + times):
        began_s = time.perf_counter()
        with suppress(ConnectionRefusedError), socket.create_connection((host, _PORT), timeout=_CONNECT_S):
            raise SystemExit(f"something listens on {host}:{_PORT}")
        took_ms.append((time.perf_counter() - began_s) * 1000)
    counted = took_ms[_FIRST:]
    return RoundTrip(min(counted), statistics.median(counted))


def between(places: Sequence[Place], hosts: Sequence[str], times: int) -> list[list[RoundTrip]]:
    """Return the round trips from each place to each host. Raises CalledProcessError."""
    found = []
    for place in places:
        command = [*place.enter, sys.executable, "-m", "benchmarks.log_drills.round_trips", str(times), *hosts]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append([RoundTrip(*one) for one in json.loads(done.stdout)])
    return found


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[2:], int(sys.argv[1]))))
