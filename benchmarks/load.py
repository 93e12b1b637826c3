"""The load: keeps a number of calls in flight, with codes that all differ, and measures one server over one round."""

import asyncio
import statistics
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import uvloop

from onecode.v1 import recognition_pb2 as pb

from benchmarks.closed_loop import fly
from benchmarks.http2 import Connection, framed
from benchmarks.processes import machine_cpu_s, memory_mib
from benchmarks.servers import Server
from benchmarks.workload import HOST_REGION

WARM_UP_S: Final = 0.25
METHOD: Final = "/onecode.v1.RecognitionService/"


@dataclass(frozen=True)
class Case:
    """How codes are sent: from which pool, by which method, how many to a call, how many calls at once."""

    name: str
    pool: str
    method: str
    codes_per_call: int
    in_flight: int
    connections: int
    servers: tuple[str, ...]
    """Who is measured, by name, onecode first."""


class Round(NamedTuple):
    """What one round measured. Latencies are those of a call, or of a message on a stream."""

    codes: int
    cpu_s: float
    wall_s: float
    p50_ms: float
    p99_ms: float
    resident_mib: float
    anonymous_mib: float
    load_cores: float
    """How much of a core this load used: well under one, or the load was what was measured."""
    others_cores: float
    """How many cores were busy with neither server nor load: on a quiet machine, next to none."""


def run(case: Case, bodies: Iterator[bytes], server: Server, seconds: float) -> Round:
    """Send one body after the other for some seconds, after a warm-up, and wait for all the answers."""
    return uvloop.run(_run(case, bodies, server, seconds))


async def _run(case: Case, bodies: Iterator[bytes], server: Server, seconds: float) -> Round:
    send = _stream if case.method == "StreamVerify" else _call
    connections = [
        await Connection(METHOD + case.method, server.address, shown=server.shown).open()
        for _ in range(case.connections)
    ]
    await send(case, connections, bodies, WARM_UP_S)
    before, started_s = _clocks(server), time.perf_counter()
    latencies_s = await send(case, connections, bodies, seconds)
    # Every call has ended here, so that the CPU of each is counted, and no other's.
    wall_s = time.perf_counter() - started_s
    used_s, load_s, machine_s = (after - earlier for after, earlier in zip(_clocks(server), before, strict=True))
    for connection in connections:
        connection.close()
    p50_s, p99_s = percentiles(latencies_s)
    return Round(
        len(latencies_s) * case.codes_per_call,
        used_s,
        wall_s,
        p50_s * 1e3,
        p99_s * 1e3,
        *memory_mib(server.pid),
        load_s / wall_s,
        max(0.0, machine_s - used_s - load_s) / wall_s,
    )


async def _call(case: Case, connections: list[Connection], bodies: Iterator[bytes], seconds: float) -> list[float]:
    """Keep ``case.in_flight`` calls going; return how long each took."""
    return (await fly(connections, case.in_flight, bodies, seconds)).latencies_s


async def _stream(case: Case, connections: list[Connection], bodies: Iterator[bytes], seconds: float) -> list[float]:
    """Keep ``case.in_flight`` messages without an answer, on a stream of each connection; return how long each took."""
    ends_s = time.perf_counter() + seconds
    latencies_s: list[float] = []

    async def one_stream(connection: Connection, ahead: int) -> None:
        sent_s: deque[float] = deque()  # answers come in order
        finished = asyncio.get_running_loop().create_future()

        def answered(count: int) -> None:
            now_s = time.perf_counter()
            latencies_s.extend(now_s - sent_s.popleft() for _ in range(count))
            if now_s < ends_s:
                put(count)
            elif not sent_s and not finished.done():
                finished.set_result(None)

        def put(count: int) -> None:
            sent_s.extend([time.perf_counter()] * count)
            for _ in range(count):
                connection.send(number, next(bodies))

        number = connection.begin(answered)
        put(ahead)
        await finished
        await connection.end(number)

    await asyncio.gather(*(one_stream(connection, case.in_flight // len(connections)) for connection in connections))
    return latencies_s


def percentiles(latencies_s: list[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    found = statistics.quantiles(latencies_s, n=100, method="inclusive")
    return found[49], found[98]


def _clocks(server: Server) -> tuple[float, float, float]:
    """Return the CPU seconds that the server, this load and the whole machine have used."""
    return server.cpu_s(), time.process_time(), machine_cpu_s()


def bodies_of(case: Case, codes: list[bytes]) -> list[bytes]:
    """Return the framed requests of a case, each code once."""
    if case.method == "StreamVerify":
        messages: Iterator[pb.VerifyRequest | pb.BatchVerifyRequest | pb.StreamVerifyRequest] = (
            pb.StreamVerifyRequest(request_id=number, code=code, host_region=HOST_REGION)
            for number, code in enumerate(codes, 1)
        )
    elif case.method == "Verify":
        messages = (pb.VerifyRequest(code=code, host_region=HOST_REGION) for code in codes)
    else:
        starts = range(0, len(codes), case.codes_per_call)
        batches = (codes[start : start + case.codes_per_call] for start in starts)
        messages = (pb.BatchVerifyRequest(codes=batch, host_region=HOST_REGION) for batch in batches)
    return [framed(message.SerializeToString()) for message in messages]
