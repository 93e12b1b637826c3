"""The desk: each step within the rules, in one transaction with its audit entry."""

import asyncio

import pytest

from onecode_server.engine.exception_desk import ExceptionDesk
from onecode_server.errors import NotFound, PreconditionFailed
from onecode_server.model.verdict import Recognition

from tests.world import HOUR, NOON, SECOND, World


@pytest.fixture
def desk(world: World) -> ExceptionDesk:
    return ExceptionDesk(world.trust, world.store, world.exceptions, lambda: world.now, 60 * SECOND)


async def test_a_report_counts_from_its_acknowledgement_until_its_end(world: World, desk: ExceptionDesk) -> None:
    code = world.code("420000", expires_at=NOON + 9 * HOUR)

    async def recognition() -> Recognition:
        return (await world.verify(code, "440000")).recognition

    report = await desk.report("440000", "420000", "why", NOON, NOON + 3 * HOUR)
    assert await recognition() is Recognition.RECOGNISED
    world.now += HOUR
    acknowledged = await desk.acknowledge(report.id)
    assert acknowledged.acknowledged_at == NOON + HOUR
    assert await recognition() is Recognition.SUSPENDED
    world.now = NOON + 3 * HOUR - 1
    assert await recognition() is Recognition.SUSPENDED
    world.now += 1
    assert await recognition() is Recognition.RECOGNISED


async def test_an_acknowledged_report_takes_effect_at_its_very_moment_and_is_withdrawn_at_once(
    world: World, desk: ExceptionDesk
) -> None:
    code = world.code("420000", expires_at=NOON + 9 * HOUR)
    early = await desk.report("440000", "420000", "why", NOON + HOUR, NOON + 2 * HOUR)
    late = await desk.report("440000", "420000", "why", NOON + 2 * HOUR, NOON + 3 * HOUR)
    for one in (early, late):
        await desk.acknowledge(one.id)
    seen = []
    for now in (
        NOON + HOUR - 1,
        NOON + HOUR,
        NOON + 2 * HOUR - 1,
        NOON + 2 * HOUR,
        NOON + 3 * HOUR - 1,
        NOON + 3 * HOUR,
    ):
        world.now = now
        seen.append((await world.verify(code, "440000")).exception_id)
    assert seen == ["", early.id, early.id, late.id, late.id, ""]
    world.now = NOON + 2 * HOUR
    await desk.withdraw(late.id)
    assert (await world.verify(code, "440000")).recognition is Recognition.RECOGNISED


async def test_a_clock_that_is_a_little_behind_begins_now(world: World, desk: ExceptionDesk) -> None:
    report = await desk.report("440000", "420000", "why", NOON - 30 * SECOND, NOON + HOUR)
    assert report.effective_from == NOON
    with pytest.raises(PreconditionFailed, match="past"):
        await desk.report("440000", "110000", "why", NOON - 61 * SECOND, NOON + HOUR)


async def test_of_two_reports_at_once_for_the_same_time_one_is_filed(world: World, desk: ExceptionDesk) -> None:
    both = (desk.report("440000", "420000", "why", NOON, NOON + HOUR) for _ in range(2))
    results = await asyncio.gather(*both, return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["RecognitionException", "PreconditionFailed"]
    assert len(await world.store.exceptions()) == 1


async def test_a_refused_step_leaves_no_trace(world: World, desk: ExceptionDesk) -> None:
    before = await world.store.audit(0)
    with pytest.raises(PreconditionFailed) as refused:
        await desk.report("440000", "440000", "why", NOON, NOON + HOUR)
    assert refused.value.reason == "HOME_IS_HOST"
    with pytest.raises(NotFound):
        await desk.withdraw("RE-nothing")
    assert (await world.store.exceptions(), await world.store.audit(0)) == ([], before)


async def test_a_withdrawn_report_may_be_filed_again(desk: ExceptionDesk, world: World) -> None:
    report = await desk.report("440000", "420000", "why", NOON, NOON + HOUR)
    assert (await desk.withdraw(report.id)).withdrawn_at == NOON
    with pytest.raises(PreconditionFailed, match="withdrawn already"):
        await desk.acknowledge(report.id)
    await desk.report("440000", "420000", "why", NOON, NOON + HOUR)
    events = [entry.event for entry in await world.store.audit(1)]
    assert events == ["exception reported", "exception withdrawn", "exception reported"]
