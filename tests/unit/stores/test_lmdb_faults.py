"""The embedded store when something is wrong with it: StoreUnavailable, within its bound, and nothing else."""

import asyncio
import errno
import gc
import os
import resource
import shutil
import threading
import time
from contextlib import contextmanager

import lmdb
import pytest

from onecode_server.errors import StoreUnavailable
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.stores import lmdb_environment as module
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.protocol import KnownList, Publication, Selection

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
def stuck(executor):
    """A thread of the store that waits for a disk which does not answer."""
    gate, holds = threading.Event(), threading.Event()

    def hold():
        holds.set()
        gate.wait()

    waits = executor.submit(hold)
    holds.wait()  # a call that has not begun would be cancelled where the store is closed
    try:
        yield gate
    finally:
        gate.set()
        waits.result()


async def catch_up(store):
    """Wait until the calls that were given up have ended after all."""
    await asyncio.wrap_future(store._env._reader.submit(lambda: None))


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


@pytest.mark.parametrize("fault", [MemoryError(), RuntimeError("can't start new thread")], ids=repr)
async def test_calls_for_which_there_is_no_thread_or_no_memory_do_not_count_as_waiting_for_ever(
    store, monkeypatch, fault
):
    def fails(*_):
        raise fault

    monkeypatch.setattr(module, "WAITING_MAX", 8)
    await publish(store)
    with monkeypatch.context() as patched:
        patched.setattr(store._env._reader, "submit", fails)
        patched.setattr(store._env._writer, "submit", fails)
        for _ in range(10):
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
    monkeypatch.setattr(module, "READ_TIMEOUT_S", 0.05)
    await publish(store)
    with stuck(store._env._reader):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"did not answer within 0\.05 s"):
            await store.statuses([ANNA])
        assert 0.04 < time.monotonic() - began < 1
    assert (await store.statuses([ANNA])).records == [(RECORD,)]


async def test_a_write_that_takes_too_long_is_given_up_but_reads_go_on(store, monkeypatch):
    monkeypatch.setattr(module, "WRITE_TIMEOUT_S", 0.05)
    with stuck(store._env._writer):
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await publish(store)
        assert (await store.statuses([ANNA])).records == [()]
    monkeypatch.undo()
    assert await publish(store) == [True]


async def test_a_write_that_was_given_up_is_still_whole(store, monkeypatch):
    monkeypatch.setattr(module, "WRITE_TIMEOUT_S", 0.05)
    with stuck(store._env._writer), pytest.raises(StoreUnavailable):
        await publish(store)
    store._env._writer.submit(lambda: None).result()
    assert (await store.statuses([ANNA])).records == [(RECORD,)]


async def test_no_more_than_a_bounded_number_of_calls_waits_and_the_next_is_told_at_once(store, monkeypatch):
    monkeypatch.setattr(module, "WAITING_MAX", 8)
    with stuck(store._env._reader):
        waiting = [asyncio.create_task(store.statuses([ANNA])) for _ in range(8)]
        await asyncio.sleep(0)
        for call in (store.statuses([ANNA]), publish(store)):
            with pytest.raises(StoreUnavailable, match="too many calls wait"):
                await call
    assert await asyncio.gather(*waiting) == [(0, [()])] * 8
    assert await publish(store) == [True]


async def test_calls_that_were_given_up_count_as_waiting_until_they_end(store, monkeypatch):
    monkeypatch.setattr(module, "WAITING_MAX", 2)
    monkeypatch.setattr(module, "READ_TIMEOUT_S", 0.02)
    with stuck(store._env._reader):
        for expected in ("did not answer", "did not answer", "too many calls wait"):
            with pytest.raises(StoreUnavailable, match=expected):
                await store.statuses([ANNA])
    await catch_up(store)
    assert (await store.statuses([ANNA])).records == [()]


async def test_a_failure_for_which_nobody_waits_any_more_is_not_logged_as_lost(store, directory, monkeypatch):
    lost = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context["message"]))
    monkeypatch.setattr(module, "READ_TIMEOUT_S", 0.02)
    with stuck(store._env._reader):
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await store.statuses([ANNA])
        os.rename(directory / "data.mdb", directory / "aside.mdb")
    await catch_up(store)
    gc.collect()
    assert lost == []


async def test_a_caller_that_goes_away_does_not_disturb_the_store(store):
    with stuck(store._env._reader):
        caller = asyncio.create_task(store.statuses([ANNA]))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
    assert (await store.statuses([ANNA])).records == [()]


async def test_a_call_that_still_waits_when_the_store_is_closed_is_told_so(directory):
    store = LmdbStore(directory, lambda: 1000)
    with stuck(store._env._reader) as gate:
        caller = asyncio.create_task(store.statuses([ANNA]))
        await asyncio.sleep(0)
        threading.Timer(0.05, gate.set).start()
        await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await caller


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
    monkeypatch.setattr(module, "MAP_BYTES_MAX", 4 * 2**20)
    store = LmdbStore(directory, lambda: 1000)
    taken = await fill(store)
    assert taken > 1
    assert await first_of(store, taken + 1) == [(RECORD,)] * taken + [()]
    before = await store.changes(0)
    with pytest.raises(StoreUnavailable, match="MAP_FULL"):
        await store.publish(many(taken), lambda _, record: (record,))
    assert await store.changes(0) == before
    await store.close()


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


async def test_the_number_of_commits_rises_with_each_and_asking_never_fails(tmp_path):
    store = LmdbStore(tmp_path / "store", lambda: 1000)
    before = store.commits()
    assert await publish(store) == [True]
    after = store.commits()
    assert store.commits() == after > before
    await store.close()
    assert store.commits() == 0
