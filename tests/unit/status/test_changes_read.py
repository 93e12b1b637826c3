"""The change feed: what one process publishes, every other answers; a hole forgets all that it might have missed."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from onecode_server.model.status import Level, Scope, Status, StatusRecord
from onecode_server.status.cache import StatusCache
from onecode_server.stores import lmdb as store_module
from onecode_server.stores import lmdb_tables
from onecode_server.stores.protocol import Publication, Records, Snapshot
from onecode_server.telemetry.metrics import Metrics

from tests.world import NOON, World

ANNE, BERT = bytes(16), bytes([1]) * 16


def record_of(level: Level, revision: int = 1) -> StatusRecord:
    return StatusRecord("420000", Scope.NATIONAL, level, NOON, None, revision)


def replace(known: Records, record: StatusRecord) -> Records:
    return (record,)


async def publish(world: World, subject: bytes, level: Level) -> None:
    assert await world.store.publish([Publication(subject, record_of(level))], replace) == [True]


@pytest_asyncio.fixture
async def cache(world: World) -> AsyncIterator[StatusCache]:
    made = StatusCache(world.store, lambda: world.monotonic_s, lambda: world.now, Metrics())
    await made.catch_up()
    yield made


async def level_of(cache: StatusCache, subject: bytes) -> Level | None:
    records = (await cache.lookup([subject]))[0].records
    return records[0].level if records else None


async def test_what_another_process_published_is_answered_after_the_next_look_at_the_feed(
    world: World, cache: StatusCache
) -> None:
    await publish(world, ANNE, Level.GREEN)
    assert await level_of(cache, ANNE) is Level.GREEN
    assert await level_of(cache, BERT) is None
    await publish(world, ANNE, Level.RED)
    await publish(world, BERT, Level.RED)
    assert await level_of(cache, ANNE) is Level.GREEN  # confirmed within 5 s
    await cache.catch_up()
    assert await level_of(cache, ANNE) is Level.RED
    assert await level_of(cache, BERT) is Level.RED


async def test_while_the_feed_is_read_what_is_known_stays_current_without_asking(
    world: World, cache: StatusCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(world, ANNE, Level.GREEN)
    await cache.lookup([ANNE])

    async def never(subjects: object) -> Snapshot:
        raise AssertionError("the store was asked")

    monkeypatch.setattr(world.store, "statuses", never)
    world.monotonic_s += 100
    await cache.catch_up()
    view = (await cache.lookup([ANNE]))[0]
    assert (view.status, view.age_s) == (Status.CURRENT, 0)


async def test_that_there_is_nothing_is_asked_for_again_after_half_a_minute(world: World, cache: StatusCache) -> None:
    await cache.lookup([BERT])
    world.monotonic_s += 31
    await cache.catch_up()
    found = await cache.lookup([BERT])
    assert found[0].status is Status.CURRENT
    entry = cache._table.entry(BERT)
    assert entry is not None
    assert entry.read_at_s == world.monotonic_s


async def test_a_hole_in_the_feed_forgets_everything(
    world: World, cache: StatusCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb_tables, "CHANGES_KEPT", 3)
    await publish(world, ANNE, Level.GREEN)
    await cache.catch_up()
    await cache.lookup([ANNE])
    await publish(world, ANNE, Level.RED)
    for number in range(10, 20):
        await publish(world, bytes([number]) * 16, Level.GREEN)
    changes = await world.store.changes(1)
    assert (changes.is_complete, changes.position) == (False, 12)
    await cache.catch_up()
    assert await level_of(cache, ANNE) is Level.RED


async def test_too_many_changes_at_once_are_a_hole(
    world: World, cache: StatusCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "CHANGES_MAX", 2)
    for number in range(4):
        await publish(world, bytes([number]) * 16, Level.GREEN)
    assert not (await world.store.changes(0)).is_complete
    assert (await world.store.changes(2)).subjects == [bytes([2]) * 16, bytes([3]) * 16]


async def test_whoever_starts_on_a_long_feed_has_found_no_hole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "CHANGES_MAX", 2)
    metrics = Metrics()
    cache = StatusCache(world.store, lambda: world.monotonic_s, lambda: world.now, metrics)
    holes = []
    for _ in range(2):
        for number in range(4):
            await publish(world, bytes([number]) * 16, Level.GREEN)
        await cache.catch_up()
        holes.append(metrics.registry.get_sample_value("onecode_change_feed_holes_total"))
    assert holes == [0, 1]


async def test_a_snapshot_older_than_the_feed_is_read_again_and_never_confirmed_by_it(
    world: World, cache: StatusCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(world, ANNE, Level.GREEN)
    await cache.catch_up()
    read = world.store.statuses

    async def slow(subjects: list[bytes]) -> Snapshot:
        old = await read(subjects)
        await publish(world, ANNE, Level.RED)
        await cache.catch_up()  # the feed has told of it before the old answer arrives
        return old

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "statuses", slow)
        assert await level_of(cache, ANNE) is Level.RED
    entry = cache._table.entry(ANNE)
    assert entry is not None
    assert not entry.is_followed  # each reading was overtaken
    world.monotonic_s += 6
    await cache.catch_up()
    assert await level_of(cache, ANNE) is Level.RED


async def test_one_fetch_answers_everyone_who_waits_for_a_subject(
    world: World, cache: StatusCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[bytes]] = []
    read = world.store.statuses

    async def counted(subjects: list[bytes]) -> Snapshot:
        asked.append(subjects)
        await asyncio.sleep(0.01)
        return await read(subjects)

    monkeypatch.setattr(world.store, "statuses", counted)
    waiting = [asyncio.create_task(cache.lookup([ANNE, BERT][: 1 + n % 2])) for n in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert sorted(subject for subjects in asked for subject in subjects) == [ANNE, BERT]
