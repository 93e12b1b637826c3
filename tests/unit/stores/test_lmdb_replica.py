"""The store of a machine whose changes come from a log: what it applies and how far are one commit, or nothing."""

import pytest

from onecode_server.errors import StoreUnavailable
from onecode_server.model.partition_state import INITIAL, PartitionState
from onecode_server.model.status import Level, Scope, StatusRecord, Token
from onecode_server.stores import layout, lmdb_check, lmdb_replica, replica_transaction
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.protocol import KnownList, Publication, TokenKey
from onecode_server.stores.replica_layout import AppliedMarks, Membership

ANNA, BELA = (bytes([number]) * 16 for number in (1, 2))
RECORD = StatusRecord("420000", Scope.NATIONAL, Level.GREEN, 100, 200, 1, 1000)
PACKED = layout.pack_records((RECORD,))
TOKEN = TokenKey("310000", b"d" * 32)
REACHED = PartitionState(7, 3, 1000, b"x" * 32)
MEMBERSHIP = Membership(b"c" * 32, b"m" * 16, {"onecode.status": "id-1", "onecode.decisions": "id-2"})


@pytest.fixture
async def replica(tmp_path):
    store = LmdbReplica(tmp_path / "store")
    yield store
    await store.close()


async def test_what_is_applied_is_read_with_its_change_and_its_place(replica):
    def work(state):
        state.put_records(BELA, PACKED, 2000)
        state.put_records(ANNA, PACKED, 1000)
        state.put_token(TOKEN, Token(ANNA, 100, 200))
        state.set_partition(0, REACHED)
        return state.records(ANNA), state.has_token(TOKEN), state.partition(0), state.partition(1)

    assert replica.apply(work) == (PACKED, True, REACHED, INITIAL)
    assert (await replica.statuses([ANNA, BELA])).records == [(RECORD,), (RECORD,)]
    changes = await replica.changes(0)
    assert (changes.subjects, changes.newest_at) == ([BELA, ANNA], 1000)
    assert replica.partitions()[0] == REACHED


async def test_a_step_that_fails_leaves_neither_records_nor_its_place(replica):
    def work(state):
        state.put_records(ANNA, PACKED, 1000)
        state.set_partition(0, REACHED)
        state.finish()
        raise StoreUnavailable("in the middle")

    with pytest.raises(StoreUnavailable, match="in the middle"):
        replica.apply(work)
    assert (await replica.statuses([ANNA])).records == [()]
    assert replica.partitions()[0] == INITIAL


async def test_an_outcome_is_found_by_its_id_until_it_is_forgotten_by_the_logs_time(replica):
    first, second, other = (bytes([number]) * 16 for number in (1, 2, 3))

    def work(state):
        for identifier, partition, time in ((first, 4, 10), (second, 4, 20), (other, 5, 10)):
            state.put_outcome(identifier, partition, time, b"out" + identifier)
        return state.outcome(first)

    assert replica.apply(work) == b"out" + first
    replica.apply(lambda state: state.forget_outcomes(4, 20))
    assert await replica.outcomes([first, second, other]) == [None, b"out" + second, b"out" + other]


async def test_no_message_forgets_more_than_its_bound(replica, monkeypatch):
    monkeypatch.setattr(replica_transaction, "FORGOTTEN_MAX", 2)
    ids = [bytes([number]) * 16 for number in range(3)]
    replica.apply(lambda state: [state.put_outcome(one, 0, 1, b"o") for one in ids])
    replica.apply(lambda state: state.forget_outcomes(0, 2))
    assert [one is None for one in await replica.outcomes(ids)] == [True, True, False]


async def test_the_newest_checkpoints_of_each_partition_are_kept(replica, tmp_path, monkeypatch):
    monkeypatch.setattr(lmdb_replica, "CHECKPOINTS_MAX", 2)
    replica.apply(lambda state: state.put_checkpoint(9, 1, b"other" * 4))
    for offset in (1, 2, 2, 3):
        replica.apply(lambda state, offset=offset: state.put_checkpoint(8, offset, bytes([offset]) * 32))
    await replica.close()
    reopened = LmdbReplica(tmp_path / "store")
    try:
        reopened.apply(lambda state: state.put_checkpoint(8, 4, b"4" * 32))
        found = reopened.apply(lambda state: [state.checkpoint(8, offset) for offset in (1, 2, 3, 4)])
        assert found == [None, None, b"\3" * 32, b"4" * 32]
        assert reopened.apply(lambda state: state.checkpoint(9, 1)) == b"other" * 4
    finally:
        await reopened.close()


async def test_a_trust_list_and_an_audit_entry_move_the_head(replica):
    def work(state):
        heads = [state.audit_head()]
        state.put_list(KnownList(3, b"d" * 32, b"file"), 5)
        heads.append(state.audit_head())
        state.record(6, "something", "000000", {"why": "because"})
        return [*heads, state.audit_head()]

    heads = replica.apply(work)
    assert heads[0] == bytes(32)
    assert len(set(heads)) == 3
    assert (await replica.known_list()).version == 3
    assert [entry.event for entry in await replica.audit(0)] == ["trust list taken", "something"]


async def test_rules_and_own_marks_are_kept(replica):
    marks = AppliedMarks(b"b" * 16, tuple(range(13)))
    assert replica.apply(lambda state: (state.rules(), state.own_marks())) == (1, None)
    replica.apply(lambda state: (state.set_rules(2), state.put_own_marks(marks)))
    assert replica.apply(lambda state: state.rules()) == 2
    assert replica.own_marks() == marks


async def test_a_store_that_belongs_to_a_log_is_written_by_nobody_but_the_log(replica, tmp_path):
    replica.join(MEMBERSHIP)
    replica.join(MEMBERSHIP)
    with pytest.raises(StoreUnavailable, match="belongs to a log"):
        await replica.remember_list(KnownList(1, b"d" * 32, b"f"), 1)
    await replica.close()
    embedded = LmdbStore(tmp_path / "store")
    try:
        assert embedded.membership == MEMBERSHIP
        with pytest.raises(StoreUnavailable, match="belongs to a log"):
            await embedded.publish([Publication(ANNA, RECORD)], lambda *_: (RECORD,))
    finally:
        await embedded.close()


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (MEMBERSHIP._replace(cluster=b"x" * 32), "another cluster"),
        (MEMBERSHIP._replace(machine=b"x" * 16), "another machine"),
        (MEMBERSHIP._replace(topics={"onecode.status": "id-3", "onecode.decisions": "id-2"}), "made anew"),
    ],
)
async def test_a_store_joins_no_second_log(replica, other, said):
    replica.join(MEMBERSHIP)
    with pytest.raises(StoreUnavailable, match=said):
        replica.join(other)


async def test_a_store_with_changes_of_its_own_joins_no_log(tmp_path):
    embedded = LmdbStore(tmp_path / "store")
    await embedded.publish([Publication(ANNA, RECORD)], lambda *_: (RECORD,))
    await embedded.close()
    replica = LmdbReplica(tmp_path / "store")
    try:
        with pytest.raises(StoreUnavailable, match="changes of its own"):
            replica.join(MEMBERSHIP)
    finally:
        await replica.close()


async def test_a_check_reads_all_tables_of_a_replica(replica, tmp_path):
    def work(state):
        state.put_records(ANNA, PACKED, 1000)
        state.set_partition(12, REACHED)
        state.put_outcome(b"i" * 16, 0, 1, b"o")
        state.put_checkpoint(0, 1, b"d" * 32)
        state.put_own_marks(AppliedMarks(b"b" * 16, (1,) * 13))

    replica.join(MEMBERSHIP)
    replica.apply(work)
    await replica.close()
    assert [found for _, _, findings in lmdb_check.check(tmp_path / "store") for found in findings] == []
