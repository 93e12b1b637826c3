"""Where several machines share a log: a partition that stalls makes its own subjects stale, and no others."""

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from onecode_server.model.partition import ALL, DECISIONS, STATUS_PARTITIONS, partition_of
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.status import Level, Status
from onecode_server.model.verdict import Authenticity, Decision, Reason, Recognition, Verdict
from onecode_server.translation.translator import Translation
from onecode_server.verification.authenticate.template_lookup import ROWS_MIN

from tests.marked_world import MarkedWorld
from tests.world import HOUR, NOON, filed

STALLED = 7


@pytest_asyncio.fixture
async def machine(tmp_path: Path) -> AsyncIterator[MarkedWorld]:
    world = MarkedWorld(tmp_path)
    await world.start()
    await world.mark()
    yield world
    await world.store.close()


def code_in(world: MarkedWorld, partition: int, level: Level = Level.GREEN) -> bytes:
    return world.code("420000", level, subject=world.name_in(partition))


async def in_every_way(world: MarkedWorld, code: bytes) -> Verdict:
    """Return the verdict on a code that is checked alone, in a batch of many, and with all checks: it is one."""
    alone = (await world.verify_all([code]))[0]
    batch = await world.verify_all([code, *(world.code("420000", subject=f"other-{n}") for n in range(ROWS_MIN))])
    assert [alone, await world.verify(code)] == [batch[0]] * 2
    return alone


async def publish_everywhere(world: MarkedWorld) -> None:
    for partition in range(STATUS_PARTITIONS):
        await world.say("420000", Level.GREEN, world.name_in(partition))


@pytest.mark.parametrize("has_records", [False, True])
@pytest.mark.parametrize(
    ("after_s", "status"),
    [(0, None), (4, None), (6, Status.STALE), (299, Status.STALE), (302, Status.UNAVAILABLE)],
)
async def test_only_the_subjects_of_a_stalled_partition_go_stale_and_then_unavailable(
    machine: MarkedWorld, has_records: bool, after_s: int, status: Status | None
) -> None:
    if has_records:
        await publish_everywhere(machine)
    await machine.mark()
    fresh = Status.CURRENT if has_records else Status.NONE
    codes = [code_in(machine, partition) for partition in range(STATUS_PARTITIONS)]
    assert {verdict.status for verdict in await machine.verify_all(codes)} == {fresh}
    await machine.pass_time(after_s, except_for=STALLED)
    for partition, code in enumerate(codes):
        verdict = await in_every_way(machine, code)
        expected = status if status and partition == STALLED else fresh
        assert (verdict.status, verdict.decision is Decision.ADMIT) == (expected, expected is fresh)
        if expected is Status.STALE:
            assert verdict.status_age_s == after_s


async def test_a_partition_that_goes_on_makes_its_subjects_current_again(machine: MarkedWorld) -> None:
    await publish_everywhere(machine)
    code = code_in(machine, STALLED)
    for after_s in (20, 400):
        await machine.pass_time(after_s, except_for=STALLED)
        assert (await in_every_way(machine, code)).decision is Decision.CHECK
        await machine.mark()
        assert (await in_every_way(machine, code)).status is Status.CURRENT


async def test_a_red_of_a_stalled_partition_refuses_for_as_long_as_it_is_known(machine: MarkedWorld) -> None:
    await machine.say("420000", Level.RED, machine.name_in(STALLED))
    await machine.mark()
    code = code_in(machine, STALLED)
    await machine.pass_time(200, except_for=STALLED)
    verdict = await in_every_way(machine, code)
    assert (verdict.decision, verdict.reason, verdict.status) == (Decision.REFUSE, Reason.RED, Status.STALE)


async def test_before_its_first_own_mark_a_machine_admits_nobody(tmp_path: Path) -> None:
    world = MarkedWorld(tmp_path)
    await world.start()
    verdict = await in_every_way(world, world.code("420000"))
    assert (verdict.decision, verdict.reason) == (Decision.CHECK, Reason.STATUS_UNAVAILABLE)
    assert verdict.recognition is Recognition.UNCONFIRMED
    await world.mark()
    assert (await in_every_way(world, world.code("420000"))).decision is Decision.ADMIT
    await world.store.close()


async def test_a_token_that_a_stalled_partition_may_have_taken_is_not_refused(machine: MarkedWorld) -> None:
    tokens = [b"SH-%022d" % number for number in range(100)]
    key_of = machine.publisher._tokens.key_of
    stalled = [token for token in tokens if partition_of(key_of("310000", token).digest) == STALLED]
    assert 0 < len(stalled) < len(tokens)
    assert {v.reason for v in await machine.verify_all(tokens)} == {Reason.TOKEN_UNKNOWN}
    await machine.pass_time(6, except_for=STALLED)
    for token, verdict in zip(tokens, await machine.verify_all(tokens), strict=True):
        refused = Decision.REFUSE, Authenticity.UNKNOWN_ISSUER, Reason.TOKEN_UNKNOWN
        checked = Decision.CHECK, Authenticity.UNVERIFIABLE, Reason.TOKEN_UNVERIFIABLE
        found = verdict.decision, verdict.authenticity, verdict.reason
        assert found == (checked if token in stalled else refused)


async def test_without_decisions_nobody_is_admitted_after_five_minutes_and_a_red_is_refused(
    machine: MarkedWorld,
) -> None:
    await machine.say("420000", Level.GREEN, machine.name_in(Level.GREEN))
    codes = {level: code_in(machine, level, level) for level in (Level.GREEN, Level.YELLOW, Level.RED)}
    await machine.mark()
    await machine.pass_time(300, except_for=DECISIONS)
    held = await in_every_way(machine, codes[Level.GREEN])
    assert (held.decision, held.status, held.recognition) == (
        Decision.ADMIT,
        Status.CURRENT,
        Recognition.RECOGNISED,
    )
    await machine.pass_time(1, except_for=DECISIONS)
    green, yellow, red = [await in_every_way(machine, code) for code in codes.values()]
    assert (green.decision, green.level, green.reason) == (
        Decision.CHECK,
        Level.UNSPECIFIED,
        Reason.RECOGNITION_UNCONFIRMED,
    )
    assert (yellow.decision, yellow.reason) == (Decision.CHECK, Reason.YELLOW)
    assert (red.decision, red.reason) == (Decision.REFUSE, Reason.RED)
    assert [verdict.status for verdict in (green, yellow, red)] == [Status.CURRENT, Status.NONE, Status.NONE]
    assert {verdict.recognition for verdict in (green, yellow, red)} == {Recognition.UNCONFIRMED}
    translation = await machine.translate(codes[Level.GREEN], "440000")
    assert translation == Translation(translation.verdict)
    await machine.mark()
    assert (await in_every_way(machine, codes[Level.GREEN])).decision is Decision.ADMIT
    assert (await machine.translate(codes[Level.GREEN], "440000")).code


async def test_an_exception_that_is_known_suspends_whether_it_is_confirmed_or_not(machine: MarkedWorld) -> None:
    report = RecognitionException("e-1", "440000", "420000", "why", NOON, NOON + HOUR, NOON - HOUR, NOON - HOUR)
    await machine.store.change_exceptions(filed(report))
    await machine.mark()
    await machine.pass_time(301, except_for=DECISIONS)
    verdict = await machine.verify(machine.code("420000"), "440000")
    assert (verdict.recognition, verdict.reason) == (Recognition.SUSPENDED, Reason.RECOGNITION_SUSPENDED)


async def test_exceptions_that_cannot_be_read_are_not_confirmed_by_a_mark(
    machine: MarkedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = RecognitionException("e-1", "440000", "420000", "why", NOON, NOON + HOUR, NOON - HOUR, NOON - HOUR)
    monkeypatch.setattr(machine.exceptions, "refresh", lambda: _fails(machine))
    await machine.store.change_exceptions(filed(report))
    await machine.pass_time(301)
    assert (await machine.verify(machine.code("420000"), "440000")).reason is Reason.RECOGNITION_UNCONFIRMED
    monkeypatch.undo()
    await machine.mark()
    assert (await machine.verify(machine.code("420000"), "440000")).reason is Reason.RECOGNITION_SUSPENDED


async def _fails(machine: MarkedWorld) -> None:
    machine.exceptions.store_answers = False


async def test_health_and_metrics_name_the_partition_that_stalls(machine: MarkedWorld) -> None:
    shown = machine.engine.report()["log"]
    assert shown == {"confirmed_age_s": {str(partition): 0.0 for partition in ALL}, "fault": None}
    await machine.pass_time(8, except_for=STALLED)
    shown = machine.engine.report()["log"]
    assert shown["confirmed_age_s"] == {str(n): 8.0 if n == STALLED else 0.0 for n in ALL}
    assert shown["fault"] == "not confirmed for 5 s: partitions 7"
    sample = machine.metrics.registry.get_sample_value
    ages_s = [sample("onecode_log_confirmed_age_seconds", {"partition": str(n)}) for n in ALL]
    assert ages_s == [8.0 if n == STALLED else 0.0 for n in ALL]


async def test_a_machine_without_any_mark_shows_no_age(tmp_path: Path) -> None:
    world = MarkedWorld(tmp_path)
    assert world.engine.report()["log"]["confirmed_age_s"] == dict.fromkeys(map(str, ALL))
    sample = world.metrics.registry.get_sample_value
    assert sample("onecode_log_confirmed_age_seconds", {"partition": "12"}) == math.inf
    await world.store.close()
