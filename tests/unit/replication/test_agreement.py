"""Agreement: one machine with a fault stops itself, and not the others."""

import pytest

from onecode_server.model.partition import ALL
from onecode_server.replication.agreement import MACHINES_MAX, Agreement, Diverged
from onecode_server.replication.apply import apply
from onecode_server.replication.messages import NO_OFFSET, Mark

from tests.unit.replication.cluster import CLUSTER, FIRST, OTHER, logged, mark
from tests.unit.replication.memory_state import MemoryState

OWN = b"this machine's.."


def of(number: int) -> Mark:
    return mark(7, machine=number.to_bytes(16))


def test_of_three_machines_the_two_that_agree_go_on_and_the_third_stops() -> None:
    """Marks of three machines come in turn, and the third machine's state differs."""
    right, wrong = Agreement(of(1).machine), Agreement(of(3).machine)
    for _ in range(3):
        right.note(0, of(2), is_equal=True)
        right.note(0, of(3), is_equal=False)
    assert right.differing(0) == [of(3).machine]
    wrong.note(0, of(1), is_equal=True)
    wrong.note(0, of(2), is_equal=True)
    wrong.note(0, of(1), is_equal=False)
    with pytest.raises(Diverged, match="restore this machine's store from a backup of another one") as stopped:
        wrong.note(0, of(2), is_equal=False)
    assert (stopped.value.partition, stopped.value.offset, stopped.value.machine) == (0, 7, of(2).machine)


def test_of_two_machines_that_differ_both_stop() -> None:
    with pytest.raises(Diverged):
        Agreement(OWN).note(0, of(1), is_equal=False)


def test_a_machine_whose_own_earlier_mark_differs_stops_at_once() -> None:
    agreement = Agreement(OWN)
    for number in range(5):
        agreement.note(0, of(number), is_equal=True)
    agreement.note(0, mark(7, machine=OWN), is_equal=True)
    with pytest.raises(Diverged):
        agreement.note(0, mark(7, machine=OWN), is_equal=False)


def test_a_machine_that_is_equal_again_is_no_fault_any_more_and_partitions_count_apart() -> None:
    agreement = Agreement(OWN)
    for partition in ALL:
        agreement.note(partition, of(1), is_equal=True)
        agreement.note(partition, of(2), is_equal=True)
    agreement.note(4, of(2), is_equal=False)
    assert [partition for partition in ALL if agreement.differing(partition)] == [4]
    agreement.note(4, of(2), is_equal=True)
    assert agreement.differing(4) == []


def test_the_machines_that_are_heard_are_bounded() -> None:
    agreement = Agreement(OWN)
    for number in range(MACHINES_MAX):
        agreement.note(0, of(number), is_equal=True)
    agreement.note(0, of(1), is_equal=False)
    for number in range(MACHINES_MAX, 2 * MACHINES_MAX - 1):
        agreement.note(0, of(number), is_equal=True)
    assert agreement.differing(0) == [of(1).machine]
    agreement.note(0, of(0), is_equal=True)
    assert agreement.differing(0) == []


def test_applying_asks_for_agreement_where_it_is_given() -> None:
    state, agreement = MemoryState(), Agreement(FIRST)
    for number in range(2, 4):
        agreement.note(0, of(number), is_equal=True)
    apply(state, logged(mark(NO_OFFSET), 0, 0), CLUSTER.public_key, agreement)
    differs = mark(0, b"x" * 32, OTHER)
    assert apply(state, logged(differs, 0, 1), CLUSTER.public_key, agreement).mark == differs
    assert agreement.differing(0) == [OTHER]
