"""What ``make bench-store`` measures is what it says: stores of the size that was asked for, every look-up a record."""

from pathlib import Path

import pytest

from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.protocol import UNREADABLE

from benchmarks import store

SUBJECTS = 3000


def test_a_store_has_as_many_different_subjects_as_was_asked_for_however_they_part() -> None:
    for count in (store.PARTS, SUBJECTS, SUBJECTS + 1):
        subjects = [one for part in range(store.PARTS) for one in store.subjects_of(part, count)]
        assert len(subjects) == len(set(subjects)) == count
        assert {len(subject) for subject in subjects} == {16}


def test_a_sample_asks_for_each_subject_once_from_all_over_the_store() -> None:
    everyone = {one for part in range(store.PARTS) for one in store.subjects_of(part, SUBJECTS)}
    chosen = store.sample(SUBJECTS, 1000)
    assert len(chosen) == len(set(chosen)) == 1000
    assert set(chosen) <= everyone
    assert len({subject[0] for subject in chosen}) == store.PARTS
    assert chosen != sorted(chosen)
    assert set(store.sample(SUBJECTS, SUBJECTS)) == everyone


@pytest.mark.parametrize("cold", [False, True])
async def test_every_look_up_of_a_measurement_finds_a_record(tmp_path: Path, cold: bool) -> None:
    done: list[int] = []
    await store.fill(tmp_path, SUBJECTS, done.append)
    assert sum(done) == SUBJECTS
    chosen = store.sample(SUBJECTS, 500)
    opened = LmdbStore(tmp_path)
    found = await opened.statuses(chosen)
    await opened.close()
    assert all(records is not UNREADABLE and len(records) == 1 for records in found.records)
    measured = store.measured_afresh(tmp_path, chosen, cold=cold)
    assert measured.cpu_us > 0
    with pytest.raises(ValueError, match="a subject has no record"):
        store.measured_afresh(tmp_path, [*chosen, bytes(16)], cold=cold)
