"""Publishing: who may say what of whom, and that replays are harmless."""

import pytest

from onecode_server.model.code import Scan
from onecode_server.model.identity import LOCAL, Identity, Role
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.subject import pseudonym
from onecode_server.model.verdict import Decision, Reason
from onecode_server.publication.publisher import LocalSubject, SubjectName
from onecode_server.rules.publication import Rejection
from onecode_server.stores.protocol import UNREADABLE, Publication

from tests.world import HOUR, NOON, SECOND, World


def record(publisher: str, scope: Scope = Scope.NATIONAL, level: Level = Level.RED, revision: int = 1) -> StatusRecord:
    return StatusRecord(publisher, scope, level, NOON, None, revision)


async def test_a_region_publishes_on_its_own_by_local_identifier(world: World) -> None:
    assert await world.publisher.publish([(LocalSubject("420000", "id-1"), record("420000"))]) == [None]
    world.monotonic_s += 6
    assert (await world.verify(world.code("420000"))).level is Level.RED


async def test_a_host_that_adopts_reports_on_the_bearer_of_a_scanned_code(world: World) -> None:
    code = world.code("420000")
    assert await world.publisher.publish([(Scan(code, ""), record("540000", Scope.LOCAL))]) == [None]
    world.monotonic_s += 6
    assert (await world.verify(code, "540000")).level is Level.RED
    assert (await world.verify(code, "630000")).level is Level.GREEN


@pytest.mark.parametrize(
    ("name", "published", "rule"),
    [
        (LocalSubject("420000", "id"), record("440000"), Rejection.NOT_THE_HOME),
        (LocalSubject("420000", "id"), record("420000", Scope.LOCAL), Rejection.NOT_AN_ADOPTER),
        (LocalSubject("420000", "id"), record("999999"), Rejection.UNKNOWN_PUBLISHER),
        (LocalSubject("420000", ""), record("420000"), Rejection.INVALID_SUBJECT),
        (LocalSubject("42", "id"), record("420000"), Rejection.INVALID_SUBJECT),
        (LocalSubject("420000", "\ud800"), record("420000"), Rejection.INVALID_SUBJECT),
        (LocalSubject("420000", "x" * 257), record("420000"), Rejection.INVALID_SUBJECT),
        (b"fifteen bytes..", record("420000"), Rejection.INVALID_SUBJECT),
        (Scan(b"no code", ""), record("420000"), Rejection.INVALID_SUBJECT),
        (Scan(b"SH-0123456789012345678901", ""), record("420000"), Rejection.NOT_THE_HOME),
        (b"sixteen bytes...", record("420000", level=Level.UNSPECIFIED), Rejection.INVALID_LEVEL),
        (b"sixteen bytes...", record("420000", revision=0), Rejection.INVALID_REVISION),
    ],
)
async def test_a_record_that_breaks_a_rule_is_rejected_by_its_name(
    world: World, name: SubjectName, published: StatusRecord, rule: Rejection
) -> None:
    good = (b"sixteen bytes.!!", record("420000"))
    assert await world.publisher.publish([good, (name, published), good]) == [None, rule, None]


@pytest.mark.parametrize(
    ("by", "permitted"),
    [
        (Identity(Role.REGIONAL_OPERATOR, "420000"), "420000"),
        (Identity(Role.REGIONAL_OPERATOR, "420000", gateway="gate-7"), "420000"),
        (Identity(Role.REGIONAL_OPERATOR, "440000"), None),
        (Identity(Role.NATIONAL_OPERATOR), "000000"),
        (Identity(Role.SCANNER, "420000"), None),
        (LOCAL, "420000 440000 000000"),
    ],
    ids=str,
)
async def test_a_record_of_another_publisher_than_the_callers_is_rejected_and_the_others_are_taken(
    world: World, by: Identity, permitted: str | None
) -> None:
    publishers = ("420000", "000000")
    named: list[tuple[SubjectName, StatusRecord]] = [(LocalSubject("420000", "id"), record(one)) for one in publishers]
    expected = [None if one in (permitted or "") else Rejection.NOT_PERMITTED for one in publishers]
    assert await world.publisher.publish(named, by) == expected
    labels = {"outcome": "taken", "role": by.role.value, "region": by.region}
    taken = world.metrics.registry.get_sample_value("onecode_published_records_total", labels)
    assert taken == expected.count(None)


async def test_whose_subject_a_record_names_is_not_told_to_a_caller_who_may_not_publish_it(world: World) -> None:
    by = Identity(Role.REGIONAL_OPERATOR, "440000")
    names: list[SubjectName] = [LocalSubject("420000", "id"), b"no subject", Scan(b"no code", "")]
    results = await world.publisher.publish([(name, record("420000")) for name in names], by)
    assert results == [Rejection.NOT_PERMITTED] * 3


async def test_the_national_authority_publishes_on_anyone(world: World) -> None:
    assert await world.publisher.publish([(LocalSubject("420000", "id-1"), record("000000"))]) == [None]


async def test_a_replay_a_conflict_and_what_is_superseded_are_told_apart_and_counted(world: World) -> None:
    name, first = LocalSubject("420000", "id-1"), record("420000", revision=5)
    await world.publisher.publish([(name, first)])
    late = [
        first._replace(published_at=NOON + HOUR),  # whatever it says of that
        record("420000", level=Level.GREEN, revision=5),
        record("420000", level=Level.GREEN, revision=4),
        record("999999"),
    ]
    world.now += HOUR
    results = await world.publisher.publish([(name, one) for one in late])
    assert results == [None, Rejection.REVISION_CONFLICT, Rejection.SUPERSEDED, Rejection.UNKNOWN_PUBLISHER]
    kept = (await world.store.statuses([pseudonym(world.pseudonym_key, "420000", "id-1")])).records[0]
    assert kept == (first._replace(published_at=NOON),)
    outcomes = ("taken", "known", "conflict", "superseded", "rejected")
    metric = "onecode_published_records_total"
    who = {"role": "local", "region": ""}
    counts = [world.metrics.registry.get_sample_value(metric, {"outcome": outcome} | who) for outcome in outcomes]
    assert counts == [1, 1, 1, 1, 1]


async def test_the_highest_revision_that_was_ever_possible_silences_no_correction(world: World) -> None:
    name = LocalSubject("420000", "wang")
    far = record("420000", level=Level.GREEN, revision=2**64 - 1)._replace(effective_at=NOON + 10**15)
    assert await world.publisher.publish([(name, far)]) == [Rejection.INVALID_REVISION]
    old = world.store.publish([Publication(pseudonym(world.pseudonym_key, *name), far)], lambda _, new: (new,))
    assert await old == [True]  # by a store from before there were bounds
    assert await world.publisher.publish([(name, record("420000", revision=5))]) == [None]
    assert (await world.verify(world.code("420000", subject="wang"))).reason is Reason.RED


async def test_published_at_is_the_time_of_the_commit_and_never_runs_backwards(world: World) -> None:
    names = [LocalSubject("420000", f"id-{n}") for n in range(3)]
    seen = []
    for now, name in zip((NOON, NOON - HOUR, NOON + 1), names, strict=True):
        world.now = now
        published = record("420000")._replace(published_at=NOON + 9 * HOUR)
        assert await world.publisher.publish([(name, published)]) == [None]
        (stored,) = (await world.store.statuses([pseudonym(world.pseudonym_key, *name)])).records
        assert stored is not UNREADABLE
        seen.append((stored[0].published_at, world.store.clock_behind_us))
    assert seen == [(NOON, 0), (NOON, HOUR), (NOON + 1, 0)]


async def test_a_clock_that_is_ahead_takes_no_red_from_whoever_is_behind(world: World) -> None:
    await world.say("420000", Level.RED, effective_at=NOON - HOUR)
    world.now += 9 * 60 * SECOND
    await world.say("420000", Level.GREEN, effective_at=world.now, revision=2)
    code = world.code("420000", issued_at=NOON - 2 * HOUR)
    assert (await world.verify(code)).level is Level.GREEN
    world.now = NOON
    assert (await world.verify(code)).level is Level.RED
    assert (await world.verify_all([code]))[0].level is Level.RED


async def test_an_announcement_does_not_lift_what_holds_today(world: World) -> None:
    await world.say("420000", Level.RED)
    await world.say("420000", Level.GREEN, effective_at=NOON + HOUR, revision=2)
    code = world.code("420000")
    assert (await world.verify(code)).level is Level.RED
    world.now += HOUR
    assert (await world.verify(code)).level is Level.GREEN


async def test_too_many_waiting_records_are_rejected(world: World) -> None:
    name = LocalSubject("420000", "id-1")
    plan = [record("420000", revision=n)._replace(effective_at=NOON + n * HOUR) for n in range(1, 7)]
    results = await world.publisher.publish([(name, one) for one in plan])
    assert results == [None] * 4 + [Rejection.TOO_MANY_PENDING] * 2


async def test_an_opaque_token_is_renewed_by_its_region(world: World) -> None:
    code = await world.token(expires_at=NOON + HOUR)
    longer = StatusRecord("310000", Scope.NATIONAL, Level.YELLOW, NOON, NOON + 3 * HOUR, 2)
    assert await world.publisher.publish([(Scan(code, ""), longer)]) == [None]
    world.now += 2 * HOUR
    world.monotonic_s += 6
    assert (await world.verify(code)).level is Level.YELLOW


async def test_an_announcement_on_an_opaque_token_ends_nothing_today(world: World) -> None:
    code = await world.token(expires_at=NOON + 3 * HOUR)
    tomorrow = StatusRecord("310000", Scope.NATIONAL, Level.YELLOW, NOON + HOUR, NOON + 9 * HOUR, 2)
    assert await world.publisher.publish([(Scan(code, ""), tomorrow)]) == [None]
    seen = []
    for now in (NOON, NOON + HOUR, NOON + 4 * HOUR, NOON + 10 * HOUR):
        world.now = now
        world.monotonic_s += 6
        seen.append((await world.verify(code)).reason)
    assert seen == [Reason.GREEN, Reason.YELLOW, Reason.YELLOW, Reason.EXPIRED]


async def test_whoever_else_reports_on_the_bearer_of_an_opaque_code_does_not_make_it_genuine(world: World) -> None:
    code = b"SH-0123456789012345678901"
    published = [record("540000", Scope.LOCAL), record("000000")]
    assert await world.publisher.publish([(Scan(code, ""), one) for one in published]) == [None, None]
    assert (await world.verify(code)).reason is Reason.TOKEN_UNKNOWN


async def test_a_record_that_is_known_by_its_pseudonym_makes_the_token_known_that_names_it_later(world: World) -> None:
    code = b"SH-0123456789012345678901"
    resolved = await world.publisher.resolve(Scan(code, ""))
    assert resolved is not None
    first, last = (
        record("310000", level=Level.YELLOW, revision=n)._replace(expires_at=NOON + n * HOUR) for n in (1, 2)
    )
    assert await world.publisher.publish([(resolved.subject, first), (resolved.subject, last)]) == [None, None]
    assert (await world.verify(code)).reason is Reason.TOKEN_UNKNOWN
    for one in (first, last):
        assert await world.publisher.publish([(Scan(code, ""), one)]) == [None]
    world.now += HOUR + SECOND
    world.monotonic_s += 6
    assert (await world.verify(code)).reason is Reason.YELLOW
    known = {"outcome": "known", "role": "local", "region": ""}
    assert world.metrics.registry.get_sample_value("onecode_published_records_total", known) == 2


@pytest.mark.parametrize("token", [b"", b"short", b"x" * 5000, b"x" * 21 + bytes([0xFF]) + b"x"])
async def test_a_token_that_no_check_would_take_is_rejected(world: World, token: bytes) -> None:
    assert (await world.verify(b"SH-" + token)).decision is Decision.REFUSE
    assert await world.publisher.publish([(Scan(b"SH-" + token, ""), record("310000"))]) == [Rejection.INVALID_SUBJECT]
