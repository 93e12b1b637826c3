"""The embedded store when something is wrong with it: StoreUnavailable, within its bound, and nothing else."""

import asyncio
import errno
import gc
import os
import resource
import shutil
import threading
from contextlib import contextmanager

import lmdb
import pytest

from onecode_server.errors import StoreBusy, StoreUnavailable
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.stores import lmdb_environment as module
from onecode_server.stores import lmdb_map
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.protocol import KnownList, Publication, Selection
from onecode_server.stores.write_state import fault_name

ANNA = b"a" * 16
RECORD = StatusRecord("420000", Scope.NATIONAL, Level.GREEN, 100, 200, 1, 1000)


async def publish(store):
    return await store.publish([Publication(ANNA, RECORD)], lambda _, record: (record,))


async def assert_unavailable(store):
    calls = [
        store.statuses([ANNA]),
        store.tokens([]),
        store.acknowledged_exceptions(),
        store.exceptions(Selection(), None, 1),
        store.known_list(),
        store.remember_list(KnownList(1, bytes(32), b""), 0),
        publish(store),
    ]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * len(calls)


@contextmanager
def stuck(lane):
    """A thread of the store that waits for a disk which does not answer, from its next call on."""
    gate, perform = threading.Event(), lane._perform

    def hold(works):
        gate.wait()
        return perform(works)

    lane._perform = hold
    try:
        yield gate
    finally:
        gate.set()
        lane._perform = perform


async def begun(lane):
    """Wait until the thread has taken what waits."""
    while lane._waiting.weight:  # noqa: ASYNC110 - a thread tells no event
        await asyncio.sleep(0.001)


async def test_a_store_whose_file_was_moved_away_is_unavailable_until_it_is_moved_back(store, directory):
    await publish(store)
    os.rename(directory / "data.mdb", directory / "aside.mdb")
    await assert_unavailable(store)
    os.rename(directory / "aside.mdb", directory / "data.mdb")
    assert (await store.statuses([ANNA])).records == [(RECORD,)]
    assert await publish(store) == [True]


async def test_a_store_whose_directory_was_moved_away_is_unavailable_until_it_is_moved_back(store, directory):
    await publish(store)
    directory.rename(directory.with_name("aside"))
    await assert_unavailable(store)
    directory.with_name("aside").rename(directory)
    assert (await store.statuses([ANNA])).records == [(RECORD,)]


async def test_a_store_whose_file_was_replaced_is_unavailable_even_if_the_other_holds_the_same(store, directory):
    await publish(store)
    shutil.copy(directory / "data.mdb", directory / "copy.mdb")
    os.rename(directory / "data.mdb", directory / "aside.mdb")
    os.rename(directory / "copy.mdb", directory / "data.mdb")
    await assert_unavailable(store)
    os.rename(directory / "aside.mdb", directory / "data.mdb")
    assert (await store.statuses([ANNA])).records == [(RECORD,)]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO, errno.ESTALE], ids=errno.errorcode.get)
async def test_a_store_that_cannot_be_looked_at_for_a_moment_is_unavailable_for_that_moment(store, monkeypatch, number):
    def fails(_):
        raise OSError(number, os.strerror(number))

    await publish(store)
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", fails)
        await assert_unavailable(store)
    assert (await store.statuses([ANNA])).records == [(RECORD,)]
    assert await publish(store) == [True]


async def test_the_threads_of_a_store_run_before_its_first_call(directory, monkeypatch):
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    with pytest.raises(StoreUnavailable, match="can't start new thread"):
        LmdbStore(directory)
    monkeypatch.undo()
    store = LmdbStore(directory, lambda: 1000)
    monkeypatch.setattr(threading.Thread, "start", no_thread)
    assert await publish(store) == [True]
    assert (await store.statuses([ANNA])).records == [(RECORD,)]
    await store.close()


def no_thread(_):
    raise RuntimeError("can't start new thread")


async def test_a_store_of_another_layout_is_refused_and_left_as_it_is(directory):
    await LmdbStore(directory, lambda: 1000).close()
    with lmdb.open(str(directory), max_dbs=4) as env, env.begin(db=env.open_db(b"meta"), write=True) as txn:
        txn.put(b"schema", b"0")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="another layout"):
            LmdbStore(directory, lambda: 1000)


def test_a_file_that_is_no_store_is_refused(directory):
    directory.mkdir()
    (directory / "data.mdb").write_bytes(b"something else entirely" * 1000)
    with pytest.raises(StoreUnavailable, match="cannot open the store"):
        LmdbStore(directory, lambda: 1000)


def test_a_place_where_no_directory_can_be_made_is_refused(directory):
    directory.write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="cannot open the store"):
        LmdbStore(directory, lambda: 1000)


async def test_one_process_does_not_open_a_store_twice(store, directory):
    with pytest.raises(StoreUnavailable, match="already open"):
        LmdbStore(directory, lambda: 1000)
    assert await publish(store) == [True]


async def test_a_read_that_takes_too_long_is_given_up_within_its_bound_and_later_ones_are_answered(store, monkeypatch):
    await publish(store)
    with monkeypatch.context() as patched, stuck(store._env._checks):
        patched.setattr(module, "READ_TIMEOUT_S", 0.05)
        with pytest.raises(StoreUnavailable, match=r"did not answer within 0\.05 s"):
            await store.statuses([ANNA])
    assert (await store.statuses([ANNA])).records == [(RECORD,)]


async def test_a_write_that_takes_too_long_is_given_up_but_reads_go_on(store, monkeypatch):
    with monkeypatch.context() as patched, stuck(store._env._changes):
        patched.setattr(module, "WRITE_TIMEOUT_S", 0.05)
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await publish(store)
        assert (await store.statuses([ANNA])).records == [()]
    assert await publish(store) == [True]


async def test_reads_for_people_that_take_too_long_do_not_hold_up_those_of_checks(store):
    await publish(store)
    with stuck(store._env._reads):
        lists = [asyncio.create_task(store.audit(0)) for _ in range(5)]
        await asyncio.sleep(0)
        assert (await store.statuses([ANNA])).records == [(RECORD,)]
        assert await store.tokens([]) == []
    assert await asyncio.gather(*lists) == [[]] * 5


async def test_a_write_that_had_begun_when_it_was_given_up_is_still_whole_and_one_that_waited_is_never_done(store):
    other = Publication(b"b" * 16, RECORD)
    with stuck(store._env._changes):
        begins = asyncio.create_task(publish(store))
        await asyncio.sleep(0)
        await begun(store._env._changes)
        waits = asyncio.create_task(store.publish([other], lambda _, record: (record,)))
        await asyncio.sleep(0)
        for call in (begins, waits):
            call.cancel()
        await asyncio.gather(begins, waits, return_exceptions=True)
    await store._env.write(lambda _: None)
    assert (await store.statuses([ANNA, other.subject])).records == [(RECORD,), ()]


async def test_no_more_than_a_bounded_number_of_calls_waits_and_the_next_is_told_at_once(store, monkeypatch):
    lane = store._env._reads
    monkeypatch.setattr(lane._waiting, "_weight_max", 8)
    with stuck(lane):
        waiting = [asyncio.create_task(store.audit(0))]
        await asyncio.sleep(0)
        await begun(lane)
        waiting += [asyncio.create_task(store.audit(0)) for _ in range(8)]
        await asyncio.sleep(0)
        with pytest.raises(StoreBusy, match="too many calls wait") as busy:
            await store.audit(0)
        assert busy.value.retry_after_s == 1
        assert (await store.statuses([ANNA])).records == [()]
        assert await publish(store) == [True]
    assert await asyncio.gather(*waiting) == [[]] * 9


async def test_calls_that_were_given_up_count_as_waiting_until_the_thread_is_past_them(store, monkeypatch):
    lane = store._env._checks
    monkeypatch.setattr(lane._waiting, "_weight_max", 1)
    monkeypatch.setattr(module, "READ_TIMEOUT_S", 0.02)
    with stuck(lane):
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await store.statuses([ANNA])
        await begun(lane)  # the thread may take that call later than it is given up
        for expected in ("did not answer", "too many calls wait"):
            with pytest.raises(StoreUnavailable, match=expected):
                await store.statuses([ANNA])
    monkeypatch.undo()
    await begun(lane)
    assert (await store.statuses([ANNA])).records == [()]


async def test_a_failure_for_which_nobody_waits_any_more_is_not_logged_as_lost(store, directory, monkeypatch):
    lost = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context["message"]))
    with monkeypatch.context() as patched, stuck(store._env._checks):
        patched.setattr(module, "READ_TIMEOUT_S", 0.02)
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await store.statuses([ANNA])
        os.rename(directory / "data.mdb", directory / "aside.mdb")
    with pytest.raises(StoreUnavailable, match="gone"):
        await store.statuses([ANNA])
    gc.collect()
    assert lost == []


async def test_a_caller_that_goes_away_does_not_disturb_the_store(store):
    with stuck(store._env._checks):
        caller = asyncio.create_task(store.statuses([ANNA]))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
    assert (await store.statuses([ANNA])).records == [()]


async def test_a_call_that_still_waits_when_the_store_is_closed_is_told_so(directory):
    store = LmdbStore(directory, lambda: 1000)
    with stuck(store._env._checks) as gate:
        runs = asyncio.create_task(store.statuses([ANNA]))
        await asyncio.sleep(0)
        await begun(store._env._checks)
        waits = asyncio.create_task(store.statuses([ANNA]))
        await asyncio.sleep(0)
        threading.Timer(0.05, gate.set).start()
        await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await waits
    assert (await runs).records == [()]
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.statuses([ANNA])


async def test_writes_that_wait_together_are_one_commit_and_what_one_of_them_raises_undoes_that_one_alone(store):
    subjects = [bytes([number]) * 16 for number in range(40)]

    def refuse(*_):
        raise ValueError("a bug in a merge")

    merges = [refuse if number % 10 == 3 else lambda _, record: (record,) for number in range(40)]
    with stuck(store._env._changes):
        calls = [asyncio.create_task(publish(store))]
        await asyncio.sleep(0)
        await begun(store._env._changes)
        before = store.commits()
        together = zip(subjects, merges, strict=True)
        calls += [asyncio.create_task(store.publish([Publication(one, RECORD)], merge)) for one, merge in together]
        await asyncio.sleep(0)
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers[1:]] == [ValueError if n % 10 == 3 else list for n in range(40)]
    assert store.commits() == before + 2  # the one that ran, and one for all that waited
    found = (await store.statuses(subjects)).records
    assert found == [() if number % 10 == 3 else (RECORD,) for number in range(40)]
    changes = await store.changes(1)
    assert changes.subjects == [one for number, one in enumerate(subjects) if number % 10 != 3]


async def test_one_publishers_flood_is_turned_away_for_the_sake_of_another_one(store, monkeypatch):
    lane = store._env._changes
    monkeypatch.setattr(lane._waiting, "_weight_max", 10)
    other = RECORD._replace(publisher="440000")

    def one(record, number):
        return asyncio.create_task(store.publish([Publication(bytes([number]) * 16, record)], lambda _, r: (r,)))

    with stuck(lane):
        calls = [one(RECORD, 0)]
        await asyncio.sleep(0)
        await begun(lane)
        calls += [one(RECORD, number) for number in range(1, 15)]
        calls += [one(other, number) for number in range(20, 23)]
        await asyncio.sleep(0)
    answers = await asyncio.gather(*calls, return_exceptions=True)
    taken = [answer == [True] for answer in answers]
    assert taken[15:] == [True] * 3
    assert taken[:8] == [True] * 8
    assert [type(answer) for answer in answers[8:15]] == [StoreBusy] * 7


def many(number):
    return [Publication(bytes([number, n // 256, n % 256]) + bytes(13), RECORD) for n in range(2000)]


async def fill(store):
    """Publish until the store can take no more; return how many chunks it took."""
    for number in range(200):
        try:
            await store.publish(many(number), lambda _, record: (record,))
        except StoreUnavailable:
            return number
    raise AssertionError("the store took everything")


async def first_of(store, chunks):
    return (await store.statuses([many(number)[0].subject for number in range(chunks)])).records


async def test_a_store_that_has_reached_its_size_takes_nothing_more_and_is_read_as_before(directory, monkeypatch):
    monkeypatch.setattr(lmdb_map, "MAP_BYTES_MAX", 4 * 2**20)
    store = LmdbStore(directory, lambda: 1000)
    taken = await fill(store)
    assert taken > 1
    assert await first_of(store, taken + 1) == [(RECORD,)] * taken + [()]
    before = await store.changes(0)
    with pytest.raises(StoreUnavailable, match="MAP_FULL"):
        await store.publish(many(taken), lambda _, record: (record,))
    assert await store.changes(0) == before
    assert (store.write_fault or "").startswith("MDB_MAP_FULL: ")
    with pytest.raises(StoreUnavailable, match="MAP_FULL"):
        await store.probe()
    assert (store.write_fault or "").startswith("MDB_MAP_FULL: ")
    await store.close()


async def test_a_write_that_takes_too_long_is_a_fault_until_a_probe_succeeds(store, monkeypatch, caplog):
    caplog.set_level("INFO")
    with monkeypatch.context() as patched, stuck(store._env._changes):
        patched.setattr(module, "WRITE_TIMEOUT_S", 0.05)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="did not answer"):
                await publish(store)
        assert store.write_fault.startswith("ETIMEDOUT: ")
    await publish(store)
    await store.probe()
    assert store.write_fault is None
    assert [record.getMessage() for record in caplog.records if "written" in record.getMessage()] == [
        "the store cannot be written: the store did not answer within 0.05 s",
        "the store can be written again",
    ]


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (OSError(errno.EDQUOT, "text"), "EDQUOT"),
        (lmdb.Error("mdb_txn_commit: No space left on device"), "ENOSPC"),
        (lmdb.Error("mdb_txn_commit: Input/output error"), "EIO"),
        (lmdb.MapFullError("mdb_put: MDB_MAP_FULL: Environment mapsize limit reached"), "MDB_MAP_FULL"),
        (TimeoutError("late"), "ETIMEDOUT"),
        (MemoryError(), "ENOMEM"),
        (StoreUnavailable("the store's file is gone"), "ESTALE"),
    ],
    ids=str,
)
def test_a_fault_is_called_by_its_name(fault, name):
    assert fault_name(fault) == name


async def test_on_a_full_disk_nothing_is_half_written_and_once_there_is_room_it_goes_on(store, directory):
    await publish(store)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 2**20, hard))  # what the kernel says then is what a full disk says
    try:
        taken = await fill(store)
        assert await first_of(store, taken + 1) == [(RECORD,)] * taken + [()]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await store.publish(many(taken), lambda _, record: (record,))
    assert await first_of(store, taken + 1) == [(RECORD,)] * (taken + 1)
    await store.close()
    again = LmdbStore(directory, lambda: 1000)
    assert await first_of(again, taken + 1) == [(RECORD,)] * (taken + 1)
    await again.close()


async def test_a_commit_is_counted_once_readers_see_it_and_not_when_its_last_page_is_written(tmp_path):
    # LMDB writes one of two meta pages last, and readers take the commit only after that write is on disk. Who counted
    # it before, and read the change feed at once, would not find it there and would not look again.
    store = LmdbStore(tmp_path / "store", lambda: 1000)
    assert await publish(store) == [True]
    seen, file = store.commits(), tmp_path / "store" / "data.mdb"
    size, number_at = os.sysconf("SC_PAGE_SIZE"), 144
    newest = bytearray(file.read_bytes()[seen % 2 * size :][:size])
    assert int.from_bytes(newest[number_at : number_at + 8], "little") == seen
    newest[number_at : number_at + 8] = (seen + 1).to_bytes(8, "little")
    with file.open("r+b") as pages:
        pages.seek((seen + 1) % 2 * size)
        pages.write(newest)
    assert store._env._files.env.info()["last_txnid"] == seen + 1
    assert store.commits() == seen
    assert await publish(store) == [True]
    assert store.commits() == seen + 1
    await store.close()


async def test_the_number_of_commits_rises_with_each_and_asking_never_fails(tmp_path):
    store = LmdbStore(tmp_path / "store", lambda: 1000)
    before = store.commits()
    assert await publish(store) == [True]
    after = store.commits()
    assert store.commits() == after > before
    await store.close()
    assert store.commits() == 0
