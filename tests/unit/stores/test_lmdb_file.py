"""A store's files are looked at before LMDB maps them: what is cut or has no room is refused, and not mapped."""

import os
import random
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import lmdb
import pytest

from onecode_server.errors import StoreUnavailable
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.stores import lmdb_file
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.lmdb_file import OpenedFile, allocate_lock, expect_whole
from onecode_server.stores.protocol import Publication

CHANCE = random.Random(11)
RECORD = StatusRecord("420000", Scope.NATIONAL, Level.GREEN, 100, 200, 1, 1000)
PAGE = 4096


async def filled(directory: Path, subjects: int = 2000) -> Path:
    """Make a store of some hundred kilobytes; return its file."""
    store = LmdbStore(directory, lambda: 1000)
    items = [Publication(CHANCE.randbytes(16), RECORD) for _ in range(subjects)]
    await store.publish(items, lambda _, record: (record,))
    await store.close()
    return directory / "data.mdb"


async def test_a_file_that_was_cut_is_refused_before_it_is_mapped(directory: Path) -> None:
    whole = await filled(directory)
    size = whole.stat().st_size
    for length in (size - PAGE, size - 1, size // 2, 3 * PAGE, 2 * PAGE):
        os.truncate(whole, length)
        with pytest.raises(StoreUnavailable, match=rf"was cut: it has {length} bytes of {size}.*[Rr]estore a backup"):
            LmdbStore(directory)
    for length in (2 * PAGE - 1, PAGE, 100):  # not even the metas are there, which LMDB reads itself
        os.truncate(whole, length)
        with pytest.raises(StoreUnavailable):
            LmdbStore(directory)


async def test_a_file_without_bytes_is_no_new_store(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_file, "_EMPTY_S", 0.0)
    whole = await filled(directory)
    os.truncate(whole, 0)
    with pytest.raises(StoreUnavailable, match="has no bytes"):
        LmdbStore(directory)
    assert whole.stat().st_size == 0


async def test_a_file_that_another_process_makes_just_now_is_waited_for(directory: Path) -> None:
    made = await filled(directory)
    late = directory / "late.mdb"
    late.touch()
    threading.Timer(0.1, lambda: late.write_bytes(made.read_bytes())).start()
    expect_whole(late)


READER = """
import lmdb, sys
for path in sys.argv[1:]:
    with lmdb.open(path, subdir=False, readonly=True, lock=False) as env, env.begin() as txn:
        print(sum(len(value) for _, value in txn.cursor()))
"""


def test_what_is_cut_off_is_missed_unless_all_of_it_is_free(tmp_path: Path) -> None:
    """LMDB's own word for it: whatever is not refused is read whole, by a process that lives."""
    with lmdb.open(str(tmp_path), map_size=2**30) as env:
        for _ in range(60):
            with env.begin(write=True) as txn:
                for _ in range(40):
                    txn.put(CHANCE.randbytes(8), bytes(CHANCE.choice((10, 3000, 9000))))
        with env.begin(write=True) as txn:
            cursor = txn.cursor()
            while cursor.last():  # what lies last is free now, by a list that is longer than a page
                cursor.delete()
        for _ in range(5):  # what stays moves to the first pages that are free
            with env.begin(write=True) as txn:
                txn.put(b"stays", bytes(20_000))
    file = tmp_path / "data.mdb"
    expect_whole(file)
    kept = []
    for length in range(2 * PAGE, file.stat().st_size, 20 * PAGE):
        copy = tmp_path / f"cut-{length}"
        shutil.copy(file, copy)
        os.truncate(copy, length)
        try:
            expect_whole(copy)
            kept.append(str(copy))
        except StoreUnavailable:
            copy.unlink()
    assert 0 < len(kept) < file.stat().st_size // PAGE // 20
    read = subprocess.run([sys.executable, "-c", READER, *kept], capture_output=True, text=True, check=True)
    assert read.stdout.split() == ["20000"] * len(kept)


async def test_a_lock_file_has_all_its_room_on_the_disk(directory: Path) -> None:
    await filled(directory)
    status = (directory / "lock.mdb").stat()
    assert status.st_blocks * 512 >= status.st_size


def test_a_lock_file_of_an_older_version_gets_its_room_and_keeps_its_bytes(tmp_path: Path) -> None:
    lock = tmp_path / "lock.mdb"
    lock.write_bytes(b"x" * 100)
    os.truncate(lock, 32_896)
    allocate_lock(lock, 512)
    status = lock.stat()
    assert (status.st_size, status.st_blocks * 512 >= status.st_size) == (32_896, True)
    assert lock.read_bytes()[:101] == b"x" * 100 + b"\0"


def test_a_file_may_grow_and_never_shrink(tmp_path: Path) -> None:
    file = tmp_path / "data.mdb"
    file.write_bytes(bytes(100))
    opened = OpenedFile(file)
    os.truncate(file, 200)
    opened.check()
    os.truncate(file, 199)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="was cut: 199 of 200 bytes"):
            opened.check()
    os.truncate(file, 200)
    opened.check()


async def test_a_store_whose_file_is_cut_while_it_is_open_is_unavailable_and_the_process_lives(
    directory: Path,
) -> None:
    await filled(directory)
    store = LmdbStore(directory, lambda: 1000)
    os.truncate(directory / "data.mdb", 100)
    assert store.commits() == 0
    with pytest.raises(StoreUnavailable, match="was cut"):
        await store.statuses([bytes(16)])
    with pytest.raises(StoreUnavailable, match="was cut"):
        await store.publish([Publication(bytes(16), RECORD)], lambda _, record: (record,))
    await store.close()


async def test_a_store_whose_lock_file_was_made_anew_is_unavailable(directory: Path) -> None:
    await filled(directory)
    store = LmdbStore(directory, lambda: 1000)
    (directory / "lock.mdb").rename(directory / "aside")
    with pytest.raises(StoreUnavailable, match=r"lock\.mdb is gone"):
        await store.statuses([bytes(16)])
    (directory / "aside").rename(directory / "lock.mdb")
    assert (await store.statuses([bytes(16)])).records == [()]
    await store.close()
