"""Messages whose gRPC frame is broken end their call alike by both fronts, and the native one counts how it ended."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from tests.fronts import NEEDS_FRONT, SERVICE, WITHIN_S, open_listener
from tests.world import World

pytestmark = NEEDS_FRONT

GOOD = pb.StreamVerifyRequest(request_id=1, code=b"x", host_region="440000")
MARKED = pb.StreamVerifyRequest(request_id=2, code=b"to be broken", host_region="440000")
TOTAL = "grpc_server_handled_total"
SIZE, BODY = MARKED.ByteSize(), MARKED.SerializeToString()
WHOLE = b"\0" + SIZE.to_bytes(4) + BODY
BROKEN = {
    "compressed": b"\1" + WHOLE[1:],
    "of an unknown kind": b"\2" + WHOLE[1:],
    "cut off": b"\0" + (SIZE + 1).to_bytes(4) + BODY,
    "too large": b"\0\1\0\0\0" + BODY,
}

REFUSED = {"compressed": "INTERNAL", "too large": "RESOURCE_EXHAUSTED"}
"""Those that gRPC refuses by itself, and the code that the caller gets. grpc.aio tells its server of such a call what
it tells of one whose caller has gone, or has sent nothing more: it is counted once, under some code."""


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
    """The request ids that were answered, and how the call ended."""

    answered: list[int]
    code: str
    said: str


async def stream_outcome(target: str) -> Outcome:
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


async def unary_outcome(target: str, method: str) -> Outcome:
    """Return how a call ends whose only message is the marked one, which need be no request of the method."""
    async with grpc.aio.insecure_channel(target, (("grpc.enable_http_proxy", 0),)) as channel:
        called: Any = channel.unary_unary(f"/{SERVICE}/{method}")
        call = called(BODY, timeout=WITHIN_S)
        return Outcome([], (await call.code()).name, await call.details() or "")


async def outcomes(
    world: World, name: str, method: str, called: Callable[[str], Awaitable[Outcome]]
) -> list[tuple[Outcome, dict[str, int]]]:
    """Return how a call ends by the native front and by grpc.aio, and what each has counted it as."""
    found = []
    for is_native in (True, False):
        before = handled(world, method)
        listener = open_listener(world, is_native=is_native)
        async with relay(await listener.start("127.0.0.1", 0), BROKEN[name]) as target:
            ended = await called(target)
        await listener.drain(5)
        found.append(
            (ended, {code: n for code, count in handled(world, method).items() if (n := count - before[code])})
        )
    return found


def handled(world: World, method: str) -> Counter[str]:
    """Return how many calls of a method have ended, by their code."""
    metric = next(one for one in world.metrics.registry.collect() if one.name == "grpc_server_handled")
    ended = {
        one.labels["grpc_code"]: int(one.value)
        for one in metric.samples
        if (one.name, one.labels["grpc_method"]) == (TOTAL, method)
    }
    return Counter(ended)


@pytest.mark.parametrize("name", BROKEN)
async def test_a_stream_with_a_broken_message_ends_alike(world: World, name: str) -> None:
    (by_native, counted), (by_grpc, counted_by_grpc) = await outcomes(world, name, "StreamVerify", stream_outcome)
    assert by_native == by_grpc
    assert by_native.answered == [1]
    code = REFUSED.get(name, "OK")
    assert by_native.code == code
    assert counted == {code: 1}
    assert counted_by_grpc == counted or (name in REFUSED and sum(counted_by_grpc.values()) == 1)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("method", ["Verify", "BatchVerify"])
async def test_a_call_with_a_broken_request_ends_alike(world: World, name: str, method: str) -> None:
    (by_native, counted), (by_grpc, counted_by_grpc) = await outcomes(
        world, name, method, lambda target: unary_outcome(target, method)
    )
    assert by_native == by_grpc
    assert by_native.code == REFUSED[name]
    assert counted == {REFUSED[name]: 1}
    assert sum(counted_by_grpc.values()) == 1
