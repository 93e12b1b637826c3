"""Spans in memory: links of batches that single calls share, the status of calls, and bounds."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc
from onecode_server import assembly
from onecode_server.access import Access
from onecode_server.errors import NotServing
from onecode_server.model.code import Scan
from onecode_server.rpc.front_selection import SelectedFront
from onecode_server.rpc.traced_meter import TRACEPARENT
from onecode_server.settings.config import Settings
from onecode_server.settings.values import Address
from onecode_server.verification.batcher import BATCH_MAX
from onecode_server.verification.traced_batcher import TracedBatcher

from tests.world import World

pytest.importorskip(
    "opentelemetry.exporter.otlp.proto.http", reason="OpenTelemetry is missing: pip install 'onecode[otel]'"
)
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from onecode_server.telemetry import tracing as module
from onecode_server.telemetry.tracing import LINKS_MAX, QUEUE_SPANS_MAX, Tracing

SERVICE = "onecode.v1.RecognitionService"
BATCH = "verify batch"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter: InMemorySpanExporter) -> Tracing:
    return Tracing(SimpleSpanProcessor(exporter))


@pytest.fixture
def batcher(world: World, tracing: Tracing) -> TracedBatcher:
    return TracedBatcher(tracing, world.verifier, world.metrics)


@pytest.fixture
async def channel(world: World, tracing: Tracing, batcher: TracedBatcher) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to a traced listener of grpc.aio."""
    world.engine.batcher = batcher
    settings = Settings(world.path, listen=Address("127.0.0.1", 0), workers=1)
    access = Access(settings, world.metrics, lambda: world.trust.current.regions, lambda: world.trust.current.partners)
    listener = assembly.listener(world.engine, SelectedFront("grpc"), access, world.metrics, settings, tracing)
    port = await listener.start("127.0.0.1", 0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", (("grpc.enable_http_proxy", 0),)) as opened:
        yield opened
    await listener.drain(0)
    access.close()


def spans(exporter: InMemorySpanExporter, name: str) -> Sequence[Any]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


async def test_calls_that_wait_together_are_linked_by_the_one_batch_that_answers_them(
    world: World,
    tracing: Tracing,
    batcher: TracedBatcher,
    exporter: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checking, release = asyncio.Event(), asyncio.Event()
    verify = world.verifier.verify

    async def held(*of: Any) -> Any:
        checking.set()
        await release.wait()
        return await verify(*of)

    monkeypatch.setattr(world.verifier, "verify", held)

    async def call() -> None:
        with tracing.call(SERVICE, "Verify", None) as span:
            await batcher.submit(Scan(b"x", "110000"))
            span.end(0)

    calls = [asyncio.create_task(call())]
    await checking.wait()
    calls += [asyncio.create_task(call()) for _ in range(32)]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(*calls)
    alone, together = spans(exporter, BATCH)
    ids = [span.context for span in spans(exporter, f"{SERVICE}/Verify")]
    assert len({link.context.span_id for link in together.links}) == len(together.links) == 32
    assert {link.context.span_id for link in (*alone.links, *together.links)} == {one.span_id for one in ids}
    assert (alone.parent, together.parent, alone.attributes, together.attributes) == (
        None,
        None,
        {"onecode.codes": 1},
        {"onecode.codes": 32},
    )
    assert alone.context.trace_id not in {one.trace_id for one in ids}
    await asyncio.sleep(0)
    assert batcher._calls == {}


async def test_a_batch_that_fails_ends_its_span_as_an_error_without_the_text(
    world: World,
    tracing: Tracing,
    batcher: TracedBatcher,
    exporter: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails(*_: Any) -> Any:
        raise RuntimeError("with a code in it")

    monkeypatch.setattr(world.verifier, "verify", fails)
    with tracing.call(SERVICE, "Verify", None) as span:
        with pytest.raises(RuntimeError):
            await batcher.submit(Scan(b"x", "110000"))
        span.end(13)
    (batch,), (call,) = spans(exporter, BATCH), spans(exporter, f"{SERVICE}/Verify")
    assert (batch.status.status_code, call.status.status_code) == (StatusCode.ERROR, StatusCode.ERROR)
    assert (batch.events, call.events, batch.status.description, call.status.description) == ((), (), None, None)


async def test_a_call_that_its_caller_leaves_and_one_that_is_late_end_as_such(
    world: World, channel: grpc.aio.Channel, exporter: InMemorySpanExporter
) -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    verify: Any = channel.stream_unary(f"/{SERVICE}/Verify")
    with pytest.raises(grpc.aio.AioRpcError):
        await verify(never(), timeout=0.3, wait_for_ready=True)
    call = verify(never(), metadata=((TRACEPARENT, f"00-{7:032x}-{7:016x}-01"),))
    method = {"grpc_type": "unary", "grpc_service": SERVICE, "grpc_method": "Verify"}
    while world.metrics.registry.get_sample_value("grpc_server_started_total", method) != 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    call.cancel()
    while len(spans(exporter, f"{SERVICE}/Verify")) < 2:  # noqa: ASYNC110 - spans have no event
        await asyncio.sleep(0.01)
    late, left = (span.attributes["rpc.grpc.status_code"] for span in spans(exporter, f"{SERVICE}/Verify"))
    assert (late, left) == (grpc.StatusCode.DEADLINE_EXCEEDED.value[0], grpc.StatusCode.CANCELLED.value[0])
    assert spans(exporter, f"{SERVICE}/Verify")[1].parent.span_id == 7


async def test_a_refusal_is_no_error_of_the_server_and_a_closed_server_is_one(
    world: World, channel: grpc.aio.Channel, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub: Any = recognition_pb2_grpc.RecognitionServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.Verify(pb.VerifyRequest(code=b"x", host_region="x"))

    async def closed_for_now(*_: Any) -> Any:
        raise NotServing("there is no trust list")

    monkeypatch.setattr(world.verifier, "verify", closed_for_now)
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.Verify(pb.VerifyRequest(code=b"x", host_region="110000"))
    refused, closed = spans(exporter, f"{SERVICE}/Verify")
    assert (refused.attributes["rpc.grpc.status_code"], refused.status.status_code) == (3, StatusCode.UNSET)
    assert (closed.attributes["rpc.grpc.status_code"], closed.status.status_code) == (14, StatusCode.ERROR)


class Held:
    """Keeps the first spans that it is given until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.taken = 0

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        self.released.wait()
        self.taken += len(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Have nothing to close."""


async def test_spans_that_nobody_takes_are_dropped_at_a_bound_and_the_end_does_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = Held()
    tracing = Tracing(BatchSpanProcessor(cast("SpanExporter", held), QUEUE_SPANS_MAX, 1000, 512))
    for _ in range(3 * QUEUE_SPANS_MAX):
        with tracing.call(SERVICE, "Verify", None) as span:
            span.end(0)
    monkeypatch.setattr(module, "CLOSE_S", 0.1)
    await tracing.close()
    held.released.set()
    assert held.taken <= QUEUE_SPANS_MAX + 512


def test_a_span_links_to_as_many_calls_as_a_batch_has() -> None:
    assert LINKS_MAX == BATCH_MAX
