"""Calls of methods that nobody has: refused as by gRPC itself, in the turns of strangers."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_server.rpc import strangers
from onecode_server.rpc.strangers import PLACES

from tests.fronts import SERVICE, Caller, Ended, open_listener
from tests.world import World

UNKNOWN = "/onecode.v1.Nobody/Knows"
REQUEST = pb.VerifyRequest(code=b"code", host_region="420000").SerializeToString()


@pytest.fixture
async def caller(world: World) -> AsyncIterator[Caller]:
    """A caller of a listener of grpc.aio."""
    listener = open_listener(world, is_native=False)
    made = Caller(f"127.0.0.1:{await listener.start('127.0.0.1', 0)}")
    yield made
    await made.channel.close()
    await listener.drain(0)


async def as_grpc_refuses() -> Ended:
    """Return how a server that has no methods at all ends a call."""
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    caller = Caller(f"127.0.0.1:{port}")
    ended = await caller.unary(UNKNOWN, REQUEST)
    await caller.channel.close()
    await server.stop(0)
    return ended


@pytest.mark.parametrize("method", [UNKNOWN, f"/{SERVICE}/Guess"])
async def test_a_call_of_an_unknown_method_ends_as_grpc_ends_it(caller: Caller, method: str) -> None:
    ended = await caller.unary(method, REQUEST)
    assert ended.code == "UNIMPLEMENTED"
    assert ended == await as_grpc_refuses()


async def test_many_of_them_keep_no_other_call_waiting(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "PERIOD_S", 3600.0)  # the first period never ends
    calls = [asyncio.create_task(caller.unary(UNKNOWN, REQUEST)) for _ in range(50)]
    ended: set[asyncio.Task[Ended]] = set()
    while len(ended) < PLACES:
        more, _ = await asyncio.wait(set(calls) - ended, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        ended |= more
    assert (await caller.unary(f"/{SERVICE}/Verify", REQUEST)).code == "OK"
    assert sum(call.done() for call in calls) == PLACES
    for call in calls:
        call.cancel()
