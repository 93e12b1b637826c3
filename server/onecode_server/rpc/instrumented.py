"""Wraps each method: its calls are run by a meter, within the bounds of their kind. Method names come from the
registered services, never from a caller."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import grpc
import grpc.aio

from onecode_server.errors import InvalidRequest
from onecode_server.rpc.admission import Admission, Running
from onecode_server.rpc.callers import Caller, Callers
from onecode_server.rpc.gated import Gated
from onecode_server.rpc.meter import Context, Meter
from onecode_server.rpc.reserved_metadata import Gate
from onecode_server.rpc.silent_calls import Requests, Stream
from onecode_server.telemetry.metrics import Metrics

_Handler = Any  # grpc.RpcMethodHandler, which is generic to type checkers only


class InstrumentedServer:
    """Takes services as ``server`` does, and registers their wrapped methods with it.

    It is no interceptor, since gRPC calls interceptors at every call. It registers generic handlers, since gRPC (1.84
    and later) waits with a task for each registered method at every call: a quarter more instructions with our 16
    methods.
    """

    def __init__(
        self,
        server: grpc.aio.Server,
        metrics: Metrics,
        admission: Admission,
        callers: Callers,
        gate: Gate | None = None,
        make_meter: Callable[..., Meter] | None = None,
    ) -> None:
        """Prepare to take services. Where there is a ``gate``, only calls that it admits reach them. ``make_meter`` is
        called in the place of Meter."""
        self._make_meter = make_meter or Meter
        self._callers = callers
        self._gate = gate
        self._server = server
        self._metrics = metrics
        self._admission = admission

    def add_generic_rpc_handlers(self, handlers: Sequence[_Handler]) -> None:
        """Do nothing: the generated code also gives the same methods by name."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, _Handler]) -> None:
        """Take the methods of a service."""
        wrapped = {name: self._wrap(handler, service, name) for name, handler in handlers.items()}
        handlers_of: grpc.GenericRpcHandler = grpc.method_handlers_generic_handler(service, wrapped)
        if self._gate is not None:
            handlers_of = Gated(handlers_of, self._gate, self._metrics)
        self._server.add_generic_rpc_handlers((handlers_of,))

    def _wrap(self, handler: Any, service: str, name: str) -> Any:
        kind = _KINDS[bool(handler.request_streaming), bool(handler.response_streaming)]
        admission = self._admission
        meter = self._make_meter(self._metrics, (kind, service, name), handler, self._callers, admission.strangers)
        # All methods are registered with a stream of requests, which is the same on the wire: for a single request gRPC
        # would wait itself, without a limit of time, before any code here has the call. There is no deserializer:
        # the meter reads the bytes, so that bytes that are no message are counted and answered too.
        if handler.response_streaming:
            if handler.request_streaming:
                wrapped = _streaming(handler.stream_stream, meter, admission)
            else:
                wrapped = _watching(handler.unary_stream, meter, admission)
            return grpc.stream_stream_rpc_method_handler(wrapped, None, meter.write)
        running = admission.running(service, name)
        return grpc.stream_unary_rpc_method_handler(_single(handler.unary_unary, meter, admission, running))


_KINDS = {
    (False, False): "unary",
    (True, False): "client_stream",
    (False, True): "server_stream",
    (True, True): "bidi_stream",
}


def _single(behaviour: Callable[[Any, Caller], Awaitable[Any]], meter: Meter, admission: Admission, of: Running) -> Any:
    async def read_and_answer(context: Context, caller: Caller) -> bytes:
        caller.charge(1)  # before all else: what is refused has been work, too
        of.expect_room()
        request = meter.read(await _only_request(context, admission.requests))
        of.begin()
        try:
            answering = behaviour(request, caller)
            del request  # up to 4 MiB of a batch: the behaviour keeps the parts that it needs
            answer = await answering
        finally:
            of.done()
        written = meter.write(answer)
        admission.answers.hold(context, len(written))
        return written

    async def call(_: Any, context: Context) -> Any:
        response = await meter.run(read_and_answer, context)
        if response is not None:
            meter.sent.inc()
        return response

    return call


def _watching(behaviour: Callable[[Any, Caller], Any], meter: Meter, admission: Admission) -> Any:
    _expect_generator(behaviour)

    async def read_and_answer(context: Context, caller: Caller) -> None:
        caller.charge(1)
        request = meter.read(await _only_request(context, admission.requests))
        with admission.lasting.keep(caller.expect_still):
            async with aclosing(behaviour(request, caller)) as answers:
                async for answer in answers:
                    await context.write(answer)
                    meter.sent.inc()

    async def call(_: Any, context: Context) -> None:
        await meter.run(read_and_answer, context)

    return call


def _streaming(behaviour: Callable[[Any, Caller], Any], meter: Meter, admission: Admission) -> Any:
    _expect_generator(behaviour)
    streams = admission.streams

    async def messages(stream: Stream, context: Context) -> AsyncIterator[Any]:
        # Read from the context: gRPC's own iterator adds a generator that each message passes through.
        while (message := await context.read()) is not grpc.aio.EOF:
            stream.used_s = streams.monotonic()
            request = meter.read(message)
            del message  # else its bytes would be kept until the next message comes
            yield request
            del request

    async def read_and_answer(context: Context, caller: Caller) -> None:
        stream = streams.open(admission.peer_of(context))
        try:
            # Closed here: a caller that goes away while an answer is written would leave that to the garbage collector.
            with stream, admission.lasting.keep(caller.expect_still):
                async with aclosing(behaviour(messages(stream, context), caller)) as answers:
                    async for answer in answers:
                        await context.write(answer)
                        stream.used_s = streams.monotonic()
                        meter.sent.inc()
        finally:
            streams.close(stream)

    async def call(_: Any, context: Context) -> None:
        await meter.run(read_and_answer, context)

    return call


async def _only_request(context: Context, waiting: Requests) -> bytes:
    """Return the bytes of a call's only request. Raises InvalidRequest where the caller ended the call without a
    request.

    Further requests are ignored, as in gRPC's own servers.
    """
    call = waiting.begin()
    try:
        with call:
            message = await context.read()
    finally:
        waiting.done(call)
    if message is grpc.aio.EOF:
        await asyncio.sleep(0)  # a cancelled call ends in the same manner, and its task is cancelled only now
        raise InvalidRequest("REQUEST_MISSING", "the call ended without a request")
    request: bytes = message
    return request


def _expect_generator(behaviour: Any) -> None:
    if not inspect.isasyncgenfunction(behaviour):
        raise TypeError("streaming methods are written as asynchronous generators here")
