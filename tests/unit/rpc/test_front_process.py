"""The native front and its process: a panic ends it loudly, and too few descriptors do not busy it."""

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_driver import channel, driven, until

pytestmark = NEEDS_FRONT

PLAIN = pb.VerifyRequest(code=b"c", host_region="420000")
_PANICS = """
import asyncio, threading
from tests.unit.rpc.front_driver import driven

async def main():
    async with driven(has_upstream=False) as driver:
        await asyncio.to_thread(driver.front.turn)
    print("lived on")

asyncio.run(main())
"""


def test_a_panic_ends_the_process_and_names_its_place():
    ended = subprocess.run([sys.executable, "-c", _PANICS], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == -signal.SIGABRT
    lines = [line for line in ended.stderr.splitlines() if line.startswith("native front: panic at ")]
    assert len(lines) == 1
    assert "lived on" not in ended.stdout


async def test_without_descriptors_the_front_waits_and_then_accepts_again():
    async with driven(connections_max=1000) as driver:
        turns = 0
        turn = driver.turn

        def counted() -> None:
            nonlocal turns
            turns += 1
            turn()

        asyncio.get_running_loop().remove_reader(driver.front.fileno())
        asyncio.get_running_loop().add_reader(driver.front.fileno(), counted)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        callers = [socket.socket() for _ in range(20)]
        highest = max(caller.fileno() for caller in callers)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 5, hard))
        try:
            for caller in callers:
                caller.setblocking(False)
                with pytest.raises(BlockingIOError):
                    caller.connect(("127.0.0.1", driver.front.port))
            await until(lambda: driver.front.counts().refused.get("connections_full"))
            before = turns
            await asyncio.sleep(1)
            assert turns - before < 100
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for caller in callers:
                caller.close()
        async with channel(driver) as calls:
            assert (await pb_grpc.RecognitionServiceStub(calls).Verify(PLAIN)).trust_list_version == 7


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Take all descriptors that this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 5, hard))
    taken = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in taken:
            os.close(one)


async def test_without_descriptors_calls_that_need_one_are_unavailable_and_the_others_are_answered():
    async with driven() as driver, channel(driver) as calls:
        stub = pb_grpc.RecognitionServiceStub(calls)
        passed_on: Any = calls.unary_unary("/any.Service/Method")
        assert (await stub.Verify(PLAIN)).trust_list_version == 7
        with no_descriptor_left():
            for _ in range(3):
                with pytest.raises(grpc.aio.AioRpcError) as failed:
                    await passed_on(b"x")
                assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
                assert (await stub.Verify(PLAIN)).trust_list_version == 7
        assert await passed_on(b"x") == b"x"
        assert (await stub.Verify(PLAIN)).trust_list_version == 7


async def test_a_closed_front_leaves_no_descriptors_and_ignores_tickets():
    async with driven() as driver, channel(driver) as calls:
        driver.answers = False
        call = pb_grpc.RecognitionServiceStub(calls).Verify(PLAIN)
        await until(lambda: driver.works)
        driver.close()
        driver.front.answer_whole(driver.works[0][0], b"")
        assert driver.front.turn() == 0
        with pytest.raises(grpc.aio.AioRpcError):
            await call
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", driver.front.port), timeout=5)
        assert driver.front.counts().connections == 0
