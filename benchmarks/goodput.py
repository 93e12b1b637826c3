"""What is left of a server's capacity where ten times as many calls are in flight, and refused ones come again at once.

A refusal costs a server nearly as much as an answer, and callers that do not wait turn each into the next call. Only
answers count that were given before their deadline.
"""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any, Final, NamedTuple

import uvloop

from benchmarks.cases import MANY
from benchmarks.closed_loop import Flight, fly
from benchmarks.http2 import Connection
from benchmarks.load import METHOD, WARM_UP_S
from benchmarks.servers import Server

TIMES: Final = 10
DEADLINE_S: Final = 1
"""Whoever waits at a gate for longer has scanned again."""


class Turn(NamedTuple):
    """What one turn measured, in calls a second (wall)."""

    capacity: float
    goodput: float
    refused: float


def run(server: Server, bodies: Iterator[bytes], seconds: float) -> Turn:
    """Measure a server's capacity (the case MANY), and at once its goodput at ten times the calls in flight."""
    return uvloop.run(_run(server, bodies, seconds))


async def _run(server: Server, bodies: Iterator[bytes], seconds: float) -> Turn:
    opening = (Connection(f"{METHOD}Verify", server.address, DEADLINE_S).open() for _ in range(MANY.connections))
    connections = [await one for one in opening]
    rates: list[tuple[float, float]] = []
    for in_flight in (MANY.in_flight, TIMES * MANY.in_flight):
        await fly(connections, in_flight, bodies, WARM_UP_S, takes_refusals=True)
        began_s = time.perf_counter()
        flight = await fly(connections, in_flight, bodies, seconds, takes_refusals=True)
        wall_s = time.perf_counter() - began_s
        rates.append((good(flight) / wall_s, flight.refused / wall_s))
    for connection in connections:
        connection.close()
    (capacity, _), (goodput, refused) = rates
    return Turn(capacity, goodput, refused)


def good(flight: Flight) -> int:
    """Return how many calls were answered before their deadline."""
    return sum(latency_s <= DEADLINE_S for latency_s in flight.latencies_s)


def summary(turns: list[Turn]) -> dict[str, Any]:
    """Return the medians of some turns, and of their ratios, as JSON holds them."""
    ratios = sorted(one.goodput / one.capacity for one in turns)
    return {
        "in_flight": TIMES * MANY.in_flight,
        "capacity_per_s": round(median(one.capacity for one in turns)),
        "goodput_per_s": round(median(one.goodput for one in turns)),
        "refused_per_s": round(median(one.refused for one in turns)),
        "ratio": round(median(ratios), 3),
        "ratio_lowest": round(ratios[0], 3),
        "ratio_highest": round(ratios[-1], 3),
    }
