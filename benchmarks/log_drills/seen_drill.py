"""After how long a record that one machine took shows at the others, while records are published and batches checked.

The time runs from the moment at which the record is sent: what acknowledging takes is in it. Another machine shows the
record once a verdict on its bearer's code has its level.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2

from benchmarks.log_drills.drilled import Drilled, load_of_computer
from benchmarks.log_drills.publisher import Publisher
from benchmarks.report import plain_table
from demo.cluster.cluster import MACHINES
from demo.cluster.traffic import HOST, REGION, Connection, end

BOUND_S: Final = 1.0
"""Within which 99 of 100 records show everywhere."""
PROBES: Final = 6
"""Records that are watched at once."""
POLL_S: Final = 0.02
"""Between two looks, by which a delay may be measured too long. Shorter pauses load the computer more."""
BATCH_CODES: Final = 1000
BATCH_PAUSE_S: Final = 0.2
"""Between two batches at a machine."""
_GIVEN_UP_S: Final = 60.0
_WARM_UP: Final = 40
"""Tries that are not counted: brokers and machines have just started."""


class Delays(NamedTuple):
    """A record's delays in seconds: until it was acknowledged, and until the last of the other machines showed it."""

    acknowledged_s: float
    seen_s: float


class Seen(NamedTuple):
    """All tries, and what went on beside them."""

    delays: list[Delays]
    seconds: float
    records: int
    codes: int


class Probe:
    """Bearers that are published on in turn, through one machine after the other, and looked at everywhere else. Nobody
    else publishes on them."""

    def __init__(self, connections: Sequence[Connection], codes: Sequence[bytes], poll_s: float = POLL_S) -> None:
        self._connections, self._codes, self._poll_s = connections, codes, poll_s
        self._streams = [connection.status.PublishStatuses() for connection in connections]
        self._sequences = [0] * len(connections)

    async def delays(self, number: int, by: int) -> Delays:
        """Publish the next record, from 0 on, through a machine; return how long it took. Raises grpc.RpcError."""
        code, revision = self._codes[number % len(self._codes)], number // len(self._codes) + 1
        level = status_pb2.LEVEL_YELLOW if revision % 2 else status_pb2.LEVEL_GREEN
        self._sequences[by] += 1
        asked = _record(code, level, revision, self._sequences[by])
        sent_s = time.monotonic()
        await self._streams[by].write(asked)
        others = [place for place in range(len(self._connections)) if place != by]
        acknowledged_s, *seen_s = await asyncio.gather(
            self._acknowledged(by), *(self._seen(other, code, level) for other in others)
        )
        return Delays(acknowledged_s - sent_s, max(seen_s) - sent_s)

    async def end(self) -> None:
        """End the streams."""
        for stream in self._streams:
            await stream.done_writing()

    async def _acknowledged(self, by: int) -> float:
        answer = await self._streams[by].read()
        if not isinstance(answer, status_pb2.PublishStatusesResponse):
            raise SystemExit("a stream of records was ended by the server")
        if answer.rejections or answer.durable_through != self._sequences[by]:
            raise SystemExit(f"a record was not taken: {answer}")
        return time.monotonic()

    async def _seen(self, at: int, code: bytes, level: int) -> float:
        asked = pb.VerifyRequest(code=code, host_region=HOST)
        ends_s = time.monotonic() + _GIVEN_UP_S
        while (await self._connections[at].recognition.Verify(asked, timeout=_GIVEN_UP_S)).verdict.level != level:
            if time.monotonic() > ends_s:
                raise SystemExit(f"a record did not show within {_GIVEN_UP_S:g} s")
            await asyncio.sleep(self._poll_s)
        return time.monotonic()


async def run(drilled: Drilled, tries: int, records_a_second: float, tick: Callable[[int], None]) -> Seen:
    """Publish and look, while the cluster is busy."""
    connections = [Connection(machine) for machine in drilled.machines]
    publisher = Publisher(drilled.machines, drilled.pseudonym_key, records_a_second)
    half = len(drilled.cluster.codes) // 2
    probed, checked = drilled.cluster.codes[:half], drilled.cluster.codes[half:]
    probes = [Probe(connections, probed[first::PROBES]) for first in range(PROBES)]
    codes, numbers = [0], iter(range(_WARM_UP + tries))
    publisher.start()
    checks = [asyncio.create_task(_check(connection, checked, codes)) for connection in connections]
    began_s = time.monotonic()
    try:
        found = await asyncio.gather(*(watch(probe, numbers, tick) for probe in probes))
    finally:
        await end(checks)
    seconds = time.monotonic() - began_s
    await publisher.stop()
    for connection in connections:
        await connection.channel.close()
    delays = [delay for of_probe in found for number, delay in of_probe if number >= _WARM_UP]
    return Seen(delays, seconds, len(publisher.acknowledged), codes[0])


async def watch(probe: Probe, numbers: Iterator[int], tick: Callable[[int], None]) -> list[tuple[int, Delays]]:
    """Publish and look, until there are no numbers any more; return the delays with their numbers. The machine whose
    turn it is publishes. Raises grpc.RpcError."""
    found = []
    for own, number in enumerate(numbers):  # shared: whoever is through with one takes the next
        found.append((number, await probe.delays(own, number % MACHINES)))
        if number >= _WARM_UP:
            tick(1)
    await probe.end()
    return found


async def _check(at: Connection, codes: Sequence[bytes], count: list[int]) -> None:
    """Check batches one after the other, without an end."""
    batch = (list(codes) * (BATCH_CODES // len(codes) + 1))[:BATCH_CODES]
    asked = pb.BatchVerifyRequest(codes=batch, host_region=HOST)
    while True:
        await at.recognition.BatchVerify(asked, timeout=_GIVEN_UP_S)
        count[0] += BATCH_CODES
        await asyncio.sleep(BATCH_PAUSE_S)


def _record(
    code: bytes, level: status_pb2.Level.ValueType, revision: int, sequence: int
) -> status_pb2.PublishStatusesRequest:
    now = Timestamp()
    now.GetCurrentTime()
    record = status_pb2.StatusRecord(
        publisher=REGION,
        subject=status_pb2.SubjectRef(code=code),
        level=level,
        scope=status_pb2.SCOPE_NATIONAL,
        effective_at=now,
        revision=revision,
    )
    return status_pb2.PublishStatusesRequest(sequence=sequence, record=record)


def p99_s(delays_s: Sequence[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(delays_s, n=100, method="inclusive")[98]


def show(console: Console, seen: Seen) -> None:
    """Print the delays."""
    table = plain_table()
    table.add_column(f"{len(seen.delays):,} records, ms from sending")
    for column in ("min", "median", "p99", "max", f"over {BOUND_S:g} s"):
        table.add_column(column, justify="right")
    for what, delays_s in (
        ("acknowledged", [one.acknowledged_s for one in seen.delays]),
        ("shown by both other machines", [one.seen_s for one in seen.delays]),
    ):
        found = (min(delays_s), statistics.median(delays_s), p99_s(delays_s), max(delays_s))
        late = sum(delay_s > BOUND_S for delay_s in delays_s)
        table.add_row(what, *(f"{one * 1000:,.0f}" for one in found), str(late))
    console.print(table)
    console.print(
        f"beside {seen.records / seen.seconds:,.0f} records and {seen.codes / seen.seconds:,.0f} codes a second; "
        f"{load_of_computer()}",
        highlight=False,
    )


def is_broken(seen: Seen) -> bool:
    """Tell whether the promise was broken."""
    return p99_s([one.seen_s for one in seen.delays]) >= BOUND_S
