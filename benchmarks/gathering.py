"""Single checks that the Python client gathers, against plain unary calls: as many callers at once, the same codes.

Each way has a server of its own on one data directory. Both have answered every code once before, so that gathered
callers, who come round to a code sooner, find no more of it remembered than the others.
"""

import asyncio
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import click
import grpc
import grpc.aio
import uvloop
from rich.console import Console
from rich.progress import track

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc
from onecode_client import AsyncOnecodeClient, OnecodeClient
from onecode_client.loopback import UNPROXIED

from benchmarks import servers, workload
from benchmarks.processes import cpu_s
from benchmarks.servers import Server
from benchmarks.workload import HOST_REGION

CALLERS: Final = 256
CONNECTIONS: Final = 4
"""Of either way. A server allows a hundred calls at once on each."""
WARM_UP_S: Final = 0.5
CALL_TIMEOUT_S: Final = 20.0
POOL_CODES: Final = 20_000
_OWN: Final = (("grpc.use_local_subchannel_pool", 1), *UNPROXIED)

Verify = Callable[[bytes], pb.VerifyResponse]
AsyncVerify = Callable[[bytes], Awaitable[pb.VerifyResponse]]


class Round(NamedTuple):
    """What one round measured."""

    answers: int
    wall_s: float
    server_cpu_s: float
    client_cpu_s: float
    p50_ms: float
    p99_ms: float


@dataclass
class Meter:
    """Counts answers between two looks at the clocks."""

    pid: int
    ends_s: float = 0.0

    def start(self, seconds: float) -> None:
        """Begin a round."""
        self.latencies_s: list[float] = []
        self._before = time.perf_counter(), cpu_s(self.pid), time.process_time()
        self.ends_s = time.perf_counter() + seconds

    def stop(self) -> Round:
        """Return what was measured since the start."""
        after = time.perf_counter(), cpu_s(self.pid), time.process_time()
        percentiles = statistics.quantiles(self.latencies_s, n=100, method="inclusive")
        wall_s, server_s, client_s = (end - begin for begin, end in zip(self._before, after, strict=True))
        p50_ms, p99_ms = percentiles[49] * 1e3, percentiles[98] * 1e3
        return Round(len(self.latencies_s), wall_s, server_s, client_s, p50_ms, p99_ms)

    def note(self, answer: pb.VerifyResponse, began_s: float) -> None:
        """Count an answer. Raises ValueError where it is not what a good code is told."""
        if answer.verdict.authenticity != pb.AUTHENTICITY_VALID or not answer.trust_list_version:
            raise ValueError(f"an authentic code was answered {answer}")
        self.latencies_s.append(time.perf_counter() - began_s)


def run(way: str, codes: list[bytes], server: Server, seconds: float, callers: int = CALLERS) -> Round:
    """Measure one way: ``"unary"`` or ``"gathered"``, and with ``" threads"`` behind it from threads, not tasks."""
    if way.endswith(" threads"):
        return _run_threads(way.removesuffix(" threads"), _forever(codes), server, seconds, callers)
    return uvloop.run(_run_tasks(way, _forever(codes), server, seconds, callers))


async def _run_tasks(way: str, codes: Iterator[bytes], server: Server, seconds: float, callers: int) -> Round:
    channels = [grpc.aio.insecure_channel(server.address, options=_OWN) for _ in range(CONNECTIONS)]
    stubs = [pb_grpc.RecognitionServiceStub(channel) for channel in channels]
    turn = iter(range(10**12))

    async def unary(code: bytes) -> pb.VerifyResponse:
        request = pb.VerifyRequest(code=code, host_region=HOST_REGION)
        answer: pb.VerifyResponse = await stubs[next(turn) % CONNECTIONS].Verify(request, timeout=CALL_TIMEOUT_S)
        return answer

    async with AsyncOnecodeClient(server.address, CALL_TIMEOUT_S, connections=CONNECTIONS) as client:

        async def gathered(code: bytes) -> pb.VerifyResponse:
            return await client.verify(code, HOST_REGION)

        verify: AsyncVerify = unary if way == "unary" else gathered
        meter = Meter(server.pid)

        async def caller() -> None:
            while (began_s := time.perf_counter()) < meter.ends_s:
                meter.note(await verify(next(codes)), began_s)

        for lasts_s in (WARM_UP_S, seconds):
            meter.start(lasts_s)
            await asyncio.gather(*(caller() for _ in range(callers)))
            measured = meter.stop()
    for channel in channels:
        await channel.close()
    return measured


def _run_threads(way: str, codes: Iterator[bytes], server: Server, seconds: float, callers: int) -> Round:
    channels = [grpc.insecure_channel(server.address, options=_OWN) for _ in range(CONNECTIONS)]
    stubs = [pb_grpc.RecognitionServiceStub(channel) for channel in channels]
    turn, drawing = iter(range(10**12)), threading.Lock()

    def unary(code: bytes) -> pb.VerifyResponse:
        request = pb.VerifyRequest(code=code, host_region=HOST_REGION)
        return stubs[next(turn) % CONNECTIONS].Verify(request, timeout=CALL_TIMEOUT_S)

    with OnecodeClient(server.address, CALL_TIMEOUT_S, connections=CONNECTIONS) as client:

        def gathered(code: bytes) -> pb.VerifyResponse:
            return client.verify(code, HOST_REGION)

        verify: Verify = unary if way == "unary" else gathered
        meter = Meter(server.pid)

        def caller() -> None:
            while (began_s := time.perf_counter()) < meter.ends_s:
                with drawing:  # a generator is not for several threads at once
                    code = next(codes)
                meter.note(verify(code), began_s)

        for lasts_s in (WARM_UP_S, seconds):
            meter.start(lasts_s)
            threads = [threading.Thread(target=caller) for _ in range(callers)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            measured = meter.stop()
    for channel in channels:
        channel.close()
    return measured


def _forever(codes: list[bytes]) -> Iterator[bytes]:
    while True:
        yield from codes


def measure(
    pair: tuple[Server, Server], codes: list[bytes], rounds: int, seconds: float, callers: int, progress: Console
) -> dict[str, list[Round]]:
    """Measure all ways, alternating; plain calls on the first server, gathered ones on the second."""
    turns = [
        (f"{way}{kind}", server)
        for kind in ("", " threads")
        for _ in range(rounds)
        for way, server in zip(("unary", "gathered"), pair, strict=True)
    ]
    found: dict[str, list[Round]] = {way: [] for way, _ in turns}
    spawn = multiprocessing.get_context("spawn")  # a forked child would inherit gRPC's threads, but not running
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        for number, (way, server) in enumerate(track(turns, "measuring", console=progress, transient=True)):
            start = number // 2 * 4_999 % len(codes)
            mixed = codes[start:] + codes[:start]
            found[way].append(process.submit(run, way, mixed, server, seconds, callers).result())
    return found


def lines(found: dict[str, list[Round]]) -> Iterator[str]:
    """Yield what was measured, as text: medians, and the ratios of neighbouring rounds."""

    def median(rounds: list[Round], rate: Callable[[Round], float]) -> float:
        return statistics.median(map(rate, rounds))

    rates: dict[str, Callable[[Round], float]] = {
        "answers a second": lambda one: one.answers / one.wall_s,
        "answers a server CPU-second": lambda one: one.answers / one.server_cpu_s,
        "answers a client CPU-second": lambda one: one.answers / one.client_cpu_s,
    }
    for kind, kind_of_caller in (("", "tasks"), (" threads", "threads")):
        unary, gathered = found[f"unary{kind}"], found[f"gathered{kind}"]
        for name, rate in rates.items():
            ratios = sorted(rate(two) / rate(one) for one, two in zip(unary, gathered, strict=True))
            yield (
                f"{kind_of_caller}, {name}: unary {median(unary, rate):,.0f}, gathered {median(gathered, rate):,.0f}, "
                f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            )
        yield f"{kind_of_caller}, ms (median, p99): " + ", ".join(
            f"{way} {median(rounds, lambda one: one.p50_ms):.1f} {median(rounds, lambda one: one.p99_ms):.1f}"
            for way, rounds in (("unary", unary), ("gathered", gathered))
        )


@click.command(context_settings={"show_default": True})
@click.option("--rounds", default=5, type=click.IntRange(1, 50), help="Of each way.")
@click.option("--seconds", default=3.0, type=click.FloatRange(0.5, 60), help="Of each round.")
@click.option("--callers", default=CALLERS, type=click.IntRange(1, 1000), help="At once.")
def main(rounds: int, seconds: float, callers: int) -> None:
    """Measure gathered single checks against plain unary ones."""
    progress = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="onecode-gathering-") as directory:
        data_dir = Path(directory) / "data"
        progress.print("issuing codes and publishing status")
        codes = workload.make(data_dir, POOL_CODES)["national"].codes
        with servers.pair(data_dir) as pair:
            for server in pair:
                with OnecodeClient(server.address) as client:
                    list(client.verify_all(codes, HOST_REGION))
            found = measure(pair, codes, rounds, seconds, callers, progress)
    Console().print(*lines(found), sep="\n", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
