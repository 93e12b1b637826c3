"""Rapid Reset (CVE-2023-44487): a caller that begins calls and resets them at once, as fast as it is let."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import grpc
import grpc.aio

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc

from benchmarks.attacks.connection import CANCEL, RST_STREAM
from tests.integration.deployment import Deployment, Server, eventually
from tests.integration.http2_frames import call, connected, frame, frames

TOGETHER = 50
CALLS = 200
REFUSED_STREAM = 7


class Flood:
    """Resets on a connection of their own, until it is ended."""

    def __init__(self, server: Server) -> None:
        self._server, self._ends = server, threading.Event()
        self.begun = 0
        self.refused = 0
        self.is_cut_off = False
        self._threads = [threading.Thread(target=self._send, daemon=True)]

    def __enter__(self) -> "Flood":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._threads[0].join(60)

    def _send(self) -> None:
        with connected(self._server) as wire:
            reader = threading.Thread(target=self._read, args=(frames(wire),), daemon=True)
            reader.start()
            while not self._ends.is_set():
                streams = range(2 * self.begun + 1, 2 * (self.begun + TOGETHER) + 1, 2)
                try:
                    wire.sendall(b"".join(call(stream) + frame(RST_STREAM, CANCEL, stream) for stream in streams))
                except ConnectionError:  # the native front ends such a connection
                    self.is_cut_off = True
                    break
                self.begun += TOGETHER
            with suppress(OSError):
                wire.shutdown(2)
            reader.join(60)

    def _read(self, answers: Iterator[tuple[int, int, int, bytes]]) -> None:
        try:
            for kind, _, _, payload in answers:
                self.refused += kind == RST_STREAM and int.from_bytes(payload) == REFUSED_STREAM
        except OSError:
            pass


def test_others_are_answered_while_one_connection_resets_calls_without_end(deployment: Deployment, serve) -> None:
    server, code = serve(deployment), deployment.issue("420000")[0]
    request, stub = pb.VerifyRequest(code=code, host_region="110000"), server.stub()
    stub.Verify(request, timeout=60)
    with Flood(server) as flood:
        eventually(lambda: flood.refused > 1000 or flood.is_cut_off, 60)
        for _ in range(CALLS):
            assert stub.Verify(request, timeout=60).verdict.decision == pb.DECISION_ADMIT
        assert flood.begun > 1000 or flood.is_cut_off
    assert server.health() == "SERVING"


async def test_a_caller_with_as_many_calls_as_it_may_have_is_never_refused(server: Server, shared: Deployment) -> None:
    request = pb.VerifyRequest(code=shared.issue("420000")[0], host_region="110000")
    options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
    for _ in range(3):
        async with grpc.aio.insecure_channel(server.address, options=options) as channel:
            verify = recognition_pb2_grpc.RecognitionServiceStub(channel).Verify
            calls = [verify(request, timeout=100) for _ in range(1000)]
            ended = Counter(await asyncio.gather(*(one.code() for one in calls)))
        assert ended == {grpc.StatusCode.OK: 1000}
