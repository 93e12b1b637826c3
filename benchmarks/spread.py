"""What one server takes, the other on the data directory answers: after how long, while both are busy?

``python -m benchmarks.spread`` measures from the acknowledgement of a record by one server (``durable_through``) to the
first verdict by the other that shows it, a thousand times, in both directions. Meanwhile a process of load for each
server keeps a BatchVerify of 1,000 codes and a chunk of 1,000 records in flight there. The status is 1 where a record
took longer than a second.
"""

import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import grpc.aio
import uvloop
from rich.console import Console
from rich.progress import Progress

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc
from onecode.v1 import status_pb2, status_pb2_grpc
from onecode_client.loopback import UNPROXIED

from benchmarks import servers, workload
from benchmarks.servers import Server

BOUND_S: Final = 1.0
"""What the project promises."""
GIVEN_UP_S: Final = 60.0
"""A record that does not show by then never will."""
POLL_S: Final = 0.005
"""Between two looks, by which a delay may be measured too long."""
HOME: Final = "420000"
LOAD_CODES: Final = 1000
LOAD_RECORDS: Final = 1000
LOAD_BEARERS: Final = 50_000
"""The load publishes on these in turn, so that the store grows and its pages are not all in one place."""
PROBES: Final = 4
"""Bearers that are watched at once."""


class Done(NamedTuple):
    """What one process of load got answered."""

    codes: int
    records: int


class Spread(NamedTuple):
    """The delays of all tries, in seconds, and what was answered beside them."""

    delays_s: list[float]
    load: Done

    @property
    def late(self) -> list[float]:
        """Those over the bound."""
        return [delay_s for delay_s in self.delays_s if delay_s > BOUND_S]


def measure(pair: tuple[Server, Server], data_dir: Path, tries: int, progress: Progress) -> Spread:
    """Publish and look ``tries`` times while both servers are busy."""
    codes = workload.issue(data_dir, HOME, LOAD_CODES)
    watched = [workload.issue(data_dir, HOME, 1, bearer=f"watched-{n}")[0] for n in range(PROBES)]
    task = progress.add_task("measuring", total=tries)
    with _load(pair, codes) as load:
        delays_s = uvloop.run(_measure(pair, watched, tries, lambda: progress.advance(task)))
    return Spread(delays_s, Done(sum(one.codes for one in load), sum(one.records for one in load)))


async def _measure(pair: tuple[Server, Server], watched: list[bytes], tries: int, tick: Any) -> list[float]:
    channels = [grpc.aio.insecure_channel(server.address, options=UNPROXIED) for server in pair]
    numbers = iter(range(tries))  # shared: whoever is through with one takes the next
    try:
        found = await asyncio.gather(
            *(_watch(channels, code, f"watched-{n}", numbers, tick) for n, code in enumerate(watched))
        )
    finally:
        for channel in channels:
            await channel.close()
    return [delay_s for delays_s in found for delay_s in delays_s]


async def _watch(
    channels: list[grpc.aio.Channel], code: bytes, name: str, numbers: Iterator[int], tick: Any
) -> list[float]:
    """Publish on one bearer through one server and look at the other, then the other way round."""
    streams = [status_pb2_grpc.StatusServiceStub(channel).PublishStatuses() for channel in channels]
    verify = [pb_grpc.RecognitionServiceStub(channel).Verify for channel in channels]
    request = pb.VerifyRequest(code=code, host_region=workload.HOST_REGION)
    delays_s = []
    for revision, number in enumerate(numbers, 1):
        level = 3 if revision % 2 else 1
        by, other = number % 2, 1 - number % 2
        await _until(verify[other], request, 4 - level)  # it took the last one itself, and knows of it from the feed
        await streams[by].write(_record(name, level, revision, revision))
        answer = await _answer(streams[by])
        started_s = time.monotonic()
        if answer.durable_through != revision or answer.rejections:
            raise SystemExit(f"a record was not taken: {answer}")
        await _until(verify[other], request, level)
        delays_s.append(time.monotonic() - started_s)
        tick()
    for stream in streams:
        await stream.done_writing()
    return delays_s


async def _answer(stream: Any) -> status_pb2.PublishStatusesResponse:
    answer = await stream.read()  # grpc.aio.EOF where the server has ended it
    if not isinstance(answer, status_pb2.PublishStatusesResponse):
        raise SystemExit("a stream of records was ended by the server")
    return answer


async def _until(verify: Any, request: pb.VerifyRequest, level: int) -> None:
    """Ask until the verdict shows a level."""
    ends_s = time.monotonic() + GIVEN_UP_S
    while (await verify(request, timeout=GIVEN_UP_S)).verdict.level != level:
        if time.monotonic() > ends_s:
            raise SystemExit(f"a record did not show within {GIVEN_UP_S:g} s")
        await asyncio.sleep(POLL_S)


def _record(name: str, level: int, revision: int, sequence: int) -> status_pb2.PublishStatusesRequest:
    local = status_pb2.LocalSubject(region=HOME, id=name)
    record = status_pb2.StatusRecord(publisher=HOME, level=level, scope=1, revision=revision)  # type: ignore[arg-type]
    record.subject.local.CopyFrom(local)
    record.effective_at.GetCurrentTime()
    return status_pb2.PublishStatusesRequest(sequence=sequence, record=record)


@contextmanager
def _load(pair: tuple[Server, Server], codes: list[bytes]) -> Iterator[list[Done]]:
    """Keep both servers busy; the list is filled at the end."""
    spawn = multiprocessing.get_context("spawn")  # a forked child would inherit gRPC's threads, but not running
    stop, answers = spawn.Event(), spawn.Queue()
    processes = [
        spawn.Process(target=_press, args=(server.address, codes, number, stop, answers), daemon=True)
        for number, server in enumerate(pair)
    ]
    for process in processes:
        process.start()
    done: list[Done] = []
    try:
        yield done
        stop.set()
        done += [answers.get(timeout=GIVEN_UP_S) for _ in processes]
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _press(address: str, codes: list[bytes], number: int, stop: Any, answers: Any) -> None:
    answers.put(uvloop.run(_keep_busy(address, codes, number, stop)))


async def _keep_busy(address: str, codes: list[bytes], number: int, stop: Any) -> Done:
    batch = pb.BatchVerifyRequest(codes=codes, host_region=workload.HOST_REGION).SerializeToString()
    async with grpc.aio.insecure_channel(address, options=UNPROXIED) as channel:
        check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/onecode.v1.RecognitionService/BatchVerify"
        )

        async def checks() -> int:
            count = 0
            while not stop.is_set():
                await check(batch, timeout=GIVEN_UP_S)
                count += len(codes)
            return count

        async def records() -> int:
            stream, sequence = status_pb2_grpc.StatusServiceStub(channel).PublishStatuses(), 0
            while not stop.is_set():
                for _ in range(LOAD_RECORDS):
                    sequence += 1
                    bearer = f"busy-{number}-{sequence % LOAD_BEARERS}"
                    await stream.write(_record(bearer, 1, sequence, sequence))
                while (await _answer(stream)).durable_through < sequence:
                    pass
            await stream.done_writing()
            return sequence

        return Done(*await asyncio.gather(checks(), records()))


@click.command(context_settings={"show_default": True})
@click.option("--tries", default=1000, type=click.IntRange(2, 100_000))
def main(tries: int) -> None:
    """Measure after how long a published record shows at the other server, while both are busy."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="onecode-spread-") as directory:
        data_dir = Path(directory) / "data"
        workload.init(data_dir)
        with servers.pair(data_dir) as pair, Progress(console=Console(stderr=True), transient=True) as progress:
            started_s = time.monotonic()
            found = measure(pair, data_dir, tries, progress)
            took_s = time.monotonic() - started_s
    ordered = sorted(found.delays_s)
    p99_s = statistics.quantiles(ordered, n=100, method="inclusive")[98]
    shown = {"min": ordered[0], "median": statistics.median(ordered), "p99": p99_s, "max": ordered[-1]}
    console.print(
        f"{len(ordered):,} records, from durable at one server to shown by the other, in ms: "
        + ", ".join(f"{name} {delay_s * 1e3:,.0f}" for name, delay_s in shown.items()),
        f"beside them in {took_s:,.0f} s: {found.load.codes:,} codes checked, {found.load.records:,} records published",
        f"over {BOUND_S:g} s: {len(found.late)}",
        sep="\n",
        highlight=False,
        soft_wrap=True,
    )
    sys.exit(bool(found.late))


if __name__ == "__main__":
    main()
