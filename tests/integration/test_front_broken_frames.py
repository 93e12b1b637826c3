"""Messages whose gRPC frame is broken end their call alike by both fronts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from tests.fronts import NEEDS_FRONT, WITHIN_S, open_listener
from tests.world import World

pytestmark = NEEDS_FRONT

GOOD = pb.StreamVerifyRequest(request_id=1, code=b"x", host_region="440000")
MARKED = pb.StreamVerifyRequest(request_id=2, code=b"to be broken", host_region="440000")
SIZE, BODY = MARKED.ByteSize(), MARKED.SerializeToString()
WHOLE = b"\0" + SIZE.to_bytes(4) + BODY
BROKEN = {
    "compressed": b"\1" + WHOLE[1:],
    "of an unknown kind": b"\2" + WHOLE[1:],
    "cut off": b"\0" + (SIZE + 1).to_bytes(4) + BODY,
    "too large": b"\0\1\0\0\0" + BODY,
}


@asynccontextmanager
async def relay(port: int, broken: bytes) -> AsyncIterator[str]:
    """Pass bytes on to a port, and put ``broken`` where the marked message is: no library would send it."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, breaks: bool) -> None:
        while some := await reader.read(65_536):
            writer.write(some.replace(WHOLE, broken) if breaks else some)
        writer.close()

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            pump(reader, to_server, breaks=True), pump(from_server, writer, breaks=False), return_exceptions=True
        )

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


class Outcome(NamedTuple):
    """The request ids that were answered, and how the stream ended."""

    answered: list[int]
    code: str
    said: str


async def outcome(target: str) -> Outcome:
    """Return how a stream ends after a message, its answer, and another message."""
    async with grpc.aio.insecure_channel(target, (("grpc.enable_http_proxy", 0),)) as channel:
        call = pb_grpc.RecognitionServiceStub(channel).StreamVerify(timeout=WITHIN_S)
        await call.write(GOOD)
        answered = []
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while isinstance(answer := await call.read(), pb.StreamVerifyResponse):
                answered.append(answer.request_id)
                await call.write(MARKED)
                await call.done_writing()
        return Outcome(answered, (await call.code()).name, await call.details() or "")


@pytest.mark.parametrize("name", BROKEN)
async def test_a_stream_with_a_broken_message_ends_alike(world: World, name: str) -> None:
    outcomes = []
    for is_native in (True, False):
        listener = open_listener(world, is_native=is_native)
        async with relay(await listener.start("127.0.0.1", 0), BROKEN[name]) as target:
            outcomes.append(await outcome(target))
        await listener.drain(5)
    by_native, by_grpc = outcomes
    assert by_native == by_grpc
    assert by_native.answered == [1]
    assert by_native.code == {"compressed": "INTERNAL", "too large": "RESOURCE_EXHAUSTED"}.get(name, "OK")
