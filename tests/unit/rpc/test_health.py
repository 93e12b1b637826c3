"""Watches of health hear of each change, however many there are and whenever they began, and end with the drain."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from onecode_server.errors import NotFound, Overloaded
from onecode_server.model.identity import ANONYMOUS, LOCAL, Identity
from onecode_server.rpc import health
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.callers import Caller
from onecode_server.rpc.health import STRANGERS_MAX, WATCHES_MAX, HealthServicer

SERVING, NOT_SERVING, UNKNOWN = 1, 2, 3


class Watched:
    """A servicer whose states a test sets, and a watch of it."""

    def __init__(self) -> None:
        self.states = {"": True, "onecode.store": True}
        self.draining = asyncio.Event()
        self.servicer = HealthServicer(lambda: self.states, self.draining)

    def watch(self, service: str = "", by: Identity = LOCAL) -> AsyncIterator[Any]:
        caller = Caller(by, OnlyLocal())
        return self.servicer.Watch(health_pb2.HealthCheckRequest(service=service), caller)


async def following(watch: AsyncIterator[Any]) -> int:
    """Return the next status of a watch."""
    return int((await asyncio.wait_for(anext(watch), 10)).status)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "WATCH_S", 0.02)


async def test_all_watches_hear_of_a_change_and_each_of_its_own_service() -> None:
    watched = Watched()
    watches = [watched.watch() for _ in range(20)]
    store, nobody = watched.watch("onecode.store"), watched.watch("what")
    assert {await following(watch) for watch in [*watches, store]} == {SERVING}
    assert await following(nobody) == UNKNOWN
    waiting = [asyncio.create_task(following(watch)) for watch in watches]
    of_store = asyncio.create_task(following(store))
    await asyncio.sleep(0.1)
    assert not any(task.done() for task in [*waiting, of_store])
    watched.states = watched.states | {"": False}
    assert set(await asyncio.gather(*waiting)) == {NOT_SERVING}
    assert not of_store.done()
    watched.states = watched.states | {"onecode.store": False}
    assert await of_store == NOT_SERVING


async def test_a_watch_that_begins_in_a_state_that_passes_hears_that_it_has_passed() -> None:
    watched = Watched()
    early = watched.watch()
    assert await following(early) == SERVING
    waits = asyncio.create_task(following(early))
    await asyncio.sleep(0.05)
    watched.states = {"": False}
    late = watched.watch()
    assert await following(late) == NOT_SERVING
    watched.states = {"": True}
    assert await following(late) == SERVING
    waits.cancel()


async def test_watches_end_with_the_drain_and_say_so_first() -> None:
    watched = Watched()
    watches = [watched.watch() for _ in range(3)]
    assert {await following(watch) for watch in watches} == {SERVING}
    ends = [asyncio.create_task(following(watch)) for watch in watches]
    await asyncio.sleep(0.05)
    watched.draining.set()
    assert set(await asyncio.gather(*ends)) == {NOT_SERVING}
    for watch in watches:
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(watch), 10)


async def test_watches_have_a_bound_and_leave_their_place() -> None:
    watched = Watched()
    watches = [watched.watch() for _ in range(WATCHES_MAX)]
    for watch in watches:
        await following(watch)
    with pytest.raises(Overloaded):
        await following(watched.watch())
    await watches[0].aclose()  # type: ignore[attr-defined]
    assert await following(watched.watch()) == SERVING


async def test_an_unknown_service_is_not_found() -> None:
    with pytest.raises(NotFound):
        await Watched().servicer.Check(health_pb2.HealthCheckRequest(service="what"), None)  # type: ignore[arg-type]


async def test_callers_without_an_identity_keep_nobody_else_from_a_watch() -> None:
    watched = Watched()
    strangers = [watched.watch(by=ANONYMOUS) for _ in range(STRANGERS_MAX)]
    assert {await following(watch) for watch in strangers} == {SERVING}
    with pytest.raises(Overloaded, match="without an identity"):
        await following(watched.watch(by=ANONYMOUS))
    assert await following(watched.watch()) == SERVING
    await strangers.pop().aclose()  # type: ignore[attr-defined]  # it is a generator
    assert await following(watched.watch(by=ANONYMOUS)) == SERVING
