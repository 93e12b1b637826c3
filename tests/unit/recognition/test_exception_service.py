"""The service: each step within the rules, in one transaction with its audit entry."""

import asyncio
import gc

import pytest

from onecode_server.errors import (
    AlreadyExists,
    InvalidRequest,
    NotFound,
    NotPermitted,
    Overloaded,
    PreconditionFailed,
)
from onecode_server.model.identity import LOCAL, Identity, Role
from onecode_server.model.verdict import Recognition
from onecode_server.recognition.exception_service import STEPS_MAX, ExceptionService
from onecode_server.recognition.store_steps import StoreSteps
from onecode_server.rules.recognition_exceptions import PAIR_OPEN_MAX
from onecode_server.stores.lmdb_map import READERS_MAX
from onecode_server.stores.protocol import Selection

from tests.world import HOUR, NOON, SECOND, World


@pytest.fixture
def service(world: World) -> ExceptionService:
    return ExceptionService(StoreSteps(world.store, world.trust, lambda: world.now, 60 * SECOND), world.exceptions)


async def test_a_report_counts_from_its_acknowledgement_until_its_end(world: World, service: ExceptionService) -> None:
    code = world.code("420000", expires_at=NOON + 9 * HOUR)

    async def recognition() -> Recognition:
        return (await world.verify(code, "440000")).recognition

    report = (await service.report(LOCAL, "440000", "420000", "why", NOON, NOON + 3 * HOUR)).report
    assert await recognition() is Recognition.RECOGNISED
    world.now += HOUR
    acknowledged = await service.acknowledge(LOCAL, report.id)
    assert acknowledged.report.acknowledged_at == NOON + HOUR
    assert await recognition() is Recognition.SUSPENDED
    world.now = NOON + 3 * HOUR - 1
    assert await recognition() is Recognition.SUSPENDED
    world.now += 1
    assert await recognition() is Recognition.RECOGNISED


async def test_an_acknowledged_report_takes_effect_at_its_very_moment_and_is_withdrawn_at_once(
    world: World, service: ExceptionService
) -> None:
    code = world.code("420000", expires_at=NOON + 9 * HOUR)
    early = (await service.report(LOCAL, "440000", "420000", "why", NOON + HOUR, NOON + 2 * HOUR)).report
    late = (await service.report(LOCAL, "440000", "420000", "why", NOON + 2 * HOUR, NOON + 3 * HOUR)).report
    for one in (early, late):
        await service.acknowledge(LOCAL, one.id)
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
    await service.withdraw(LOCAL, late.id)
    assert (await world.verify(code, "440000")).recognition is Recognition.RECOGNISED


async def test_a_clock_that_is_a_little_behind_begins_now_and_its_hour_is_an_hour(
    world: World, service: ExceptionService
) -> None:
    filed = await service.report(LOCAL, "440000", "420000", "why", NOON - 30 * SECOND, NOON - 30 * SECOND + HOUR)
    assert filed.report.effective_from == NOON
    with pytest.raises(PreconditionFailed, match="past"):
        await service.report(LOCAL, "440000", "110000", "why", NOON - 61 * SECOND, NOON + HOUR)


async def test_of_two_acknowledgements_at_once_for_the_same_time_one_is_made(
    world: World, service: ExceptionService
) -> None:
    both = [(await service.report(LOCAL, "440000", "420000", "why", NOON, NOON + HOUR)).report.id for _ in range(2)]
    results = await asyncio.gather(*(service.acknowledge(LOCAL, one) for one in both), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["ExceptionAnswer", "PreconditionFailed"]
    assert len(await world.store.acknowledged_exceptions()) == 1


async def test_a_strangers_reports_are_in_nobodys_way(world: World, service: ExceptionService) -> None:
    for _ in range(PAIR_OPEN_MAX - 1):
        await service.report(LOCAL, "440000", "420000", "a stranger", NOON, NOON + 30 * 24 * HOUR)
    own = (await service.report(LOCAL, "440000", "420000", "why", NOON, NOON + HOUR)).report
    assert (await service.acknowledge(LOCAL, own.id)).report.acknowledged_at == NOON
    assert (await world.verify(world.code("420000"), "440000")).exception_id == own.id


async def test_what_nobody_acknowledges_ends_after_72_hours_and_makes_room(
    world: World, service: ExceptionService
) -> None:
    async def report() -> str:
        return (await service.report(LOCAL, "440000", "420000", "why", world.now, world.now + 30 * 24 * HOUR)).report.id

    first, *_ = [await report() for _ in range(PAIR_OPEN_MAX)]
    with pytest.raises(PreconditionFailed) as refused:
        await report()
    assert refused.value.reason == "TOO_MANY_OPEN_OF_PAIR"
    world.now += 72 * HOUR - 1
    with pytest.raises(PreconditionFailed):
        await report()
    world.now += 1
    with pytest.raises(PreconditionFailed, match="has ended already"):
        await service.acknowledge(LOCAL, first)
    await report()


@pytest.mark.parametrize("identifier", ["", "RE-nothing", "x" * 65, "x" * 1000, "\0", "绿"])
async def test_a_refused_step_leaves_no_trace_and_costs_no_write(
    world: World, service: ExceptionService, monkeypatch: pytest.MonkeyPatch, identifier: str
) -> None:
    before, commits = await world.store.audit(0), world.store.commits()
    monkeypatch.setattr(world.store._env, "write", None)
    with pytest.raises(PreconditionFailed) as refused:
        await service.report(LOCAL, "440000", "440000", "why", NOON, NOON + HOUR)
    assert refused.value.reason == "HOME_IS_HOST"
    for step in (service.acknowledge, service.withdraw):
        with pytest.raises(NotFound):
            await step(LOCAL, identifier)
    assert await world.store.exceptions(Selection(), None, 10) == []
    assert (await world.store.audit(0), world.store.commits()) == (before, commits)


async def test_refused_steps_take_no_reader_slots_of_lmdb(world: World, service: ExceptionService) -> None:
    gc.disable()  # as good as: a server collects seldom
    try:
        for _ in range(READERS_MAX + 10):
            with pytest.raises(NotFound):
                await service.withdraw(LOCAL, "RE-nothing")
    finally:
        gc.enable()
    assert world.store._env._files.env.info()["num_readers"] < 10


async def test_a_withdrawn_report_may_be_filed_again(service: ExceptionService, world: World) -> None:
    filed = await service.report(LOCAL, "440000", "420000", "why", NOON, NOON + HOUR)
    assert (await service.withdraw(LOCAL, filed.report.id)).report.withdrawn_at == NOON
    with pytest.raises(PreconditionFailed, match="withdrawn already"):
        await service.acknowledge(LOCAL, filed.report.id)
    await service.report(LOCAL, "440000", "420000", "why", NOON, NOON + HOUR)
    events = [entry.event for entry in await world.store.audit(1)]
    assert events == ["exception reported", "exception withdrawn", "exception reported"]


async def test_a_request_that_was_answered_is_answered_again_and_not_done_again(
    world: World, service: ExceptionService
) -> None:
    names = [f"{step:-<16}" for step in ("report", "acknowledge", "withdraw")]
    asked = ("440000", "420000", "why", NOON, NOON + HOUR)
    filed = await service.report(LOCAL, *asked, names[0])
    identifier = filed.report.id
    world.now += SECOND
    acknowledged = await service.acknowledge(LOCAL, identifier, names[1])
    world.now += SECOND
    withdrawn = await service.withdraw(LOCAL, identifier, names[2])
    entries, commits = await world.store.audit(0), world.store.commits()
    world.now += 100 * 24 * HOUR
    await world.restart()
    assert await world.exception_service.report(LOCAL, *asked, names[0]) == filed
    assert await world.exception_service.acknowledge(LOCAL, identifier, names[1]) == acknowledged
    assert await world.exception_service.withdraw(LOCAL, identifier, names[2]) == withdrawn
    assert [one.report.withdrawn_at for one in (filed, acknowledged, withdrawn)] == [None, None, NOON + 2 * SECOND]
    with pytest.raises(AlreadyExists):
        await world.exception_service.withdraw(LOCAL, identifier, names[1])
    with pytest.raises(AlreadyExists):
        await world.exception_service.report(LOCAL, "440000", "420000", "another reason", NOON, NOON + HOUR, names[0])
    assert (await world.store.audit(0), world.store.commits()) == (entries, commits)


async def test_of_two_equal_requests_at_once_one_is_done_and_both_have_its_answer(
    world: World, service: ExceptionService
) -> None:
    asked = ("440000", "420000", "why", NOON, NOON + HOUR, "x" * 64)
    one, other = await asyncio.gather(service.report(LOCAL, *asked), service.report(LOCAL, *asked))
    assert one == other
    assert len(await world.store.exceptions(Selection(), None, 10)) == 1


async def test_a_refused_request_may_be_made_again_under_its_id(world: World, service: ExceptionService) -> None:
    with pytest.raises(PreconditionFailed):
        await service.report(LOCAL, "440000", "420000", "", NOON, NOON + HOUR, "x" * 16)
    assert (await service.report(LOCAL, "440000", "420000", "why", NOON, NOON + HOUR, "x" * 16)).report.reason == "why"


@pytest.mark.parametrize("request_id", ["x", "x" * 15, "x" * 65])
async def test_a_request_id_has_16_to_64_characters(service: ExceptionService, request_id: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await service.report(LOCAL, "440000", "420000", "why", NOON, NOON + HOUR, request_id)
    assert refused.value.reason == "REQUEST_ID_INVALID"


async def test_more_steps_than_may_wait_for_the_store_are_refused_at_once(service: ExceptionService) -> None:
    steps = (service.withdraw(LOCAL, "RE-nothing") for _ in range(STEPS_MAX + 5))
    results = await asyncio.gather(*steps, return_exceptions=True)
    assert [type(result) for result in results] == [NotFound] * STEPS_MAX + [Overloaded] * 5
    with pytest.raises(NotFound):
        await service.withdraw(LOCAL, "RE-nothing")


HOST, OTHER = Identity(Role.REGIONAL_OPERATOR, "440000"), Identity(Role.REGIONAL_OPERATOR, "110000")
NATION, SCANNER = Identity(Role.NATIONAL_OPERATOR), Identity(Role.SCANNER, "440000")


async def test_a_host_reports_and_withdraws_its_own_and_the_national_operator_acknowledges(
    service: ExceptionService,
) -> None:
    asked = ("440000", "420000", "why", NOON, NOON + HOUR)
    for nobody in (OTHER, NATION, SCANNER):
        with pytest.raises(NotPermitted):
            await service.report(nobody, *asked)
    report = (await service.report(HOST, *asked)).report
    for nobody in (HOST, OTHER, SCANNER):
        with pytest.raises(NotPermitted):
            await service.acknowledge(nobody, report.id)
    await service.acknowledge(NATION, report.id)
    for nobody in (OTHER, SCANNER):
        with pytest.raises(NotPermitted):
            await service.withdraw(nobody, report.id)
    withdrawn = (await service.withdraw(HOST, report.id)).report
    assert (withdrawn.reported_by, withdrawn.acknowledged_by, withdrawn.withdrawn_by) == (
        "region/440000/operator",
        "national/operator",
        "region/440000/operator",
    )


async def test_the_audit_record_says_who_took_each_step(world: World, service: ExceptionService) -> None:
    by = HOST._replace(gateway="gate-7")
    report = (await service.report(by, "440000", "420000", "why", NOON, NOON + HOUR)).report
    await service.acknowledge(NATION, report.id)
    steps = {entry.event: entry.details for entry in await world.store.audit(0) if entry.subject == report.id}
    assert steps["exception reported"]["reported_by"] == "region/440000/operator via gateway/gate-7"
    assert steps["exception acknowledged"]["acknowledged_by"] == "national/operator"


async def test_a_request_id_of_another_caller_is_not_answered_with_that_ones_report(service: ExceptionService) -> None:
    asked, request_id = ("440000", "420000", "why", NOON, NOON + HOUR), "0123456789abcdef"
    first = await service.report(HOST, *asked, request_id)
    assert await service.report(HOST._replace(gateway="gate-7"), *asked, request_id) == first  # it came another way
    with pytest.raises(AlreadyExists):
        await service.report(LOCAL, *asked, request_id)


async def test_an_earlier_answer_names_nobody_for_later_steps(service: ExceptionService) -> None:
    asked, request_id = ("440000", "420000", "why", NOON, NOON + HOUR), "0123456789abcdef"
    first = await service.report(HOST, *asked, request_id)
    await service.acknowledge(NATION, first.report.id)
    assert await service.report(HOST, *asked, request_id) == first
