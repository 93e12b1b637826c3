"""Steps in a store: one commit with its audit entry each, at a time that is read inside the transaction."""

import pytest

from onecode_server.errors import NotServing, PreconditionFailed, StoreUnavailable
from onecode_server.model.identity import LOCAL
from onecode_server.recognition.steps import Acknowledge, Report, Withdraw
from onecode_server.recognition.store_steps import StoreSteps

from tests.world import HOUR, NOON, SECOND, World

FILE = Report(LOCAL, "RE-1", "440000", "420000", "why", NOON, NOON + HOUR)


@pytest.fixture
def steps(world: World) -> StoreSteps:
    return StoreSteps(world.store, world.trust, lambda: world.now, 60 * SECOND)


async def test_each_step_is_one_commit_with_its_audit_entry_and_the_time_of_its_decision(
    world: World, steps: StoreSteps
) -> None:
    (list_taken,) = await world.store.audit(0)
    for step in (FILE, Acknowledge(LOCAL, "RE-1"), Withdraw(LOCAL, "RE-1")):
        world.now += SECOND
        commits = world.store.commits()
        answer = await steps.take(step)
        assert (answer.time, world.store.commits()) == (world.now, commits + 1)
    entries = await world.store.audit(list_taken.number)
    assert [(entry.event, entry.subject, entry.time) for entry in entries] == [
        ("exception reported", "RE-1", NOON + SECOND),
        ("exception acknowledged", "RE-1", NOON + 2 * SECOND),
        ("exception withdrawn", "RE-1", NOON + 3 * SECOND),
    ]
    assert entries[-1].details == answer.report._asdict()


async def test_a_refused_step_writes_nothing(world: World, steps: StoreSteps) -> None:
    commits = world.store.commits()
    with pytest.raises(PreconditionFailed) as refused:
        await steps.take(FILE._replace(home="440000"))
    assert (refused.value.reason, world.store.commits()) == ("HOME_IS_HOST", commits)


async def test_the_clock_is_read_after_the_wait_for_the_store(world: World, steps: StoreSteps) -> None:
    writes = world.store._env.write

    async def waits_an_hour(*work, **how):
        world.now += HOUR // 2
        return await writes(*work, **how)

    world.store._env.write = waits_an_hour  # type: ignore[method-assign]
    answer = await steps.take(FILE._replace(begins=NOON + HOUR, ends=NOON + 3 * HOUR))
    assert answer.time == answer.report.reported_at == NOON + HOUR // 2


async def test_without_a_trust_list_a_report_is_refused_and_a_withdrawal_is_made(
    world: World, steps: StoreSteps
) -> None:
    await steps.take(FILE)
    world.trust._list = None
    with pytest.raises(NotServing):
        await steps.take(FILE._replace(identifier="RE-2"))
    assert (await steps.take(Withdraw(LOCAL, "RE-1"))).report.withdrawn_at == NOON


async def test_a_store_that_does_not_answer_is_an_unavailable_store(world: World, steps: StoreSteps) -> None:
    await world.store.close()
    with pytest.raises(StoreUnavailable):
        await steps.take(FILE)
