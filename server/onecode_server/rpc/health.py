"""The service grpc.health.v1, which computes each answer at the call.

The library's own servicer keeps a watch open for ever, so that a server with one watcher never drains; this one ends
watches at a drain. It knows these services: "" and the API's services report whether calls are answered;
``onecode.trust_list`` and ``onecode.store`` report the state of the trust list and of the store.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, suppress
from typing import Any, Final

from grpc_health.v1 import health_pb2
from grpc_health.v1 import health_pb2_grpc as pb_grpc

from onecode_server.errors import NotFound, Overloaded
from onecode_server.model.identity import Role
from onecode_server.rpc.callers import Caller

pb: Any = health_pb2
"""Untyped, since its published types are older than List."""

WATCH_S: Final = 0.5
"""The period at which the states are checked for changes."""
WATCHES_MAX: Final = 128
"""The bound on watches: a load balancer has one or two a service. Each is a call that never ends, so that without this
bound watches would use up the listener's bound on all calls."""
STRANGERS_MAX: Final = 16
"""The bound on those of them whose callers have no identity: nobody else may be kept out by strangers."""
RETRY_AFTER_S: Final = 5.0

_STATES: Final = {
    True: pb.HealthCheckResponse.SERVING,
    False: pb.HealthCheckResponse.NOT_SERVING,
    None: pb.HealthCheckResponse.SERVICE_UNKNOWN,
}


class HealthServicer(pb_grpc.HealthServicer):
    """``states`` returns for each service whether it serves now. Once ``draining`` is set, no service serves."""

    def __init__(self, states: Callable[[], Mapping[str, bool]], draining: asyncio.Event) -> None:
        self._states = states
        self._draining = draining
        self._watches = 0
        self._strangers = 0
        self._seen: tuple[dict[str, bool], bool] = {}, False
        self._changed = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    async def Check(self, request: Any, caller: Caller) -> Any:
        """Report whether a service serves. Raises NotFound for one that is not known."""
        state = self._state(request.service)
        if state is None:
            raise NotFound("SERVICE_UNKNOWN", "unknown service")
        return pb.HealthCheckResponse(status=_STATES[state])

    async def List(self, request: Any, caller: Caller) -> Any:
        """Report of every service whether it serves."""
        return pb.HealthListResponse(
            statuses={name: pb.HealthCheckResponse(status=_STATES[self._state(name)]) for name in self._states()}
        )

    async def Watch(self, request: Any, caller: Caller) -> AsyncIterator[Any]:
        """Report whether a service serves, now and at each change, until the server drains. Raises Overloaded."""
        is_stranger = caller.identity.role is Role.ANONYMOUS
        if self._watches >= WATCHES_MAX:
            raise Overloaded(f"{self._watches} watches are open", RETRY_AFTER_S)
        if is_stranger and self._strangers >= STRANGERS_MAX:
            raise Overloaded(f"{self._strangers} watches of callers without an identity are open", RETRY_AFTER_S)
        self._watches += 1
        self._strangers += is_stranger
        try:
            async with aclosing(self._changes(request.service)) as changes:
                async for status in changes:
                    yield pb.HealthCheckResponse(status=status)
        finally:
            self._watches -= 1
            self._strangers -= is_stranger

    async def _changes(self, service: str) -> AsyncGenerator[Any, None]:
        reported = None
        while True:
            self._wake_if_changed()
            status = _STATES[self._state(service)]
            if status != reported:
                reported = status
                yield status
                continue
            if self._draining.is_set():
                return
            if self._watcher is None or self._watcher.done():
                self._watcher = asyncio.create_task(self._watch_states())
            await self._changed.wait()

    async def _watch_states(self) -> None:
        """Check for changes while there are watches. One task does so for all: a hundred that check by themselves, in
        the same moment, would hold up every other call twice a second."""
        while self._watches and not self._draining.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._draining.wait(), WATCH_S)
            self._wake_if_changed()

    def _wake_if_changed(self) -> None:
        now = dict(self._states()), self._draining.is_set()
        if now != self._seen:
            self._seen = now
            self._changed.set()
            self._changed = asyncio.Event()

    def _state(self, service: str) -> bool | None:
        state = self._states().get(service)
        return False if self._draining.is_set() and state is not None else state
