"""The methods of a service behind the native front: they answer its calls alone."""

from typing import Any

import grpc
import grpc.aio

from onecode_server.errors import NotPermitted
from onecode_server.rpc.failures import abort, failure_of
from onecode_server.rpc.reserved_metadata import Gate
from onecode_server.telemetry.metrics import Metrics


class Gated(grpc.GenericRpcHandler):
    """Handlers, for calls that a gate admits; all other calls are refused, whatever their method."""

    def __init__(self, handlers: grpc.GenericRpcHandler, gate: Gate, metrics: Metrics) -> None:
        self._handlers = handlers
        self._admits = gate.admits
        self._refusals = metrics.refused_calls.labels("stranger")
        self._refusing: Any = grpc.stream_unary_rpc_method_handler(self._refuse)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the handler of a call."""
        if self._admits(handler_call_details.invocation_metadata):
            return self._handlers.service(handler_call_details)
        return self._refusing

    async def _refuse(self, _: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self._refusals.inc()
        await abort(context, failure_of(NotPermitted("only the front of this server calls here")))
