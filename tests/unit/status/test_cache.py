"""Statuses: CURRENT, STALE and UNAVAILABLE by age and by whether the store answers."""

import asyncio
from collections.abc import Sequence

import pytest

from onecode_server.errors import StoreUnavailable
from onecode_server.model.status import Level, Scope, Status, StatusRecord
from onecode_server.model.subject import pseudonym
from onecode_server.status.cache import StatusCache
from onecode_server.status.table import MANY, NO_RECORD, UNKNOWN
from onecode_server.stores.protocol import Changes, Snapshot
from onecode_server.telemetry.metrics import Metrics

from tests.world import World

ANNE, BERT, CARL = (bytes([n]) * 16 for n in range(3))
RED = StatusRecord("420000", Scope.NATIONAL, Level.RED, 0, None, 1)


class Counted:
    """The real store, with its calls counted and its failure at will."""

    def __init__(self, world: World) -> None:
        self._store = world.store
        self.asked: list[list[bytes]] = []
        self.is_down = False

    async def statuses(self, subjects: Sequence[bytes]) -> Snapshot:
        self.asked.append(sorted(subjects))
        if self.is_down:
            raise StoreUnavailable("down")
        return await self._store.statuses(subjects)

    async def changes(self, after: int) -> Changes:
        return await self._store.changes(after)


@pytest.fixture
def store(world: World) -> Counted:
    return Counted(world)


@pytest.fixture
def cache(world: World, store: Counted) -> StatusCache:
    return StatusCache(store, lambda: world.monotonic_s, lambda: world.now, Metrics(), entries_max=2)  # type: ignore[arg-type]


async def test_within_five_seconds_the_store_is_not_asked_again(
    world: World, store: Counted, cache: StatusCache
) -> None:
    await cache.lookup([ANNE])
    world.monotonic_s += 5
    view = (await cache.lookup([ANNE]))[0]
    assert (view.status, view.age_s, len(store.asked)) == (Status.CURRENT, 5, 1)
    world.monotonic_s += 0.1
    assert (await cache.lookup([ANNE]))[0].age_s == 0
    assert len(store.asked) == 2


async def test_one_call_asks_the_store_once_for_all_that_is_missing(store: Counted, cache: StatusCache) -> None:
    await cache.lookup([ANNE])
    await cache.lookup([ANNE, BERT, BERT, CARL])
    assert store.asked == [[ANNE], [BERT, CARL]]


async def test_while_the_store_is_down_what_is_known_is_stale_until_five_minutes(
    world: World, store: Counted, cache: StatusCache
) -> None:
    await world.say("420000", Level.RED)
    await cache.lookup([ANNE])
    store.is_down = True
    world.monotonic_s += 300
    stale = (await cache.lookup([ANNE]))[0]
    assert (stale.status, stale.age_s) == (Status.STALE, 300)
    world.monotonic_s += 1
    assert (await cache.lookup([ANNE, BERT])) == [((), Status.UNAVAILABLE, 0)] * 2


async def test_a_store_that_failed_is_left_alone_for_a_moment_and_then_asked_again(
    world: World, store: Counted, cache: StatusCache
) -> None:
    store.is_down = True
    await cache.lookup([ANNE])
    await cache.lookup([ANNE])
    assert len(store.asked) == 1
    store.is_down = False
    world.monotonic_s += 0.5
    assert (await cache.lookup([ANNE]))[0].status is Status.CURRENT


async def test_the_cache_is_bounded_and_the_oldest_confirmation_goes_first(store: Counted, cache: StatusCache) -> None:
    for subject in (ANNE, BERT, CARL, BERT, CARL):
        await cache.lookup([subject])
    assert len(store.asked) == 3
    await cache.lookup([ANNE])
    assert len(store.asked) == 4


async def test_a_batch_larger_than_the_cache_is_answered_all_the_same(cache: StatusCache) -> None:
    views = await cache.lookup([bytes([n]) * 16 for n in range(100)])
    assert {view.status for view in views} == {Status.CURRENT}


async def test_what_is_soon_due_is_read_anew_while_its_answer_still_counts(
    world: World, store: Counted, cache: StatusCache
) -> None:
    await cache.columns([ANNE])
    world.monotonic_s += 4.5
    known = await cache.columns([ANNE])
    assert (known.status.tolist(), known.age_s.tolist()) == ([Status.CURRENT], [4])
    for _ in range(100):
        await asyncio.sleep(0.01)
        if (await cache.columns([ANNE])).age_s.tolist() == [0]:
            break
    assert store.asked == [[ANNE], [ANNE]]
    world.monotonic_s += 3.5
    assert (await cache.columns([ANNE])).age_s.tolist() == [3]
    assert len(store.asked) == 2


@pytest.mark.parametrize("in_columns", [False, True])
async def test_a_feed_that_names_a_subject_while_its_read_fails_does_not_confirm_what_was_held(
    world: World, store: Counted, cache: StatusCache, in_columns: bool
) -> None:
    await world.say("420000", Level.GREEN)
    anna = pseudonym(world.pseudonym_key, "420000", "id-1")
    await cache.lookup([anna])
    read_at_s = world.monotonic_s
    world.monotonic_s += 200
    await world.say("420000", Level.RED, revision=2)
    is_asked, may_fail = asyncio.Event(), asyncio.Event()

    async def fails(subjects: Sequence[bytes]) -> Snapshot:
        is_asked.set()
        await may_fail.wait()
        raise StoreUnavailable("late")

    store.statuses = fails  # type: ignore[method-assign]

    async def look_up() -> tuple[int, int]:
        if in_columns:
            known = await cache.columns([anna])
            return int(known.status[0]), int(known.age_s[0])
        (view,) = await cache.lookup([anna])
        return view.status, view.age_s

    looking = asyncio.create_task(look_up())
    await is_asked.wait()
    await cache.catch_up()
    may_fail.set()
    assert await looking == (Status.STALE, int(world.monotonic_s - read_at_s))


@pytest.mark.parametrize("later_s", [0, 4, 5.1, 29, 31, 299, 301, 1000])
@pytest.mark.parametrize("is_down", [False, True])
@pytest.mark.parametrize("is_followed", [False, True])
async def test_columns_say_what_a_look_up_says(
    world: World, store: Counted, later_s: float, is_down: bool, is_followed: bool
) -> None:
    def opened() -> StatusCache:
        return StatusCache(store, lambda: world.monotonic_s, lambda: world.now, Metrics())  # type: ignore[arg-type]

    await world.say("420000", Level.RED)
    await world.say("000000", Level.YELLOW, "id-2", home="420000")
    anna, bert = (pseudonym(world.pseudonym_key, "420000", name) for name in ("id-1", "id-2"))
    one, other, third = opened(), opened(), opened()
    for cache in (one, other, third):
        await cache.lookup([anna, bert, CARL])
    world.monotonic_s += later_s
    if is_followed:
        for cache in (one, other, third):
            await cache.catch_up()
    store.is_down = is_down
    simple = third.simple([anna, bert, CARL], world.now)
    is_current = later_s <= 5 or is_followed
    assert [found is not None for found in simple] == [is_current, False, is_current and later_s <= 30]
    views, known = await one.lookup([anna, bert, CARL]), await other.columns([anna, bert, CARL])
    assert known.status.tolist() == [view.status for view in views]
    assert known.age_s.tolist() == [view.age_s for view in views]
    assert all(found[-2:] == view[1:] for found, view in zip(simple, views, strict=True) if found)
    is_known = views[0].status is not Status.UNAVAILABLE
    publishers = [
        UNKNOWN if view.status is Status.UNAVAILABLE else publisher
        for view, publisher in zip(views, [420000, MANY, NO_RECORD], strict=True)
    ]
    assert known.entries["publisher"].tolist() == publishers
    assert (known.records.get(1) if is_known else ()) == views[1].records
