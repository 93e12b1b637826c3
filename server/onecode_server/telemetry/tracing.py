"""Traces by OpenTelemetry: a span for each call, and one for each batch of the verifier, with links to its calls.

Only this module knows OpenTelemetry, which comes with the extra ``onecode[otel]``. It is imported where calls are
traced. Attributes say nothing of a bearer: no code, no subject, and no region either. A span tells the time of one
scan, and its trace what else the caller did: with a region they would tell where a person was. Metrics count regions.

A span is handed over to a thread by an append to a bounded queue, so that the event loop waits for no collector.
"""

import asyncio
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import version
from typing import Final, TypeAlias

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

LINKS_MAX: Final = 512
"""Calls that a span of a batch links to: as many as the largest batch of single calls has (``batcher.BATCH_MAX``)."""
QUEUE_SPANS_MAX: Final = 4096
"""Spans that wait for the collector, some 8 MB; where there are more, the oldest are lost. It is a second of calls of
grpc.aio, in which they are sent once a second."""
SENT_TOGETHER: Final = 512
SEND_S: Final = 1.0
EXPORT_S: Final = 2.0
"""The time for a request to the collector, with its repetitions."""
CLOSE_S: Final = 3.0
"""The time for the last spans. A supervisor kills a worker 5 s after the end of its drain."""
_SERVER_FAULTS: Final = frozenset({2, 4, 12, 13, 14, 15})
"""The gRPC codes that are the server's fault: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE,
DATA_LOSS (OpenTelemetry's semantic conventions for gRPC, spans of servers)."""

CallContext: TypeAlias = SpanContext
"""What a batch links to: the ids of a call's span."""

_log = logging.getLogger(__name__)


class CallSpan:
    """The span of a call that runs. ``codes`` counts the health codes that it asks about."""

    __slots__ = ("codes", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.codes = 0

    def end(self, grpc_code: int) -> None:
        """End the span with the call's status."""
        self.span.set_attribute("rpc.grpc.status_code", grpc_code)
        if self.codes:
            self.span.set_attribute("onecode.codes", self.codes)
        if grpc_code in _SERVER_FAULTS:
            self.span.set_status(StatusCode.ERROR)
        self.span.end()


_current: ContextVar[CallSpan | None] = ContextVar("onecode_call_span", default=None)


class Tracing:
    """Makes spans. ``processor`` takes them as they end."""

    def __init__(self, processor: SpanProcessor) -> None:
        """Read from the environment what OpenTelemetry's SDK reads there: the sampler and further attributes of the
        server (``OTEL_TRACES_SAMPLER``, ``OTEL_RESOURCE_ATTRIBUTES``)."""
        self._processor = processor
        release = version("onecode")
        resource = Resource.create({SERVICE_NAME: "onecode", SERVICE_VERSION: release})
        limits = SpanLimits(max_links=LINKS_MAX)
        calls = TracerProvider(resource=resource, span_limits=limits, shutdown_on_exit=False)
        # A batch is recorded where a call of it is. A sampler that drew lots again would lose one of the two.
        batches = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False, span_limits=limits)
        for provider in (calls, batches):
            provider.add_span_processor(processor)
        self._calls = calls.get_tracer("onecode", release)
        self._batches = batches.get_tracer("onecode", release)
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def call(self, service: str, method: str, traceparent: str | None) -> Iterator[CallSpan]:
        """Begin the span of a call, which is the current one of this task; the body ends it.

        ``traceparent`` is what the caller sent: one that is not valid counts as none. Its ``tracestate`` is not taken,
        since this server calls nobody to pass it on to, and a caller can write anything there.
        """
        parent = self._propagator.extract({"traceparent": traceparent}) if traceparent else Context()
        span = self._calls.start_span(
            f"{service}/{method}",
            parent,
            SpanKind.SERVER,
            {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method},
        )
        call = CallSpan(span)
        token = _current.set(call)
        try:
            yield call
        finally:
            _current.reset(token)

    def asks(self, codes: int) -> CallContext | None:
        """Count codes that the current call asks about, and return what a batch links to; None outside of calls."""
        call = _current.get()
        if call is None:
            return None
        call.codes += codes
        return call.span.get_span_context()

    @contextmanager
    def batch(self, codes: int, calls: Sequence[CallContext | None]) -> Iterator[None]:
        """Record a batch of codes of some calls, if one of them is recorded. Its span has no parent: it is none call's
        more than another's."""
        recorded = {call.span_id: call for call in calls if call is not None and call.trace_flags.sampled}
        if not recorded:
            yield
            return
        links = [Link(call) for call in recorded.values()]
        span = self._batches.start_span("verify batch", Context(), SpanKind.INTERNAL, {"onecode.codes": codes}, links)
        try:
            yield
        except BaseException:
            span.set_status(StatusCode.ERROR)  # without the exception, whose text may have parts of a code
            raise
        finally:
            span.end()

    async def close(self) -> None:
        """Send what has ended, for CLOSE_S at the most: the thread of a collector that hangs ends with the process."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def close() -> None:
            self._processor.shutdown()
            try:
                loop.call_soon_threadsafe(sent.set)
            except RuntimeError:  # the loop did not wait for so long
                return

        threading.Thread(target=close, name="tracing-close", daemon=True).start()
        try:
            async with asyncio.timeout(CLOSE_S):
                await sent.wait()
        except TimeoutError:
            _log.warning("the last spans were lost: the collector does not take them in time")


def tracing_to(endpoint: str) -> Tracing:
    """Return what sends spans by OTLP over HTTP to ``/v1/traces`` below a URL."""
    session = requests.Session()
    session.trust_env = False  # neither a proxy nor passwords (.netrc) of the environment
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_S, session=session)
    return Tracing(BatchSpanProcessor(exporter, QUEUE_SPANS_MAX, SEND_S * 1e3, SENT_TOGETHER))
