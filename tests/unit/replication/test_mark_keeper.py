"""Own marks: what confirms a partition, what does not, and when a machine must say that something is wrong."""

import pytest

from onecode_server.errors import LogBroken
from onecode_server.model.partition import ALL, DECISIONS
from onecode_server.replication.mark_keeper import CLOCKS_APART_US, STRANGER_AFTER_US, Checkpoint, MarkKeeper
from onecode_server.stores.replica_layout import AppliedMarks

ME, OTHER = b"m" * 16, b"o" * 16
BOOT, EARLIER_BOOT = b"b" * 16, b"e" * 16
NOON = 1_800_000_000_000_000
SECOND = 1_000_000
PLACE = Checkpoint(40, b"d" * 32, b"h" * 32)


def beginner(known=None, started_at=NOON, started_us=0, boot=BOOT, knows=1):
    """Return what a machine begins with."""
    return MarkKeeper(ME, boot, started_at, started_us, known, knows)


def keeper(*given, **named):
    """Return a machine's that has applied a mark of its own in decisions, sent at 1 s."""
    made = beginner(*given, **named)
    made.take(DECISIONS, dict(made.marks(SECOND, NOON))[DECISIONS], NOON, PLACE)
    return made


def sent(marks, monotonic_us=5 * SECOND, now=NOON):
    """Return the marks that are sent at a moment, by their partition."""
    return dict(marks.marks(monotonic_us, now))


def test_nothing_is_confirmed_at_first_and_a_mark_is_sent_to_each_partition():
    marks = beginner()
    assert set(marks.confirmed_age_s(SECOND).values()) == {None}
    assert set(sent(marks)) == set(ALL)
    assert {mark.offset for mark in sent(marks).values()} == {-1}


def test_a_mark_that_was_applied_confirms_its_partition_alone_as_of_when_it_was_sent():
    marks = keeper()
    assert marks.take(3, sent(marks)[3], NOON, PLACE)
    ages = marks.confirmed_age_s(7 * SECOND)
    assert ages[3] == 2.0
    assert {ages[partition] for partition in ALL if partition not in (3, DECISIONS)} == {None}
    assert ages[DECISIONS] == 6.0


def test_no_status_is_confirmed_before_the_first_own_mark_in_decisions_which_then_counts_for_all_that_was_applied():
    """Before it a machine does not know which rules are in force. What was confirmed before its start counts on."""
    for known, age_s in ((None, None), (AppliedMarks(BOOT, tuple(4 * SECOND for _ in ALL)), 3.0)):
        marks = beginner(known)
        assert marks.take(3, sent(marks)[3], NOON, PLACE)
        assert marks.take(DECISIONS, sent(beginner())[DECISIONS], NOON, PLACE)  # of the process before this one
        assert set(marks.confirmed_age_s(7 * SECOND).values()) == {age_s}
        assert marks.take(DECISIONS, sent(marks, 6 * SECOND)[DECISIONS], NOON, PLACE)
        ages = marks.confirmed_age_s(7 * SECOND)
        assert (ages[3], ages[DECISIONS], ages[4]) == (2.0, 1.0, age_s)


def test_marks_name_the_latest_version_of_the_rules_that_the_program_knows():
    assert {mark.knows for mark in sent(keeper(knows=7)).values()} == {7}


def test_the_next_mark_names_the_place_where_the_last_one_was_applied():
    marks = keeper()
    marks.take(DECISIONS, sent(marks)[DECISIONS], NOON, PLACE)
    following = sent(marks)[DECISIONS]
    assert (following.offset, following.digest, following.audit_head) == PLACE


def test_a_mark_of_another_machine_confirms_nothing():
    marks = keeper()
    assert not marks.take(3, sent(marks)[3]._replace(machine=OTHER), NOON, PLACE)
    assert marks.confirmed_age_s(SECOND)[3] is None


def test_a_late_mark_takes_no_confirmation_back():
    marks = keeper()
    early, late = sent(marks, 5 * SECOND)[3], sent(marks, 6 * SECOND)[3]
    marks.take(3, late, NOON, PLACE)
    marks.take(3, early, NOON, PLACE)
    assert marks.confirmed_age_s(7 * SECOND)[3] == 1.0


def test_marks_that_were_applied_before_a_restart_of_the_process_count_on_but_not_those_of_another_boot():
    before = tuple(4 * SECOND for _ in ALL)
    assert keeper(AppliedMarks(BOOT, before)).confirmed_age_s(7 * SECOND)[0] == 3.0
    assert keeper(AppliedMarks(EARLIER_BOOT, before)).confirmed_age_s(7 * SECOND)[0] is None
    after = keeper()
    after.take(3, sent(keeper())[3]._replace(boot=EARLIER_BOOT), NOON, PLACE)
    assert after.confirmed_age_s(7 * SECOND)[3] is None


@pytest.mark.parametrize("apart_us", [CLOCKS_APART_US + 1, -CLOCKS_APART_US - 1])
def test_a_clock_that_is_too_far_from_the_logs_is_a_fault_and_confirms_nothing_until_it_is_set(apart_us):
    marks = keeper()
    assert marks.take(3, sent(marks)[3], NOON + apart_us, PLACE)
    assert marks.confirmed_age_s(7 * SECOND)[3] is None
    assert "from this machine's" in marks.clock_faults[3]
    marks.take(3, sent(marks)[3], NOON, PLACE)
    assert marks.clock_faults == {}
    assert marks.confirmed_age_s(7 * SECOND)[3] == 2.0


def test_clocks_may_be_apart_by_the_bound():
    marks = keeper()
    marks.take(3, sent(marks)[3], NOON + CLOCKS_APART_US, PLACE)
    assert marks.confirmed_age_s(7 * SECOND)[3] == 2.0


def test_another_machine_with_this_ones_id_stops_it():
    stranger = keeper(boot=EARLIER_BOOT)
    with pytest.raises(LogBroken, match="another machine has the id"):
        keeper().take(3, sent(stranger, now=NOON + STRANGER_AFTER_US + 1)[3], NOON, PLACE)


def test_a_second_process_of_this_machine_with_its_id_stops_it():
    with pytest.raises(LogBroken, match="another machine has the id"):
        keeper().take(3, sent(keeper(), STRANGER_AFTER_US + 1)[3], NOON, PLACE)


def test_what_the_process_before_this_one_sent_is_no_stranger():
    before = keeper(started_at=NOON - 60 * SECOND, boot=EARLIER_BOOT)
    assert keeper().take(3, sent(before, now=NOON - SECOND)[3], NOON, PLACE)


def test_nor_is_it_where_the_clock_was_set_back_before_this_process_began():
    now = keeper(started_at=NOON - 20 * SECOND, started_us=60 * SECOND)
    assert now.take(3, sent(keeper(), 59 * SECOND, NOON)[3], NOON, PLACE)


def test_an_own_mark_confirms_nothing_while_the_partition_is_disputed():
    marks = keeper()
    assert marks.take(3, sent(marks)[3], NOON, PLACE, is_disputed=True)
    assert marks.confirmed_age_s(7 * SECOND)[3] is None
    assert sent(marks)[3].digest == PLACE.digest  # others must learn of it


def test_a_mark_shows_the_others_its_place_also_where_the_clock_confirms_nothing():
    marks = keeper()
    marks.take(3, sent(marks)[3], NOON + CLOCKS_APART_US + 1, PLACE)
    assert sent(marks)[3].digest == PLACE.digest
