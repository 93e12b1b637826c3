"""What a caller waits: beside somebody else's large batches, and for a server that has just been started."""

import asyncio
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Final, NamedTuple

import uvloop

from onecode.v1 import recognition_pb2 as pb

from benchmarks import servers
from benchmarks.http2 import Connection, framed
from benchmarks.load import METHOD, percentiles
from benchmarks.servers import Server
from benchmarks.workload import HOST_REGION

CALLS_PER_S: Final = 200
LARGE_BATCH: Final = 4096
"""The largest that is taken."""
CONNECTIONS: Final = 16
"""Gates, say. A server that stalls for seconds gets no more calls on one than it allows."""
RUNS: Final = 5
RUN_S: Final = 3.0
"""Of each kind: 600 calls, so that six of them are beyond the 99th percentile, and no single hiccup makes it."""
SETTLE_S: Final = 0.3
STARTS: Final = 5


class Waits(NamedTuple):
    """Latencies of single calls in seconds, run by run, without and with large batches beside them."""

    alone: list[list[float]]
    beside_batches: list[list[float]]
    batches: int

    def summary(self) -> dict[str, Any]:
        """Return the median over the runs of each 99th percentile and of their ratio, as JSON holds it."""
        pairs = [
            (percentiles(alone)[1], percentiles(beside)[1])
            for alone, beside in zip(self.alone, self.beside_batches, strict=True)
        ]
        ratios = sorted(beside / alone for alone, beside in pairs)
        return {
            "calls_per_s": CALLS_PER_S,
            "codes_per_batch": LARGE_BATCH,
            "p99_ms_alone": round(statistics.median(alone for alone, _ in pairs) * 1e3, 2),
            "p99_ms_beside_batches": round(statistics.median(beside for _, beside in pairs) * 1e3, 2),
            "ratio": round(statistics.median(ratios), 2),
            "ratio_lowest": round(ratios[0], 2),
            "ratio_highest": round(ratios[-1], 2),
            "batches": self.batches,
        }


def beside_batches(server: Server, codes: list[bytes], runs: int = RUNS, run_s: float = RUN_S) -> Waits:
    """Measure single calls in open loop, without and with one client that sends large batches back to back."""
    waits, dice = Waits([], [], 0), random.Random(200)
    singles = cycle([framed(pb.VerifyRequest(code=c, host_region=HOST_REGION).SerializeToString()) for c in codes])
    starts = range(0, len(codes) - LARGE_BATCH + 1, LARGE_BATCH)
    batches = cycle(
        [
            framed(pb.BatchVerifyRequest(codes=codes[i : i + LARGE_BATCH], host_region=HOST_REGION).SerializeToString())
            for i in starts
        ]
    )

    async def run() -> Waits:
        sent = 0
        single = [await Connection(f"{METHOD}Verify", server.address).open() for _ in range(CONNECTIONS)]
        large = await Connection(f"{METHOD}BatchVerify", server.address).open()
        for _ in range(runs):
            waits.alone.append(await _open_loop(single, singles, run_s, dice, asyncio.Event()))
            stop = asyncio.Event()  # batches end with the last single call: a server that starves these would never end
            sending = asyncio.create_task(_back_to_back(large, batches, stop))
            waits.beside_batches.append(await _open_loop(single, singles, run_s, dice, stop))
            sent += await sending
        for connection in (*single, large):
            connection.close()
        return waits._replace(batches=sent)

    return uvloop.run(run())


async def _open_loop(
    connections: list[Connection], bodies: Iterator[bytes], seconds: float, dice: random.Random, sent: asyncio.Event
) -> list[float]:
    """Send calls at random moments (a Poisson process), whatever becomes of those before; return what each took.

    A call's time runs from the moment at which it was due, so that a stall counts for all who would have called in it.
    ``sent`` is set when the last one is on its way.
    """
    latencies_s: list[float] = []

    async def call(connection: Connection, due_s: float, body: bytes) -> None:
        begins_s = min(due_s, time.perf_counter())  # a timer may be early by half a millisecond
        await connection.call(body)
        latencies_s.append(time.perf_counter() - begins_s)

    await asyncio.sleep(SETTLE_S)
    due_s = time.perf_counter()
    ends_s = due_s + seconds
    turns = cycle(connections)
    async with asyncio.TaskGroup() as calls:
        while due_s < ends_s:
            if (wait_s := due_s - time.perf_counter()) > 0:
                await asyncio.sleep(wait_s)
            calls.create_task(call(next(turns), due_s, next(bodies)))
            due_s += dice.expovariate(CALLS_PER_S)
        sent.set()
    return latencies_s


async def _back_to_back(connection: Connection, bodies: Iterator[bytes], stop: asyncio.Event) -> int:
    sent = 0
    while not stop.is_set():
        await connection.call(next(bodies))
        sent += 1
    return sent


def starts_s(
    data_dir: Path, code: bytes, command: list[str], cores: Sequence[int], starts: int = STARTS
) -> list[float]:
    """Return how long each of some starts took: from the command to the first answer, on a filled store."""
    body = framed(pb.VerifyRequest(code=code, host_region=HOST_REGION).SerializeToString())

    async def first_answer(server: Server) -> None:
        connection = await Connection(f"{METHOD}Verify", server.address).open()
        await connection.call(body)
        connection.close()

    took_s = []
    for _ in range(starts):
        began_s = time.perf_counter()
        with servers.running("started", command, data_dir, cores) as server:
            asyncio.run(first_answer(server))
            took_s.append(time.perf_counter() - began_s)
    return took_s
