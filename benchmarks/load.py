"""The load: one process that keeps a number of calls in flight and measures one server over one round."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import grpc
import grpc.aio
import uvloop

from onecode.v1 import recognition_pb2 as pb

from benchmarks.servers import Server, cpu_s, machine_cpu_s, resident_mib
from benchmarks.workload import HOST_REGION

WARM_UP_S: Final = 0.3
CALL_TIMEOUT_S: Final = 20.0
_SERVICE: Final = "/onecode.v1.RecognitionService/"


@dataclass(frozen=True)
class Case:
    """How codes are sent: from which pool, how many to a call, and how many calls at once over how many connections."""

    name: str
    pool: str
    codes_per_call: int
    in_flight: int
    connections: int


class Round(NamedTuple):
    """What one round measured. Latencies are those of a call."""

    sent: int
    """Codes, with those of the warm-up."""
    codes: int
    cpu_s: float
    wall_s: float
    p50_ms: float
    p99_ms: float
    resident_mib: float
    others_cores: float
    """How many cores were busy with neither server nor load: on a quiet machine, next to none."""


def run(case: Case, codes: list[bytes], server: Server, seconds: float) -> Round:
    """Send each code at most once, for at most ``seconds``, and wait for all the answers."""
    return uvloop.run(_run(case, codes, server, seconds))


async def _run(case: Case, codes: list[bytes], server: Server, seconds: float) -> Round:
    requests = iter(_requests(case, codes))
    channels = [
        # Without a pool of its own a channel would share one connection with the others.
        grpc.aio.insecure_channel(server.address, options=[("grpc.use_local_subchannel_pool", 1)])
        for _ in range(case.connections)
    ]
    method = _SERVICE + ("Verify" if case.codes_per_call == 1 else "BatchVerify")
    calls: list[Any] = [
        channel.unary_unary(method) for channel in channels
    ]  # bytes in, bytes out: the load costs little
    warm_up_calls = len(await _send(case, calls, requests, WARM_UP_S))
    before_s, started_s = _clocks(server), time.perf_counter()
    latencies_s = await _send(case, calls, requests, seconds)
    # Every call has ended here, so that the CPU of each is counted, and no other's.
    wall_s = time.perf_counter() - started_s
    used_s, load_s, machine_s = (after - before for after, before in zip(_clocks(server), before_s, strict=True))
    for channel in channels:
        await channel.close()
    percentiles = statistics.quantiles(latencies_s, n=100, method="inclusive")
    return Round(
        (warm_up_calls + len(latencies_s)) * case.codes_per_call,
        len(latencies_s) * case.codes_per_call,
        used_s,
        wall_s,
        percentiles[49] * 1e3,
        percentiles[98] * 1e3,
        resident_mib(server.pid),
        max(0.0, machine_s - used_s - load_s) / wall_s,
    )


async def _send(case: Case, calls: list[Any], requests: Iterator[bytes], seconds: float) -> list[float]:
    """Keep ``case.in_flight`` calls going; return how long each took."""
    ends_s = time.perf_counter() + seconds
    latencies_s: list[float] = []

    async def one_after_the_other(call: Any) -> None:
        while (now_s := time.perf_counter()) < ends_s and (request := next(requests, None)) is not None:
            await call(request, timeout=CALL_TIMEOUT_S)
            latencies_s.append(time.perf_counter() - now_s)

    await asyncio.gather(*(one_after_the_other(calls[i % len(calls)]) for i in range(case.in_flight)))
    return latencies_s


def _clocks(server: Server) -> tuple[float, float, float]:
    """Return the CPU seconds that the server, this load and the whole machine have used."""
    return cpu_s(server.pid), time.process_time(), machine_cpu_s()


def _requests(case: Case, codes: list[bytes]) -> list[bytes]:
    if case.codes_per_call == 1:
        return [pb.VerifyRequest(code=code, host_region=HOST_REGION).SerializeToString() for code in codes]
    batches = [codes[i : i + case.codes_per_call] for i in range(0, len(codes), case.codes_per_call)]
    return [pb.BatchVerifyRequest(codes=batch, host_region=HOST_REGION).SerializeToString() for batch in batches]
