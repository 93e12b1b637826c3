"""What was acknowledged before a call began counts for that call, whoever took it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.subject import pseudonym
from onecode_server.model.verdict import Recognition
from onecode_server.stores.protocol import Changes, Publication, Snapshot

from tests.unit.recognition.test_exception_cache import report
from tests.world import World, filed


@pytest.fixture
def asked(world: World, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The positions from which the change feed was read."""
    positions: list[int] = []
    read = world.store.changes

    async def counted(after: int) -> Changes:
        positions.append(after)
        await asyncio.sleep(0.01)
        return await read(after)

    monkeypatch.setattr(world.store, "changes", counted)
    return positions


async def publish(world: World, level: Level, revision: int) -> None:
    """Write past all that this process remembers, as another process would."""
    subject = pseudonym(world.pseudonym_key, "420000", "id-1")
    record = StatusRecord("420000", Scope.NATIONAL, level, world.now, None, revision)
    assert await world.store.publish([Publication(subject, record)], lambda _, new: (new,)) == [True]


async def test_a_record_that_another_process_took_counts_at_once(world: World) -> None:
    code, batch = world.code("420000"), [world.code("000000", subject=f"id-{n:03d}") for n in range(40)]
    assert (await world.verify(code)).level is Level.GREEN
    for revision, level in enumerate((Level.RED, Level.YELLOW, Level.GREEN), 1):
        await publish(world, level, revision)
        assert (await world.verify(code)).level is level
        assert (await world.verify_all([*batch, code]))[-1].level is level


async def test_an_exception_that_another_process_acknowledged_counts_at_once(world: World) -> None:
    code = world.code("420000")
    assert (await world.verify(code, "440000")).recognition is Recognition.RECOGNISED
    await world.store.change_exceptions(filed(report("now")))
    assert (await world.verify(code, "440000")).recognition is Recognition.SUSPENDED


async def test_one_reading_serves_all_calls_that_wait_for_it(world: World, asked: list[int]) -> None:
    await publish(world, Level.RED, 1)
    verdicts = await asyncio.gather(*(world.verify(world.code("420000")) for _ in range(50)))
    assert {verdict.level for verdict in verdicts} == {Level.RED}
    assert asked == [0]


async def test_while_nobody_commits_the_feed_is_not_read(world: World, asked: list[int]) -> None:
    for _ in range(5):
        await world.verify(world.code("420000"))
    assert len(asked) <= 1


async def test_a_caller_that_goes_away_does_not_take_the_reading_along(world: World, asked: list[int]) -> None:
    await publish(world, Level.RED, 1)
    calls = [asyncio.create_task(world.verify(world.code("420000"))) for _ in range(3)]
    await asyncio.sleep(0.001)
    calls[0].cancel()
    found: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert [verdict.level for verdict in found[1:]] == [Level.RED] * 2


async def test_where_the_store_is_away_every_call_does_not_wait_for_it_again(world: World, asked: list[int]) -> None:
    await world.verify(world.code("420000"))
    file = world.path / "store" / "data.mdb"
    await publish(world, Level.RED, 1)
    file.rename(world.path / "away")
    before = len(asked)
    for _ in range(5):
        await world.verify(world.code("420000"))
    assert len(asked) - before <= 1
    assert not world.exceptions.store_answers
    (world.path / "away").rename(file)
    await world.change_feed.catch_up()
    assert world.exceptions.store_answers


async def test_who_finds_a_reading_begun_waits_for_its_end(world: World, asked: list[int]) -> None:
    code = world.code("420000")
    assert (await world.verify(code)).level is Level.GREEN  # known, and so not asked for again
    for revision, level in enumerate((Level.RED, Level.YELLOW, Level.GREEN) * 3, 1):
        await publish(world, level, revision)
        reading = asyncio.create_task(world.change_feed.catch_up())  # as every server does four times a second
        await asyncio.sleep(0)
        assert {verdict.level for verdict in await asyncio.gather(*(world.verify(code) for _ in range(3)))} == {level}
        await reading


async def test_who_joins_an_older_fetch_is_not_told_what_was_before_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, read = world.code("420000"), world.store.statuses
    fetched, go_on = asyncio.Event(), asyncio.Event()

    async def slow(subjects: Sequence[bytes]) -> Snapshot:
        snapshot = await read(subjects)
        fetched.set()
        await go_on.wait()
        return snapshot

    monkeypatch.setattr(world.store, "statuses", slow)
    first = asyncio.create_task(world.verify(code))
    await fetched.wait()
    await publish(world, Level.RED, 1)
    second = asyncio.create_task(world.verify(code))
    await asyncio.sleep(0.05)
    go_on.set()
    await first
    assert (await second).level is Level.RED
