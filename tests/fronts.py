"""One engine behind both fronts, and calls of bytes as they are to each: what differs shows."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple

import grpc
import grpc.aio
import pytest

from onecode_server import assembly
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.callers import Callers, nothing_shown
from onecode_server.rpc.listener import GrpcListener, Listener

from tests.world import World

IS_BUILT = find_spec("onecode_server.rpc._front") is not None
NEEDS_FRONT = pytest.mark.skipif(not IS_BUILT, reason="the native front was not built: make front")
SERVICE = "onecode.v1.RecognitionService"
WITHIN_S = 30


class Ended(NamedTuple):
    """How a call ended: its messages, its status, what was said, and the metadata behind it."""

    messages: tuple[bytes, ...]
    code: str
    said: str
    trailers: tuple[tuple[str, str | bytes], ...]


def open_listener(world: World, *, is_native: bool, **bounds: Any) -> Listener:
    """Return a listener on a world's engine."""
    given = {"connections_max": 64, "reflects": True, "shares_port": False} | bounds
    services = assembly.services(world.engine)
    if not is_native:
        return GrpcListener(services, world.metrics, Callers(OnlyLocal(), nothing_shown), **given)
    from onecode_server.rpc.native_listener import NativeListener

    return NativeListener(services, world.batcher, world.metrics, OnlyLocal(), **given)


class Caller:
    """A connection to a listener."""

    def __init__(self, target: str, metadata: Sequence[tuple[str, str]] = ()) -> None:
        options = (
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", -1),
        )
        self.channel = grpc.aio.insecure_channel(target, options)
        self._metadata = tuple(metadata)

    async def unary(self, method: str, request: bytes, **how: Any) -> Ended:
        """Make a call with one request and one answer."""
        called: Any = self.channel.unary_unary(method)
        call = called(request, timeout=WITHIN_S, metadata=self._metadata, **how)
        try:
            messages = [await call]
        except grpc.aio.AioRpcError:
            messages = []
        return await _ended(call, messages)

    async def stream(self, method: str, requests: Iterable[bytes] | AsyncIterable[bytes], **how: Any) -> Ended:
        """Make a call with any number of requests and answers."""
        called: Any = self.channel.stream_stream(method)
        call = called(requests, timeout=WITHIN_S, metadata=self._metadata, **how)
        messages = []
        try:
            async for message in call:
                messages.append(message)  # noqa: PERF401 - those before a failure count too
        except grpc.aio.AioRpcError:
            pass
        return await _ended(call, messages)


async def _ended(call: Any, messages: list[bytes]) -> Ended:
    trailers = tuple(sorted((key, value) for key, value in await call.trailing_metadata() or ()))
    return Ended(tuple(messages), (await call.code()).name, await call.details() or "", trailers)


@asynccontextmanager
async def both(world: World, **bounds: Any) -> AsyncIterator[tuple[Caller, Caller]]:
    """Start both listeners on one engine, and yield a caller of each, the native one first."""
    listeners = [open_listener(world, is_native=is_native, **bounds) for is_native in (True, False)]
    callers = [Caller(f"127.0.0.1:{await listener.start('127.0.0.1', 0)}") for listener in listeners]
    try:
        yield callers[0], callers[1]
    finally:
        for caller in callers:
            await caller.channel.close()
        for listener in listeners:
            await listener.drain(5)
