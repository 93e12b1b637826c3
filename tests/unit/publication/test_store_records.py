"""Records in a store: one commit, an outcome for each, and a revision that is set back with its audit entry."""

import pytest

from onecode_server.errors import PreconditionFailed, StoreUnavailable
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.publication.store_records import StoreRecords
from onecode_server.rules.publication import Rejection, Replay, RevisionReset
from onecode_server.stores.protocol import Publication, TokenKey

from tests.world import HOUR, NOON, World

ANNA, BELA = b"anna, 16 bytes..", b"bela, 16 bytes.."
RED = StatusRecord("420000", Scope.NATIONAL, Level.RED, NOON, None, 5)


@pytest.fixture
def records(world: World) -> StoreRecords:
    return StoreRecords(world.store, lambda: world.now)


async def test_each_record_has_its_outcome_and_all_are_one_commit(world: World, records: StoreRecords) -> None:
    commits = world.store.commits()
    several = [
        (ANNA, RED, None),
        (ANNA, RED, Replay.KNOWN),
        (ANNA, RED._replace(level=Level.GREEN), Rejection.REVISION_CONFLICT),
        (BELA, RED._replace(revision=2**62), Rejection.INVALID_REVISION),
        (ANNA, RED._replace(revision=4), Rejection.SUPERSEDED),
        (BELA, RED, None),
    ]
    outcomes = await records.write([Publication(subject, record) for subject, record, _ in several])
    assert outcomes == [outcome for *_, outcome in several]
    assert world.store.commits() == commits + 1
    kept = (RED._replace(published_at=NOON),)
    assert (await world.store.statuses([ANNA, BELA])).records == [kept, kept]


async def test_the_token_of_a_known_record_is_stored_and_that_of_a_refused_one_is_not(
    world: World, records: StoreRecords
) -> None:
    known, refused = TokenKey("420000", b"a" * 32), TokenKey("420000", b"b" * 32)
    await records.write([Publication(ANNA, RED)])
    outcomes = await records.write(
        [Publication(ANNA, RED, known), Publication(ANNA, RED._replace(level=Level.GREEN), refused)]
    )
    assert outcomes == [Replay.KNOWN, Rejection.REVISION_CONFLICT]
    first, second = await world.store.tokens([known, refused])
    assert first is not None
    assert second is None


async def test_the_clock_is_read_after_the_wait_for_the_store(world: World, records: StoreRecords) -> None:
    """Four records wait already; the fifth is taken, since the first has taken effect by the time of its turn."""
    plan = [Publication(ANNA, RED._replace(revision=n, effective_at=NOON + n * HOUR)) for n in range(1, 6)]
    assert await records.write(plan) == [None] * 4 + [Rejection.TOO_MANY_PENDING]
    writes = world.store._env.write

    async def waits_an_hour(*work, **how):
        world.now += HOUR
        return await writes(*work, **how)

    world.store._env.write = waits_an_hour  # type: ignore[method-assign]
    assert await records.write(plan[4:]) == [None]


async def test_a_revision_is_set_back_with_its_audit_entry(world: World, records: StoreRecords) -> None:
    await records.write([Publication(ANNA, RED)])
    (*_, last) = await world.store.audit(0)
    assert await records.reset_revision(RevisionReset(ANNA, "420000", Scope.NATIONAL, 1)) == 5
    assert [record.revision for record in await world.store.records(ANNA)] == [1]
    (entry,) = await world.store.audit(last.number)
    details = {"publisher": "420000", "scope": "NATIONAL", "from": 5, "to": 1}
    assert (entry.event, entry.subject, entry.details) == ("revision reset", ANNA.hex(), details)


@pytest.mark.parametrize(("subject", "to", "reason"), [(BELA, 1, "NO_RECORD"), (ANNA, 5, "NOT_BACK")])
async def test_a_revision_that_cannot_be_set_back_changes_nothing(
    world: World, records: StoreRecords, subject: bytes, to: int, reason: str
) -> None:
    await records.write([Publication(ANNA, RED)])
    before = await world.store.audit(0), world.store.commits()
    with pytest.raises(PreconditionFailed) as refused:
        await records.reset_revision(RevisionReset(subject, "420000", Scope.NATIONAL, to))
    assert refused.value.reason == reason
    assert (await world.store.audit(0), world.store.commits()) == before


async def test_a_store_that_does_not_answer_is_an_unavailable_store(world: World, records: StoreRecords) -> None:
    await world.store.close()
    with pytest.raises(StoreUnavailable):
        await records.write([Publication(ANNA, RED)])
    with pytest.raises(StoreUnavailable):
        await records.reset_revision(RevisionReset(ANNA, "420000", Scope.NATIONAL, 1))
