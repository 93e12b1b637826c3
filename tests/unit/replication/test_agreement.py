"""Agreement: one machine with a fault stops itself and not the others, and of two that differ both stop."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.model.partition import ALL
from onecode_server.replication.agreement import MACHINES_MAX, SETTLED_US, WORD_US, Agreement, Diverged
from onecode_server.replication.apply import apply
from onecode_server.replication.messages import Mark

from tests.unit.replication.cluster import CLUSTER, FIRST, NOON, OTHER, SECOND, logged, mark
from tests.unit.replication.memory_state import MemoryState

OWN = b"this machine's.."
BEGUN = mark(0).incarnation
EXAMPLES = 200


def of(number: int) -> Mark:
    return mark(7, machine=number.to_bytes(16))


OWN_MARK = mark(7, machine=OWN)


def fresh() -> Agreement:
    return Agreement(OWN, BEGUN)


def test_of_three_machines_the_two_that_agree_go_on_and_the_third_stops() -> None:
    """Marks of three machines come in turn, and the third machine's state differs."""
    right, wrong = Agreement(of(1).machine, BEGUN), Agreement(of(3).machine, BEGUN)
    for time in range(NOON, NOON + SETTLED_US, SECOND):
        for number in (1, 2, 3):
            right.note(0, of(number), time, is_equal=number != 3)
            wrong.note(0, of(number), time, is_equal=number == 3)
        assert right.differing(0) == [of(3).machine]
        assert not right.is_disputed(0)
        assert wrong.is_disputed(0)
    wrong.note(0, of(2), NOON + SETTLED_US, is_equal=False)
    with pytest.raises(Diverged, match="restore this machine's store from a backup of another one") as stopped:
        wrong.note(0, of(3), NOON + SETTLED_US, is_equal=True)
    assert (stopped.value.partition, stopped.value.offset, stopped.value.machine) == (0, 7, of(2).machine)


def test_a_machine_that_has_just_started_is_not_outvoted_by_the_first_one_that_it_hears() -> None:
    started = fresh()
    started.note(0, of(3), NOON, is_equal=False)
    started.note(0, OWN_MARK, NOON + SECOND, is_equal=True)
    assert started.is_disputed(0)
    started.note(0, of(1), NOON + SECOND, is_equal=True)
    assert not started.is_disputed(0)
    for time in range(NOON, NOON + 2 * SETTLED_US, SECOND):
        for heard in (of(3), OWN_MARK, of(1)):
            started.note(0, heard, time, is_equal=heard != of(3))


def test_a_machine_that_is_alone_with_one_that_differs_stops_without_another_word_of_it() -> None:
    alone = fresh()
    alone.note(0, of(1), NOON, is_equal=False)
    alone.note(0, OWN_MARK, NOON + SETTLED_US - 1, is_equal=True)
    with pytest.raises(Diverged):
        alone.note(0, OWN_MARK, NOON + SETTLED_US, is_equal=True)


def test_the_word_of_a_machine_that_has_gone_counts_no_longer() -> None:
    alone = fresh()
    alone.note(0, of(2), NOON, is_equal=True)
    for time in range(NOON, NOON + WORD_US + SECOND, SECOND):
        alone.note(0, of(1), time, is_equal=False)
        alone.note(0, OWN_MARK, time, is_equal=True)
    alone.note(0, of(1), NOON + WORD_US + 1, is_equal=False)
    assert alone.is_disputed(0)
    with pytest.raises(Diverged):
        alone.note(0, OWN_MARK, NOON + WORD_US + SETTLED_US + 1, is_equal=True)


def test_an_own_mark_that_differs_stops_at_once_and_one_of_an_earlier_process_never() -> None:
    agreement = fresh()
    for number in range(5):
        agreement.note(0, of(number), NOON, is_equal=True)
    agreement.note(0, OWN_MARK, NOON, is_equal=True)
    agreement.note(0, OWN_MARK._replace(incarnation=b"earlier."), NOON, is_equal=False)
    assert not agreement.is_disputed(0)
    with pytest.raises(Diverged):
        agreement.note(0, OWN_MARK, NOON, is_equal=False)


def test_a_machine_that_is_equal_again_is_no_fault_any_more_and_partitions_count_apart() -> None:
    agreement = fresh()
    for partition in ALL:
        agreement.note(partition, of(1), NOON, is_equal=True)
        agreement.note(partition, of(2), NOON, is_equal=True)
    agreement.note(4, of(2), NOON, is_equal=False)
    assert [partition for partition in ALL if agreement.differing(partition)] == [4]
    agreement.note(4, of(2), NOON, is_equal=True)
    assert agreement.differing(4) == []


def test_a_copy_leaves_what_it_was_made_from() -> None:
    agreement = fresh()
    agreement.copy().note(0, of(1), NOON, is_equal=False)
    assert (agreement.differing(0), agreement.is_disputed(0)) == ([], False)


def test_the_machines_that_are_heard_are_bounded() -> None:
    agreement = fresh()
    for number in range(MACHINES_MAX):
        agreement.note(0, of(number), NOON, is_equal=True)
    agreement.note(0, of(1), NOON, is_equal=False)
    for number in range(MACHINES_MAX, 2 * MACHINES_MAX - 1):
        agreement.note(0, of(number), NOON, is_equal=True)
    assert agreement.differing(0) == [of(1).machine]
    agreement.note(0, of(0), NOON, is_equal=True)
    assert agreement.differing(0) == []


def test_applying_asks_for_agreement_where_it_is_given() -> None:
    state, agreement = MemoryState(), Agreement(FIRST, BEGUN)
    apply(state, logged(mark(-1), 0, 0), CLUSTER.public_key, agreement)
    differs = mark(0, b"x" * 32, OTHER)
    assert apply(state, logged(differs, 0, 1), CLUSTER.public_key, agreement).mark == differs
    assert (agreement.differing(0), agreement.is_disputed(0)) == ([OTHER], True)
    with pytest.raises(Diverged):
        apply(state, logged(mark(0), 0, 2, NOON + SETTLED_US), CLUSTER.public_key, agreement)


def stopped_at(states: list[int], starts: list[int], seconds: int) -> list[int | None]:
    """Return when each of some machines stops (microseconds after NOON). Each sends a mark every second from its start
    on, until it stops; all read them in one order. Those with an equal number in ``states`` have an equal state."""
    machines = [Agreement(of(number).machine, BEGUN) for number in range(len(states))]
    stops: list[int | None] = [None] * len(states)
    sent = sorted((start + second * SECOND, number) for number, start in enumerate(starts) for second in range(seconds))
    for time, sender in sent:
        if stops[sender] is not None:
            continue
        for reader, agreement in enumerate(machines):
            if stops[reader] is None and starts[reader] <= time:
                try:
                    agreement.note(0, of(sender), NOON + time, is_equal=states[reader] == states[sender])
                except Diverged:
                    stops[reader] = time
    return stops


moments = st.integers(0, SETTLED_US - 2 * SECOND)


@given(st.tuples(moments, moments, moments))
@settings(max_examples=EXAMPLES)
def test_whenever_three_machines_start_within_seconds_only_the_one_that_differs_stops(starts: tuple[int, ...]) -> None:
    one, other, damaged = stopped_at([0, 0, 1], list(starts), 30)
    assert (one, other) == (None, None)
    assert damaged is not None
    assert damaged <= max(starts) + SETTLED_US + 2 * SECOND


@given(st.tuples(moments, moments))
@settings(max_examples=EXAMPLES)
def test_whenever_two_machines_that_differ_start_both_stop(starts: tuple[int, ...]) -> None:
    assert None not in stopped_at([0, 1], list(starts), 30)


@pytest.mark.parametrize("states", [[0, 1, 2], [0, 0, 1, 1], [0, 1, 2, 3, 4]])
def test_machines_without_a_majority_all_stop(states: list[int]) -> None:
    for starts in itertools.permutations(range(0, len(states) * SECOND // 2, SECOND // 2)):
        assert None not in stopped_at(states, list(starts), 30)
