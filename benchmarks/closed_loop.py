"""Keeps a number of calls in flight on some connections: where one ends, the next takes its place at once."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.call import AN_ERROR, Unanswered
from benchmarks.http2 import Connection


@dataclass
class Flight:
    """What is sent until when, and what came of it."""

    bodies: Iterator[bytes]
    ends_s: float
    """When no further call begins, by ``time.perf_counter``."""
    takes_refusals: bool
    """Whether a refused call is counted and followed by the next one. Else it ends the flight, as a failure does."""
    in_flight: int = 0
    latencies_s: list[float] = field(default_factory=list)
    """How long each answered call took."""
    refused: int = 0
    ended: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def end_with(self, why: Unanswered) -> None:
        """End with a failure."""
        if not self.ended.done():
            self.ended.set_exception(why)


class _Slot:
    """One of the calls in flight, and those that follow it."""

    __slots__ = ("_began_s", "_connection", "_flight")

    def __init__(self, flight: Flight, connection: Connection) -> None:
        self._flight, self._connection = flight, connection
        flight.in_flight += 1
        self._go_on(time.perf_counter())

    def answered(self, body: bytes) -> None:
        now_s = time.perf_counter()
        self._flight.latencies_s.append(now_s - self._began_s)
        self._go_on(now_s)

    def refused(self) -> None:
        if self._flight.takes_refusals:
            self._flight.refused += 1
            self._go_on(time.perf_counter())
        else:
            self.failed(Unanswered(AN_ERROR))

    def failed(self, why: Unanswered) -> None:
        self._flight.end_with(why)

    def _go_on(self, now_s: float) -> None:
        flight = self._flight
        if now_s < flight.ends_s:
            self._began_s = now_s
            self._connection.start(next(flight.bodies), self)
            return
        flight.in_flight -= 1
        if not flight.in_flight and not flight.ended.done():
            flight.ended.set_result(None)


async def fly(
    connections: list[Connection],
    in_flight: int,
    bodies: Iterator[bytes],
    seconds: float,
    *,
    takes_refusals: bool = False,
) -> Flight:
    """Keep so many calls going, and wait for the last of them. Raises Unanswered."""
    flight = Flight(bodies, time.perf_counter() + seconds, takes_refusals)
    for number in range(in_flight):
        _Slot(flight, connections[number % len(connections)])
    await flight.ended
    return flight
