"""Traced calls: a span around what the meter counts. A server whose calls are not traced has plain meters."""

import asyncio
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio

from onecode_server.rpc.meter import Behaviour, Context, Meter, code_of_cancelled

if TYPE_CHECKING:  # OpenTelemetry is an extra
    from onecode_server.telemetry.tracing import Tracing

TRACEPARENT: Final = "traceparent"
"""The metadata that names the caller's span (W3C Trace Context, section 3.2)."""


class TracedMeter(Meter):
    """A meter that records a span for each call."""

    def __init__(self, tracing: "Tracing", *of: Any) -> None:
        """Trace the calls of a method; ``of`` are the arguments of a Meter."""
        super().__init__(*of)
        self._tracing = tracing

    async def run(self, behaviour: Behaviour, context: Context) -> Any:
        """Run a call as a Meter does, in a span of its own."""
        _, service, name = self.method
        with self._tracing.call(service, name, _traceparent_of(context)) as call:
            try:
                response = await super().run(behaviour, context)
            except asyncio.CancelledError:
                call.end(_number(code_of_cancelled(context)))
                raise
            except BaseException:
                call.end(_number(grpc.StatusCode.UNKNOWN))
                raise
            call.end(_number(context.code()))
            return response


def _traceparent_of(context: Context) -> str | None:
    """Return the metadata that names the caller's span. Of several gRPC itself keeps the last."""
    return next((str(value) for name, value in context.invocation_metadata() or () if name == TRACEPARENT), None)


def _number(code: Any) -> int:
    """Return the number of a status; gRPC has numbers before a status is set, and None for OK."""
    return int(code.value[0] if isinstance(code, grpc.StatusCode) else code or 0)
