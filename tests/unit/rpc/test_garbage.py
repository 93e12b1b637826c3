"""A call that has ended is gone, a refused one too: nothing of it is left to the garbage collection, which holds all
callers up."""

import asyncio
import gc
import types
from collections.abc import AsyncIterator, Iterator, Sized
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import grpc
import grpc.aio
import pytest

from onecode_server.errors import NotFound, Overloaded, Unauthenticated
from onecode_server.model.identity import LOCAL
from onecode_server.recognition.concurrency_limit import ConcurrencyLimit
from onecode_server.rpc.admission import Admission
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.callers import Callers, nothing_shown
from onecode_server.rpc.growth import Growth
from onecode_server.rpc.instrumented import InstrumentedServer
from onecode_server.rpc.read_ahead import ReadAhead
from onecode_server.stores.lane import Lane, Outcome
from onecode_server.telemetry.metrics import Metrics

from tests.world import World

CALLS = 10
SERVICE = "onecode.v1.RecognitionService"
GRPC_KEEPS = {"_ServicerContext", "RPCState", "AbortError"}
"""Types of gRPC's that know a call and what it has read. Its own cycle of five objects a call has none of them."""


@contextmanager
def nothing_left() -> Iterator[None]:
    """Expect that a garbage collection finds no call and no frame of the server's."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield
        gc.collect()
        left = [kept for kept in gc.garbage if type(kept).__name__ in GRPC_KEEPS or is_frame_of_ours(kept)]
        assert left == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def is_frame_of_ours(kept: Any) -> bool:
    return isinstance(kept, types.FrameType) and "onecode_server" in kept.f_code.co_filename


LOCAL_CALLERS = Callers(OnlyLocal(), nothing_shown)


class Nobody(OnlyLocal):
    """An authenticator that knows nobody."""

    def identify(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> NoReturn:
        raise Unauthenticated("IDENTITY_MISSING", "nothing is shown")

    def recall(self, certificate: bytes | None, authorization: str | None, *, is_local: bool) -> None:
        return None

    def remembers(self, certificate: bytes | None, authorization: str | None) -> bool:
        return False


class Servicer:
    """Answers with the request, or fails as a test says."""

    def __init__(self, fault: Exception | None) -> None:
        self.fault = fault

    def _answer(self, request: bytes) -> bytes:
        if self.fault is not None:
            raise self.fault.with_traceback(None)
        return request

    async def verify(self, request: bytes, context: Any) -> bytes:
        await asyncio.sleep(0)
        return self._answer(request)

    async def stream_verify(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield self._answer(request)


class Serving:
    """A server of ours, with one service, and a channel to it."""

    def __init__(self, servicer: Servicer, callers: Callers = LOCAL_CALLERS) -> None:
        self.metrics, self._growth = Metrics(), Growth()
        self.admission = Admission(self.metrics, self._growth)
        self._server = grpc.aio.server()
        self._port = self._server.add_insecure_port("127.0.0.1:0")
        as_they_are = (bytes, bytes)
        InstrumentedServer(self._server, self.metrics, self.admission, callers).add_registered_method_handlers(
            SERVICE,
            {
                "Verify": grpc.unary_unary_rpc_method_handler(servicer.verify, *as_they_are),
                "StreamVerify": grpc.stream_stream_rpc_method_handler(servicer.stream_verify, *as_they_are),
            },
        )

    async def __aenter__(self) -> "Serving":
        await self._server.start()
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0))
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self._port}", options)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.channel.close()
        await self._server.stop(0)
        self._growth.close()

    @property
    def stream_verify(self) -> grpc.aio.StreamStreamMultiCallable[bytes, bytes]:
        return self.channel.stream_stream(f"/{SERVICE}/StreamVerify")

    async def unary(self) -> None:
        """Make a call. Its failure is what some tests are about."""
        with suppress(grpc.aio.AioRpcError):
            verify: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self.channel.unary_unary(f"/{SERVICE}/Verify")
            await verify(b"code")

    async def stream(self) -> None:
        """Send two messages on a stream of its own."""
        with suppress(grpc.aio.AioRpcError):
            async for _ in self.stream_verify(iter([b"one", b"two"])):
                pass


async def as_many(calls: Sized) -> None:
    """Wait until all calls are there."""
    async with asyncio.timeout(10):
        while len(calls) < CALLS:  # noqa: ASYNC110 - gRPC has no event for it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", ["unary", "stream"])
@pytest.mark.parametrize("fault", [None, NotFound("NOTHING", "nothing"), Overloaded("no room", 1), ValueError("a bug")])
async def test_a_call_that_was_answered_or_refused_is_gone(fault: Exception | None, kind: str) -> None:
    async with Serving(Servicer(fault)) as serving:
        call = getattr(serving, kind)
        await call()
        with nothing_left():
            for _ in range(CALLS):
                await call()
            await asyncio.sleep(0.1)  # gRPC's own tasks end after the caller has its answer


async def test_a_call_whose_request_never_came_is_gone() -> None:
    async with Serving(Servicer(None)) as serving:
        with nothing_left():
            verify: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = serving.channel.stream_unary(f"/{SERVICE}/Verify")
            calls = [verify() for _ in range(CALLS)]
            for call in calls:
                await call.wait_for_connection()
            await as_many(serving.admission.requests._waiting)
            for waiting in list(serving.admission.requests._waiting):
                waiting.end(Overloaded("others have come", 1))
            codes = [await call.code() for call in calls]
            await asyncio.sleep(0.1)
        assert codes == [grpc.StatusCode.RESOURCE_EXHAUSTED] * CALLS


async def test_a_call_of_a_stranger_that_has_waited_and_one_that_has_left_are_gone() -> None:
    async with Serving(Servicer(None), Callers(Nobody(), nothing_shown)) as serving:
        await serving.unary()
        with nothing_left():
            await asyncio.gather(*(serving.unary() for _ in range(CALLS)))
            verify: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = serving.channel.stream_unary(f"/{SERVICE}/Verify")
            calls = [verify() for _ in range(CALLS * CALLS)]
            await as_many(serving.admission.strangers)
            for call in calls:
                call.cancel()
            while len(serving.admission.strangers):  # noqa: ASYNC110 - gRPC has no event for it
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            del call, calls


async def test_a_stream_that_was_idle_is_gone() -> None:
    async with Serving(Servicer(None)) as serving:
        with nothing_left():
            calls = [serving.stream_verify() for _ in range(CALLS)]
            await as_many(serving.admission.streams._open)
            for stream in list(serving.admission.streams._open):
                serving.admission.streams._dismiss(stream, Overloaded("others have come", 1))
            codes = [await call.code() for call in calls]
            await asyncio.sleep(0.1)
        assert codes == [grpc.StatusCode.RESOURCE_EXHAUSTED] * CALLS


async def fail() -> NoReturn:
    await asyncio.sleep(0)
    raise NotFound("NOTHING", "nothing")


async def test_work_that_failed_under_a_limit_is_gone() -> None:
    limit = ConcurrencyLimit(1, "calls")
    with nothing_left():
        with pytest.raises(NotFound):
            await limit.run(fail())
        await asyncio.sleep(0)


async def test_work_that_failed_in_the_store_is_gone() -> None:
    lane = Lane("lane", lambda works: [Outcome(fault=NotFound("NOTHING", "nothing")) for _ in works], 8, 8)
    with nothing_left():
        with pytest.raises(NotFound):
            await lane.call(lambda txn: None, 5)
        await lane_is_idle(lane)
    lane.close()


async def lane_is_idle(lane: Lane) -> None:
    """Give the lane's thread other work, so that it forgets what it did last."""
    with suppress(NotFound):
        await lane.call(lambda txn: None, 5)


async def test_a_stream_that_was_read_ahead_is_gone() -> None:
    async def messages() -> AsyncIterator[bytes]:
        yield b"one"

    with nothing_left():
        intake = ReadAhead(messages(), 4, 100, len, asyncio.Event())
        assert await intake.take(4) == [b"one"]
        assert await intake.take(4) == []
        intake.close()
        del intake
        await asyncio.sleep(0.01)


async def test_a_step_about_an_exception_that_is_not_there_is_gone(tmp_path: Path) -> None:
    world = World(tmp_path)
    with nothing_left():
        for _ in range(2):
            with pytest.raises(NotFound):
                await world.exception_service.acknowledge(LOCAL, "RE-0000000000000000")
        await asyncio.sleep(0)
    await world.store.close()
