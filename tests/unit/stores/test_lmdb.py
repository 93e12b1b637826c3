"""The embedded store: what was written is what is read, in one commit, and still there tomorrow."""

import stat

import pytest

from onecode_server.errors import StoreUnavailable
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.status import Level, Scope, StatusRecord, Token
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.protocol import UNREADABLE, KnownList, Publication, RecordsChange, Selection, TokenKey

from tests.world import filed

ANNA, BELA, CARA = (bytes([number]) * 16 for number in (1, 2, 3))
RECORD = StatusRecord("420000", Scope.NATIONAL, Level.GREEN, 100, 200, 1, 1000)
TOKEN = TokenKey("310000", b"d" * 32)
REPORT = RecognitionException("x-1", "110000", "420000", "理由", 100, 200, reported_at=50)


def append(known, record):
    """A merge that keeps everything, but takes no revision twice."""
    return None if any(r.revision == record.revision for r in known) else (*known, record)


def list_of(version, name=b"a"):
    return KnownList(version, name * 32, b"file " + name)


async def test_an_empty_store_knows_nothing(store):
    assert (await store.statuses([ANNA, BELA])).records == [(), ()]
    assert await store.tokens([TOKEN]) == [None]
    assert await store.exceptions(Selection(), None, 10) == await store.acknowledged_exceptions() == []
    assert await store.known_list() is None
    assert (await store.statuses([])).records == []
    assert await store.publish([], append) == []


async def test_statuses_are_returned_in_the_order_in_which_they_were_asked_for(store):
    second = RECORD._replace(revision=2)
    await store.publish([Publication(ANNA, RECORD), Publication(CARA, second)], append)
    assert (await store.statuses([CARA, BELA, ANNA, CARA])).records == [(second,), (), (RECORD,), (second,)]


async def test_a_record_joins_the_ones_before_it_and_those_of_the_same_commit(store):
    revisions = [RECORD._replace(revision=revision) for revision in (1, 2, 3)]
    assert await store.publish([Publication(ANNA, revisions[0])], append) == [True]
    taken = await store.publish([Publication(ANNA, record) for record in (*revisions[1:], revisions[1])], append)
    assert taken == [True, True, False]
    assert (await store.statuses([ANNA])).records == [tuple(revisions)]


async def test_what_the_merge_leaves_out_is_gone_and_what_it_refuses_changes_nothing(store):
    await store.publish([Publication(ANNA, RECORD)], append)
    worse = RECORD._replace(level=Level.RED, revision=2)
    assert await store.publish([Publication(ANNA, worse)], lambda _, record: (record,)) == [True]
    assert await store.publish([Publication(ANNA, RECORD)], lambda *_: None) == [False]
    assert (await store.statuses([ANNA])).records == [(worse,)]


async def test_a_commit_is_whole_or_not_at_all(store):
    def fails_at_the_second(known, record):
        if record.revision == 2:
            raise ZeroDivisionError
        return (*known, record)

    both = [Publication(ANNA, RECORD, TOKEN), Publication(BELA, RECORD._replace(revision=2))]
    with pytest.raises(ZeroDivisionError):
        await store.publish(both, fails_at_the_second)
    assert (await store.statuses([ANNA, BELA])).records == [(), ()]
    assert await store.tokens([TOKEN]) == [None]
    assert await store.publish([Publication(ANNA, RECORD)], append) == [True]


@pytest.mark.parametrize("expires_at", [200, None])
async def test_a_token_has_the_window_of_the_record_that_published_it(store, expires_at):
    await store.publish([Publication(ANNA, RECORD._replace(expires_at=expires_at), TOKEN)], append)
    elsewhere = TOKEN._replace(region="320000")
    assert await store.tokens([elsewhere, TOKEN]) == [None, Token(ANNA, 100, expires_at)]


async def test_the_store_says_when_a_record_was_published_and_keeps_what_it_said(directory):
    times = [1000, 1000, 500, 2000]
    store = LmdbStore(directory, lambda: times[0], skew_us=400)
    await store.publish([Publication(ANNA, RECORD._replace(published_at=7))], append)
    assert await store.publish([Publication(ANNA, RECORD)], append) == [False]
    times.pop(0)
    times.pop(0)
    await store.publish([Publication(ANNA, RECORD._replace(revision=2))], append)
    assert store.clock_behind_us == 500
    await store.close()
    store = LmdbStore(directory, lambda: 601, skew_us=400)  # another process, whose clock is behind by less
    await store.publish([Publication(ANNA, RECORD._replace(revision=3))], append)
    assert store.clock_behind_us == 0
    await store.close()
    store = LmdbStore(directory, lambda: 2000)
    await store.publish([Publication(ANNA, RECORD._replace(revision=4))], append)
    (records,) = (await store.statuses([ANNA])).records
    assert records is not UNREADABLE
    assert [record.published_at for record in records] == [1000, 1000, 1000, 2000]
    await store.close()


async def test_what_is_amended_is_told_and_audited_and_what_fails_changes_nothing(store):
    await store.publish([Publication(ANNA, RECORD)], append)
    position = (await store.changes(0)).position

    def change(known):
        return RecordsChange((known[0]._replace(revision=9),), "done", {"why": 1})

    assert await store.amend(ANNA, change) == (RECORD._replace(revision=9),)
    assert (await store.statuses([ANNA])).records == [(RECORD._replace(revision=9),)]
    assert (await store.changes(position)).subjects == [ANNA]
    (entry,) = await store.audit(0)
    assert (entry.event, entry.subject, entry.details) == ("done", ANNA.hex(), {"why": 1})
    with pytest.raises(IndexError):
        await store.amend(BELA, change)
    assert len(await store.audit(0)) == 1


async def test_a_token_whose_record_was_not_taken_is_not_known(store):
    await store.publish([Publication(ANNA, RECORD, TOKEN)], lambda *_: None)
    assert await store.tokens([TOKEN]) == [None]


async def test_an_exception_takes_the_place_of_the_one_with_its_id(store):
    other = REPORT._replace(id="x-2", home="440000")
    acknowledged = REPORT._replace(acknowledged_at=60)
    for exception in (REPORT, other, acknowledged):
        await store.change_exceptions(filed(exception))
    assert await store.exceptions(Selection(), None, 10) == [other, acknowledged]
    assert await store.acknowledged_exceptions() == [acknowledged]


async def test_the_first_list_is_kept_and_every_higher_one(store):
    for version in (3, 4, 2**64 - 1):
        assert await store.remember_list(list_of(version), 0) == list_of(version)
        assert await store.known_list() == list_of(version)


@pytest.mark.parametrize("version", [0, 4, 5])
async def test_an_older_list_or_another_of_the_same_version_is_not_kept_and_the_kept_one_is_returned(store, version):
    await store.remember_list(list_of(5), 0)
    assert await store.remember_list(list_of(version, b"b"), 0) == list_of(5)
    assert await store.known_list() == list_of(5)


async def test_everything_is_still_there_when_the_store_is_opened_again(directory):
    store = LmdbStore(directory, lambda: 1000)
    await store.publish([Publication(ANNA, RECORD, TOKEN)], append)
    await store.change_exceptions(filed(REPORT))
    await store.remember_list(list_of(5), 0)
    await store.close()
    store = LmdbStore(directory, lambda: 1000)
    assert (await store.statuses([ANNA])).records == [(RECORD,)]
    assert await store.tokens([TOKEN]) == [Token(ANNA, 100, 200)]
    assert await store.exceptions(Selection(), None, 10) == [REPORT]
    assert await store.known_list() == list_of(5)
    await store.close()


async def test_a_store_is_its_owners_alone(store, directory):
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}


async def test_a_closed_store_answers_nothing_and_can_be_closed_again(directory):
    store = LmdbStore(directory, lambda: 1000)
    await store.close()
    await store.close()
    for call in (store.statuses([ANNA]), store.publish([], append), store.remember_list(list_of(1), 0)):
        with pytest.raises(StoreUnavailable):
            await call
