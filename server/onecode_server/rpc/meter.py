"""Runs the calls of a method: their callers are found, they are counted and timed under the gRPC ecosystem's metric
names, and a failure becomes a status."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
import grpc.aio

from onecode_server.rpc import large_requests
from onecode_server.rpc.callers import RIGHTS, Caller, Callers
from onecode_server.rpc.failures import CODES, abort, failure_of, log_unexpected
from onecode_server.rpc.strangers import Strangers
from onecode_server.telemetry.counting import begin
from onecode_server.telemetry.metrics import Metrics

Context = grpc.aio.ServicerContext[Any, Any]
Behaviour = Callable[[Context, Caller], Awaitable[Any]]

DEADLINE_SLACK_S: Final = 0.05
"""The tolerance between two clocks: the caller's clock ends a call, which may be known here a moment before our own
clock reaches the deadline."""


class Meter:
    """Finds the callers of one method, and counts its calls. Labels are looked up once, not at every call."""

    def __init__(
        self,
        metrics: Metrics,
        method: tuple[str, str, str],
        handler: Any,
        callers: Callers,
        strangers: Strangers,
    ) -> None:
        self._strangers = strangers
        self._callers = callers
        self._find = callers.find
        self._right = RIGHTS[method[2]]
        self._handled = metrics.rpc_handled
        begin(metrics.rpc_handled, *((*method, code.name) for code in CODES))
        self._ok = metrics.rpc_handled.labels(*method, "OK")
        self.method = method
        self._deserialize = handler.request_deserializer
        self._serialize = handler.response_serializer
        self._started = metrics.rpc_started.labels(*method)
        self._seconds = metrics.rpc_seconds.labels(*method)
        self._received = metrics.rpc_received.labels(*method)
        self.sent = metrics.rpc_sent.labels(*method)

    def read(self, message: bytes) -> Any:
        """Count a request and return it as its message. Raises InvalidRequest."""
        self._received.inc()
        return large_requests.read(message, self._deserialize)

    def write(self, response: Any) -> bytes:
        """Return the bytes of a response, which may be bytes already."""
        written: bytes = response if isinstance(response, bytes) else self._serialize(response)
        return written

    async def run(self, behaviour: Behaviour, context: Context) -> Any:
        """Run a call to its end and count its result. Return its response, or None where it has failed."""
        self._started.inc()
        started_s = time.perf_counter()
        code = grpc.StatusCode.OK
        try:
            try:
                caller = self._find(context, self._right) or await self._meet(context)
                try:
                    return await behaviour(context, caller)
                finally:
                    caller.leave()
            except asyncio.CancelledError:
                code = code_of_cancelled(context)
                raise
            except grpc.aio.InternalError:  # a read or a write failed: the caller's connection is gone
                code = code_of_cancelled(context)
                raise asyncio.CancelledError from None
            except Exception as fault:
                failure = failure_of(fault)
                code = failure.code
                log_unexpected(fault, self.method[2])
            # The call is ended after the exception is released, and with it its frames and a request of up to 4 MiB in
            # them.
            await abort(context, failure)
            return None
        finally:
            self._seconds.observe(time.perf_counter() - started_s)
            handled = self._ok if code is grpc.StatusCode.OK else self._handled.labels(*self.method, code.name)
            handled.inc()

    async def _meet(self, context: Context) -> Caller:
        await self._strangers.turn(context)
        caller = self._callers.meet(context, self._right)
        self._strangers.give_back()
        return caller


def code_of_cancelled(context: Context) -> grpc.StatusCode:
    """Return the status of a call that was cancelled: its caller has left, or its deadline has passed."""
    remaining_s = context.time_remaining()
    expired = remaining_s is not None and remaining_s <= DEADLINE_SLACK_S
    return grpc.StatusCode.DEADLINE_EXCEEDED if expired else grpc.StatusCode.CANCELLED
