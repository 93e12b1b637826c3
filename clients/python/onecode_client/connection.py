"""The common base of the blocking clients: their connections. Failures of calls become ServerError."""

from collections.abc import Callable
from operator import methodcaller
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

import grpc

from onecode_client.access import Access
from onecode_client.channels import ChannelPool
from onecode_client.errors import closed

DEADLINE_S: Final = 30.0
"""The time for one call: a full batch takes a PyNaCl server well under a second; the rest is for a server under
load."""

_Stub = TypeVar("_Stub")
_Q = TypeVar("_Q")
_A = TypeVar("_A")


class Connection(Generic[_Stub]):
    """Channels to one server. Use it in a ``with`` statement, or close it. Safe for threads."""

    def __init__(
        self,
        access: Access,
        stubs: Callable[[grpc.Channel], _Stub],
        deadline_s: float,
        connections: int,
        *,
        wait_for_ready: bool = False,
    ) -> None:
        """Connect later, at the first call. Raises ValueError where ``connections`` is not 1 to 64."""
        self.deadline_s = deadline_s
        self._access = access
        self._stubs = stubs
        self._wait_for_ready = wait_for_ready
        self._pool = ChannelPool(self._connect, connections, methodcaller("close"), access.generation)
        self._is_closed = False

    def close(self) -> None:
        """Close the connections, which ends the calls in flight."""
        self._is_closed = True
        for channel in self._pool.close():
            channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self) -> tuple[grpc.Channel, _Stub]:
        channel = self._access.channel()
        return channel, self._stubs(channel)

    def _answered(
        self,
        method: "Callable[[_Stub], grpc.UnaryUnaryMultiCallable[_Q, _A]]",
        request: _Q,
        deadline_s: float | None = None,
    ) -> _A:
        """Return a call's response, over the least busy connection. Raises ServerError."""
        timeout_s = self.deadline_s if deadline_s is None else deadline_s
        with self._pool.lease() as stub:
            try:
                return method(stub)(
                    request,
                    timeout=timeout_s,
                    wait_for_ready=self._wait_for_ready,
                    metadata=self._access.metadata(),
                )
            except Exception as fault:
                if self._is_closed:  # gRPC raises CANCELLED or a ValueError here
                    raise closed() from None
                if isinstance(fault, grpc.RpcError):
                    raise self._access.error(fault) from None
                raise
