"""The machine's clock is stepped by an hour, either way: no RED is lost, nothing becomes current by it, nothing hangs.

Durations are measured by the monotonic clock, which no step moves; the wall clock judges codes, records and the list.
"""

import pytest

from onecode_server.errors import StoreUnavailable
from onecode_server.model.identity import LOCAL
from onecode_server.model.status import Level
from onecode_server.model.verdict import Authenticity, Decision, Reason, Recognition

from tests.world import HOUR, NOON, World

BACK, AHEAD = -HOUR, HOUR


@pytest.mark.parametrize("step", [BACK, AHEAD])
async def test_a_red_that_was_published_before_a_step_stands_after_it(world: World, step: int) -> None:
    code = world.code("420000", issued_at=NOON - 2 * HOUR)
    await world.say("420000", Level.RED, effective_at=NOON - 2 * HOUR)
    world.now += step
    for verdict in (await world.verify(code), *await world.verify_all([code])):
        assert (verdict.decision, verdict.reason) == (Decision.REFUSE, Reason.RED)


@pytest.mark.parametrize("step", [BACK, AHEAD])
async def test_a_red_that_is_published_after_a_step_counts_at_once(world: World, step: int) -> None:
    code = world.code("420000", issued_at=NOON - 2 * HOUR)
    await world.say("420000", Level.GREEN, effective_at=NOON)
    world.now += step
    await world.say("420000", Level.RED, effective_at=world.now, revision=2)
    assert (await world.verify(code)).reason is Reason.RED


async def test_codes_are_judged_by_the_clock_as_it_is_and_admitted_again_once_it_is_right(world: World) -> None:
    fresh = world.code("420000", issued_at=NOON, expires_at=NOON + HOUR // 2)
    expected = {
        0: (Decision.ADMIT, Authenticity.VALID),
        BACK: (Decision.REFUSE, Authenticity.NOT_YET_VALID),
        AHEAD: (Decision.REFUSE, Authenticity.EXPIRED),
    }
    for step in (0, BACK, 0, AHEAD, 0):
        world.now = NOON + step
        for verdict in (await world.verify(fresh), *await world.verify_all([fresh])):
            assert (verdict.decision, verdict.authenticity) == expected[step]


@pytest.mark.parametrize("step", [BACK, AHEAD])
async def test_a_status_grows_old_by_the_time_that_passes_and_not_by_a_step(
    world: World, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = world.code("420000", issued_at=NOON - 2 * HOUR)
    await world.say("420000", Level.GREEN, effective_at=NOON)
    assert (await world.verify(code)).decision is Decision.ADMIT
    world.now += step
    assert (await world.verify(code)).status_age_s == 0
    world.monotonic_s += 400

    async def fail(subjects: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(world.store, "statuses", fail)
    assert (await world.verify(code)).decision is not Decision.ADMIT


async def test_a_list_past_its_grace_admits_nobody_and_does_again_once_the_clock_is_right(world: World) -> None:
    code = world.code("420000", issued_at=NOON - HOUR, expires_at=NOON + 72 * HOUR)
    world.sign_list(next_update=(NOON + HOUR // 2) / 1_000_000)
    await world.trust.refresh()
    found = []
    for step in (0, 2 * AHEAD, 0, BACK):
        world.now = NOON + step
        found.append((await world.verify(code)).reason)
    assert found == [Reason.GREEN, Reason.TRUST_LIST_OUT_OF_DATE, Reason.GREEN, Reason.GREEN]


async def test_an_exception_is_in_effect_by_the_clock_as_it_is(world: World) -> None:
    report = await world.exception_service.report(LOCAL, "440000", "420000", "closed for a day", NOON, NOON + 24 * HOUR)
    await world.exception_service.acknowledge(LOCAL, report.report.id)
    code = world.code("420000", issued_at=NOON - 2 * HOUR)
    found = []
    for step in (0, BACK, AHEAD, 25 * HOUR, 0):
        world.now = NOON + step
        found.append((await world.verify(code, "440000")).recognition is Recognition.SUSPENDED)
    assert found == [True, False, True, False, True]
