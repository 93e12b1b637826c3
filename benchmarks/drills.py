"""What a deployment goes through in months, in minutes: ``python -m benchmarks.drills killed|rolling|cancelled``.

A server with two workers, and the Python client under load beside it. Each drill says what it found in one line, and
ends with status 1 where that is over its bar. A publication through kills is ``benchmarks.soak``. Linux only: it reads
``/proc``.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, Final
from urllib.request import ProxyHandler, build_opener

import click
import grpc
import uvloop

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc
from onecode.v1 import status_pb2, status_pb2_grpc
from onecode_client import AsyncOnecodeClient, ServerError

from benchmarks import servers, workload
from benchmarks.processes import memory_mib, with_children
from benchmarks.servers import Server
from benchmarks.workload import HOST_REGION

TASKS: Final = 32
"""Gates that ask one after the other."""
PAUSE_S: Final = 0.01
SERVING_S: Final = 60.0
KILL_EVERY_S: Final = 10.0
FAILED_SHARE_MAX: Final = 1e-4
"""Of calls while a worker is killed every ten seconds, with the client's own retries."""
SAMPLES: Final = 20
MEMORY_TIMES_MAX, FILES_MORE_MAX = 1.2, 8
"""Growth of memory and descriptors, from the first tenth of the cancelled calls to the last."""


class Load:
    """Checks through one client until it is stopped; ``failed`` counts what came of those that were not answered."""

    def __init__(self, address: str, codes: list[bytes]) -> None:
        self._address, self._codes = address, cycle(codes)
        self.answered = 0
        self.failed: Counter[str] = Counter()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep TASKS calls going, meanwhile."""
        async with AsyncOnecodeClient(self._address) as client:
            tasks = [asyncio.create_task(self._call(client)) for _ in range(TASKS)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _call(self, client: AsyncOnecodeClient) -> None:
        while True:
            try:
                answer = await client.verify(next(self._codes), HOST_REGION)
                self.answered += answer.verdict.decision == pb.DECISION_ADMIT
                self.failed["not admitted"] += answer.verdict.decision != pb.DECISION_ADMIT
            except ServerError as fault:
                self.failed[fault.code] += 1
            await asyncio.sleep(PAUSE_S)

    def summary(self) -> str:
        """Return what came of the calls."""
        failed = +self.failed
        return f"{self.answered:,} answered, {failed.total():,} failed {dict(failed) or ''}"


async def killed(server: Server, codes: list[bytes], times: int) -> bool:
    """A worker is killed every ten seconds: at most one call in 10,000 fails."""
    load = Load(server.address, codes)
    async with load.running():
        for number in range(times):
            await asyncio.sleep(KILL_EVERY_S)
            os.kill(_worker(server, number % 2), signal.SIGKILL)
        await _all_serve(server)
    print(f"{times} workers killed, one every {KILL_EVERY_S:g} s: {load.summary()}")
    failed = (+load.failed).total()
    return failed <= FAILED_SHARE_MAX * (failed + load.answered)


async def rolling(server: Server, codes: list[bytes], times: int) -> bool:
    """Both workers are restarted one after the other, as for a change of version: no call fails."""
    load = Load(server.address, codes)
    async with load.running():
        for number in range(2 * times):
            before = _worker(server, number % 2)
            os.kill(before, signal.SIGTERM)
            await _all_serve(server, without=before)
    print(f"{times} rolling restarts: {load.summary()}")
    return not +load.failed


async def cancelled(server: Server, codes: list[bytes], times: int) -> bool:
    """Streams, batches and publications are cancelled at any moment, for so many minutes: memory and descriptors
    stay."""
    samples, calls = [], 0
    for number in range(1, SAMPLES + 1):
        ends_s = time.monotonic() + times * 60 / SAMPLES
        while time.monotonic() < ends_s:
            await asyncio.gather(*(_cancel(server, codes, place) for place in range(8)))
            calls += 8
        samples.append((max(memory_mib(pid)[1] for pid in with_children(server.pid)), _files(server.pid)))
        print(
            f"{number} of {SAMPLES}: {calls:,} calls, {samples[-1][0]:.0f} MiB, {samples[-1][1]} descriptors",
            flush=True,
        )
    first, last = samples[SAMPLES // 10], samples[-1]
    print(f"{calls:,} calls cancelled: {first[0]:.0f} to {last[0]:.0f} MiB, {first[1]} to {last[1]} descriptors")
    return last[0] <= MEMORY_TIMES_MAX * first[0] and last[1] <= first[1] + FILES_MORE_MAX


async def _cancel(server: Server, codes: list[bytes], place: int) -> None:
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
    async with grpc.aio.insecure_channel(server.address, options=options) as channel:
        call: Any
        if place % 4 == 0:
            call = pb_grpc.RecognitionServiceStub(channel).BatchVerify(
                pb.BatchVerifyRequest(codes=codes * 40, host_region=HOST_REGION)
            )
        elif place % 4 == 1:
            call = status_pb2_grpc.StatusServiceStub(channel).PublishStatuses(_records(place))
        else:
            call = pb_grpc.RecognitionServiceStub(channel).StreamVerify(_scans(codes))
        await asyncio.sleep(0.01 * place)
        call.cancel()
        if place == 3:  # whoever is told to go while it is answered
            with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
                await call.read()


def _scans(codes: list[bytes]) -> Iterator[pb.StreamVerifyRequest]:
    for number, code in enumerate(cycle(codes)):
        yield pb.StreamVerifyRequest(request_id=number, code=code, host_region=HOST_REGION)


def _records(place: int) -> Iterator[status_pb2.PublishStatusesRequest]:
    for number in range(1, 2000):
        record = status_pb2.StatusRecord(publisher="420000", level=1, scope=1, revision=1)  # type: ignore[arg-type]
        record.subject.local.region, record.subject.local.id = "420000", f"cancelled-{place}-{number}"
        record.effective_at.FromSeconds(1)
        yield status_pb2.PublishStatusesRequest(sequence=number, record=record)


def _files(pid: int) -> int:
    return sum(len(os.listdir(f"/proc/{one}/fd")) for one in with_children(pid))


def _report(server: Server) -> dict[str, Any]:
    with build_opener(ProxyHandler({})).open(f"http://{server.page}/healthz", timeout=SERVING_S) as answer:
        found: dict[str, Any] = json.load(answer)["workers"]
    return found


def _worker(server: Server, slot: int) -> int:
    return int(_report(server)[str(slot)]["pid"])


async def _all_serve(server: Server, without: int = 0) -> None:
    """Wait until all workers serve, and one that was there is no more."""
    ends_s = time.monotonic() + SERVING_S
    while time.monotonic() < ends_s:
        with contextlib.suppress(OSError):
            workers = (await asyncio.to_thread(_report, server)).values()
            if all(one["serving"] and one["pid"] != without for one in workers):
                return
        await asyncio.sleep(0.1)
    raise SystemExit(f"not all workers serve after {SERVING_S:g} s")


@contextmanager
def _served(front: str) -> Iterator[tuple[Server, list[bytes]]]:
    with tempfile.TemporaryDirectory(prefix="onecode-drills-") as directory:
        data_dir = Path(directory) / "data"
        workload.init(data_dir)
        codes = workload.issue(data_dir, "420000", 100)
        with servers.running("drilled", servers.onecode(data_dir, workers=2, front=front), data_dir) as server:
            yield server, codes


_DRILLS: Final = {"killed": (killed, 10), "rolling": (rolling, 100), "cancelled": (cancelled, 2)}


@click.command()
@click.argument("drill", type=click.Choice(list(_DRILLS)))
@click.option("--times", type=click.IntRange(1), help="Default: 10 kills, 100 restarts, cancelling for 2 minutes.")
@click.option(
    "--front", default=servers.FRONT, type=click.Choice(["native", "grpc"]), show_default=True, help="Of the server."
)
def main(drill: str, times: int | None, front: str) -> None:
    """Put a server through a drill."""
    run, usual = _DRILLS[drill]
    print(f"front: {front}")
    with _served(front) as (server, codes):
        passed = uvloop.run(run(server, codes, times or usual))
    sys.exit(not passed)


if __name__ == "__main__":
    main()
