"""The measurement beyond memory: what is bounded, what counts as not answered, and which chunks are applied."""

import random
from pathlib import Path

import pytest

from onecode_server.model.partition import STATUS_PARTITIONS, partition_of
from onecode_server.stores.lmdb_environment import READ_TIMEOUT_S

from benchmarks.beyond_memory.__main__ import OWN_MIB, Row, cells, memory_for
from benchmarks.beyond_memory.applying import Applying
from benchmarks.beyond_memory.group import NoGroups, expect, group
from benchmarks.beyond_memory.looking_up import SLICE, lookups_of
from benchmarks.replica_records import chunks_of
from benchmarks.store import subjects_of


def test_slices_without_an_answer_are_counted_and_have_waited_for_the_read_limit():
    found = lookups_of([0.25, None, 0.25, None], disk=4 * SLICE * 4096)
    assert (found.slices, found.unanswered, found.disk_bytes) == (4, 2, 4096)
    assert found.codes_per_s == 2 * SLICE / (2 * READ_TIMEOUT_S + 0.5)
    assert found.p99_ms == READ_TIMEOUT_S * 1e3


def test_no_slice_answered_is_a_row_and_no_failure():
    row = Row(0.25, 2**20, lookups_of([None] * 3, disk=0), Applying(1000.0, 1000, 0.5, 8000.0, 1.0))
    assert cells(row) == ("25.0%", "1", "0", "1000.0", "1000.0", "3 of 3", "0.0", "1,000", "50%", "8.0")


def test_all_of_a_store_is_without_a_bound_and_a_part_is_beside_what_the_process_takes():
    assert memory_for(1.0, 2**30, 70.0) == 0
    assert memory_for(0.25, 2**30, 70.0) == 2**28 + (70 + OWN_MIB) * 2**20


def test_a_system_without_control_groups_is_told_in_one_line(tmp_path: Path):
    with pytest.raises(NoGroups, match=r"^memory cannot be bounded: .* has no control groups of version 1$"):
        expect(tmp_path)
    made = group(2**20, tmp_path / "missing")
    with pytest.raises(NoGroups, match=r"^memory cannot be bounded: .*: No such file or directory$"), made:
        pass


def test_chunks_have_one_partition_each_and_every_subject_of_the_store_once_at_most():
    chunks = list(chunks_of(random.Random(1), 4096, 1024))
    assert [partition for partition, _ in chunks] == list(range(STATUS_PARTITIONS))
    assert all({partition_of(one) for one in chosen} == {partition} for partition, chosen in chunks)
    chosen = [one for _, some in chunks for one in some]
    assert len(chosen) == len(set(chosen)) == 1024
    assert set(chosen) <= {one for part in range(256) for one in subjects_of(part, 4096)}
