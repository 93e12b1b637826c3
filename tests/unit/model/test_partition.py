"""Each subject has one partition, and the partitions of status records have nearly equally many subjects."""

from collections import Counter

import pytest

from onecode_server.model.partition import ALL, DECISIONS, STATUS_PARTITIONS, partition_of


def test_the_first_bytes_are_divided_in_order_and_nearly_evenly() -> None:
    found = [partition_of(bytes((first,)) + bytes(15)) for first in range(256)]
    assert found == sorted(found)
    assert set(found) == set(range(STATUS_PARTITIONS))
    assert set(Counter(found).values()) == {21, 22}


@pytest.mark.parametrize(("first", "partition"), [(0, 0), (21, 0), (22, 1), (127, 5), (128, 6), (234, 10), (235, 11)])
def test_a_subject_stays_in_the_partition_that_it_had_in_earlier_versions(first: int, partition: int) -> None:
    """These numbers are kept: another division would give a subject's messages no common order."""
    for rest in (bytes(15), b"\xff" * 15):
        assert partition_of(bytes((first,)) + rest) == partition


def test_decisions_have_a_partition_that_no_subject_has() -> None:
    assert [*ALL] == [*range(STATUS_PARTITIONS), DECISIONS]
    assert DECISIONS not in {partition_of(bytes((first,)) * 16) for first in range(256)}
