"""A client as there are many: single checks at a steady rate, and now and then the server's health.

``python -m benchmarks.attacks.polite ADDRESS PAGE SECONDS [WAY CERTS]``, codes that are to be admitted on standard
input. WAY is what it shows, ``certificate`` or ``token``, of the authority in the directory CERTS. One line of JSON on
standard output: ``latencies_ms`` of the checks, and ``errors``, how often each kind of failure was met.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from itertools import cycle
from pathlib import Path
from typing import Any, Final
from urllib.request import ProxyHandler, build_opener

import grpc
import grpc.aio
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from benchmarks.shown import Authority
from benchmarks.workload import HOST_REGION

CALLS_PER_S: Final = 100
TIMEOUT_S: Final = 5.0
"""A scanner's patience."""
HEALTH_EVERY_S: Final = 0.5
NEW_CHANNEL_EVERY: Final = 50
"""Checks: twice a second another gate is switched on."""
_OPTIONS: Final = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))


class Polite:
    """Calls until its time is over."""

    def __init__(
        self, address: str, page: str, codes: list[bytes], shown: grpc.ChannelCredentials | None = None
    ) -> None:
        self._shown = shown
        self._address, self._page = address, page
        self._codes = cycle(codes)
        self.latencies_ms: list[float] = []
        self.errors: Counter[str] = Counter()

    async def run(self, seconds: float) -> None:
        """Call at a steady rate, whatever becomes of the calls before: a stall counts for all who call in it."""
        ends_s = time.monotonic() + seconds
        async with asyncio.TaskGroup() as calls:
            calls.create_task(self._health(ends_s))
            due_s, number, channel = time.monotonic(), 0, self._channel()
            while due_s < ends_s:
                await asyncio.sleep(due_s - time.monotonic())
                if number % NEW_CHANNEL_EVERY == 0:
                    channel = self._channel()
                calls.create_task(self._check(channel, due_s))
                number, due_s = number + 1, due_s + 1 / CALLS_PER_S

    def _channel(self) -> grpc.aio.Channel:
        if self._shown is not None:
            return grpc.aio.secure_channel(self._address, self._shown, options=_OPTIONS)
        return grpc.aio.insecure_channel(self._address, options=_OPTIONS)

    async def _check(self, channel: grpc.aio.Channel, due_s: float) -> None:
        request = pb.VerifyRequest(code=next(self._codes), host_region=HOST_REGION)
        try:
            answer = await pb_grpc.RecognitionServiceStub(channel).Verify(request, timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as fault:
            self.errors[fault.code().name] += 1
            return
        self.latencies_ms.append((time.monotonic() - due_s) * 1e3)
        if answer.verdict.decision != pb.DECISION_ADMIT:
            self.errors[pb.Reason.Name(answer.verdict.reason)] += 1

    async def _health(self, ends_s: float) -> None:
        stub: Any = health_pb2_grpc.HealthStub(self._channel())  # its methods are attributes that no stub declares
        while time.monotonic() < ends_s:
            try:
                answer: Any = await stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
                if answer.status != health_pb2.HealthCheckResponse.SERVING:
                    self.errors["not serving"] += 1
            except grpc.aio.AioRpcError as fault:
                self.errors[f"health {fault.code().name}"] += 1
            try:
                await asyncio.to_thread(self._healthz)
            except OSError as fault:
                self.errors[f"healthz {type(fault).__name__}"] += 1
            await asyncio.sleep(HEALTH_EVERY_S)

    def _healthz(self) -> None:
        with build_opener(ProxyHandler({})).open(f"http://{self._page}/healthz", timeout=TIMEOUT_S) as response:
            response.read()


def credentials(way: str, directory: Path) -> grpc.ChannelCredentials:
    """Return what the caller of an authority shows."""
    authority, chain, key = ((directory / name).read_bytes() for name in ("ca.crt", "caller.crt", "caller.key"))
    if way == "certificate":
        return grpc.ssl_channel_credentials(authority, key, chain)
    token = grpc.access_token_call_credentials(Authority(directory).token())
    return grpc.composite_channel_credentials(grpc.ssl_channel_credentials(authority), token)


async def main(address: str, page: str, seconds: str, way: str = "", certs: str = "") -> None:
    """Call for so long, and say how it went."""
    shown = credentials(way, Path(certs)) if way else None
    polite = Polite(address, page, sys.stdin.buffer.read().split(), shown)
    await polite.run(float(seconds))
    print(json.dumps({"latencies_ms": polite.latencies_ms, "errors": polite.errors}))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
