"""Calls as gRPC hands them over: what is refused before a request is read."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest

from onecode_server.errors import Overloaded
from onecode_server.rpc.admission import Admission
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.callers import Callers, nothing_shown
from onecode_server.rpc.growth import Growth
from onecode_server.rpc.instrumented import InstrumentedServer
from onecode_server.telemetry.metrics import Metrics

SERVICE = "test.Service"


async def answer(request: bytes, _: grpc.aio.ServicerContext[Any, Any]) -> bytes:
    return request


def no_room() -> None:
    raise Overloaded("the queue is full", 1)


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server that has no room for batches."""
    growth, server = Growth(), grpc.aio.server()
    handlers = dict.fromkeys(
        ("Verify", "BatchVerify", "BatchTranslate"), grpc.unary_unary_rpc_method_handler(answer, bytes, bytes)
    )
    metrics = Metrics()
    instrumented = InstrumentedServer(
        server, metrics, Admission(metrics, growth, expect_room=no_room), Callers(OnlyLocal(), nothing_shown)
    )
    instrumented.add_registered_method_handlers(SERVICE, handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", (("grpc.enable_http_proxy", 0),)) as opened:
        yield opened
    await server.stop(0)
    growth.close()


@pytest.mark.parametrize("method", ["BatchVerify", "BatchTranslate"])
async def test_a_batch_is_refused_before_it_is_read_where_there_is_no_room(
    channel: grpc.aio.Channel, method: str
) -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    call: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(f"/{SERVICE}/{method}")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(never(), timeout=5)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_single_scan_is_read_and_answered_where_there_is_no_room_for_a_batch(channel: grpc.aio.Channel) -> None:
    verify: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/Verify")
    assert await verify(b"code", timeout=5) == b"code"
