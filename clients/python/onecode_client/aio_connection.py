"""The common base of the asyncio clients: their connections. Failures of calls become ServerError."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

import grpc
import grpc.aio

from onecode_client.access import Access
from onecode_client.channels import ChannelPool
from onecode_client.errors import closed

_Stub = TypeVar("_Stub")
_Q = TypeVar("_Q")
_A = TypeVar("_A")


class AsyncConnection(Generic[_Stub]):
    """Channels to one server, for one event loop. Use it in an ``async with`` statement, or close it."""

    def __init__(
        self,
        access: Access,
        stubs: Callable[[grpc.aio.Channel], _Stub],
        deadline_s: float,
        connections: int,
        *,
        wait_for_ready: bool,
    ) -> None:
        """Connect later, at the first call. Raises ValueError where ``connections`` is not 1 to 64."""
        self.deadline_s = deadline_s
        self._wait_for_ready = wait_for_ready
        self._access = access
        self._stubs = stubs
        self._pool = ChannelPool(self._connect, connections, self._discard, access.generation)
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def close(self) -> None:
        """Close the connections. Callers that still wait for an answer get ServerError (CANCELLED, CLIENT_CLOSED)."""
        self._is_closed = True
        await asyncio.gather(*(channel.close() for channel in self._pool.close()), *self._closing)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _connect(self) -> tuple[grpc.aio.Channel, _Stub]:
        channel = self._access.aio_channel()
        return channel, self._stubs(channel)

    def _discard(self, channel: grpc.aio.Channel) -> None:
        """Close a retired channel, which has no calls any more."""
        task = asyncio.get_running_loop().create_task(channel.close(), name="onecode retired channel")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _answered(
        self,
        method: "Callable[[_Stub], grpc.aio.UnaryUnaryMultiCallable[_Q, _A]]",
        request: _Q,
        deadline_s: float | None = None,
    ) -> _A:
        """Return a call's response, over the least busy connection. Raises ServerError."""
        timeout_s = self.deadline_s if deadline_s is None else deadline_s
        with self._pool.lease() as stub:
            try:
                return await method(stub)(
                    request,
                    timeout=max(0.0, timeout_s),
                    wait_for_ready=self._wait_for_ready,
                    metadata=self._access.metadata(),
                )
            except grpc.RpcError as fault:
                raise (closed() if self._is_closed else self._access.error(fault)) from None
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if self._is_closed and not (task and task.cancelling()):  # the call was cancelled, and not the caller
                    raise closed() from None
                raise
