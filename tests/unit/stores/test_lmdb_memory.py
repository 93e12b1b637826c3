"""The store's map is laid anew while it is read and written, so that little of it stays in memory."""

import asyncio
import random
from pathlib import Path

import pytest

from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.stores import lmdb_environment
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.protocol import Publication

CHANCE = random.Random(7)
SUBJECTS = [CHANCE.randbytes(16) for _ in range(20_000)]


def record_of(revision: int) -> StatusRecord:
    return StatusRecord("420000", Scope.NATIONAL, Level.GREEN, 100, None, revision, 1000)


async def write(store: LmdbStore, revision: int, in_one_commit: int) -> None:
    for first in range(0, len(SUBJECTS), in_one_commit):
        chunk = [Publication(subject, record_of(revision)) for subject in SUBJECTS[first : first + in_one_commit]]
        await store.publish(chunk, lambda known, record: (record,))


def mapped_kib(file: Path) -> int:
    """What this process has resident of a file (proc(5), smaps)."""
    resident, is_it = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0]:
            is_it = line.endswith(str(file))
        elif is_it and line.startswith("Rss:"):
            resident += int(line.split()[1])
    return resident


async def test_reads_find_what_was_written_while_the_map_is_laid_anew_after_every_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb_environment, "FAULTS_MAX", 0)
    store = LmdbStore(tmp_path, lambda: 1000)
    await write(store, 1, 1000)
    writing = asyncio.create_task(write(store, 2, 100))
    while not writing.done():
        found = (await store.statuses(CHANCE.sample(SUBJECTS, 200))).records
        assert set(found) <= {(record_of(1),), (record_of(2),)}
    await writing
    assert set((await store.statuses(SUBJECTS)).records) == {(record_of(2),)}
    await store.close()


async def test_little_of_the_file_stays_resident_however_much_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resident: dict[int, int] = {}
    for faults_max in (10**9, 0):
        monkeypatch.setattr(lmdb_environment, "FAULTS_MAX", faults_max)
        store = LmdbStore(tmp_path / str(faults_max), lambda: 1000)
        await write(store, 1, 1000)
        resident[faults_max] = mapped_kib(tmp_path / str(faults_max) / "data.mdb")
        await store.close()
    assert resident[0] < 100
    assert resident[10**9] > 1000
