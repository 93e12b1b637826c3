"""Calls of methods that nobody has: they are refused as gRPC itself refuses them, but in the turns of strangers."""

from typing import Any, Final

import grpc
import grpc.aio

from onecode_server.rpc.failures import Failure, abort
from onecode_server.rpc.strangers import Strangers

_NOT_FOUND: Final = Failure(grpc.StatusCode.UNIMPLEMENTED, "Method not found!", (), "")
"""What gRPC answers where no handler has a method: without details."""


class UnknownMethods(grpc.GenericRpcHandler):
    """Has every method, and refuses its calls: to be registered behind all others."""

    def __init__(self, strangers: Strangers) -> None:
        self._strangers = strangers
        self._refusing: Any = grpc.stream_unary_rpc_method_handler(self._refuse)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return what refuses a call."""
        return self._refusing

    async def _refuse(self, _: Any, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        await self._strangers.turn(context)
        await abort(context, _NOT_FOUND)
