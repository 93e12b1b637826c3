"""The store's map is laid anew while it is read and written, so that little of it stays in memory."""

import asyncio
import random
import subprocess
import sys
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


async def test_the_kernel_reads_no_pages_around_those_that_are_looked_up_even_when_the_map_is_laid_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lmdb_environment, "FAULTS_MAX", 0)
    store = LmdbStore(tmp_path, lambda: 1000)
    opened = advice(tmp_path / "data.mdb")
    await write(store, 1, 10_000)
    laid_anew = advice(tmp_path / "data.mdb")
    await store.close()
    assert opened == laid_anew == {"rr"}


def advice(file: Path) -> set[str]:
    """What the kernel was advised of this process's maps of a file (proc(5), VmFlags): rr is random reads."""
    found, is_it = set[str](), False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0]:
            is_it = line.endswith(str(file))
        elif is_it and line.startswith("VmFlags:"):
            found |= {"rr", "sr"} & set(line.split()) or {"none"}
    return found


LIMITED = """
import asyncio, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
from onecode_server.stores.lmdb import LmdbStore
store = LmdbStore(Path(sys.argv[1]))
print(store.space().growth_free)
asyncio.run(store.close())
"""


def test_a_store_opens_with_a_smaller_map_where_address_space_is_limited(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", LIMITED, tmp_path], capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    assert 1 << 30 < int(ended.stdout) < 8 << 30


async def test_a_map_with_room_for_the_country_several_times_over_takes_no_disk_and_no_memory(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, lambda: 1000)
    assert store.space().growth_free > 10 * 81_000_000_000
    file = tmp_path / "data.mdb"
    assert file.stat().st_size < 1 << 20
    assert mapped_kib(file) < 1 << 10
    assert page_tables_kib() < 16 << 10
    await store.close()


def page_tables_kib() -> int:
    """What this process has of page tables (proc(5)): a table for all of the map would take 2 GiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmPTE:"))
