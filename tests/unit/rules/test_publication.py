"""Publishing: who may say what, and that joining records loses nothing that holds now or will."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.trust_list import Format, Region, TrustList
from onecode_server.rules.levels import newest
from onecode_server.rules.publication import PENDING_MAX, Rejection, merge, rejection

HOME, ADOPTER, NATION, OTHER = "420000", "540000", "000000", "440000"
REGIONS = [
    Region(NATION, "Nation", Format.NATIONAL),
    Region(HOME, "Hubei", Format.JWT),
    Region(OTHER, "Guangdong", Format.PASETO),
    Region(ADOPTER, "Tibet", Format.NATIONAL, adopts_national=True),
]
TRUST = TrustList(1, 0, 0, bytes(32), {region.code: region for region in REGIONS}, (), {}, ())
GOOD = StatusRecord(HOME, Scope.NATIONAL, Level.GREEN, 100, 200, 1)
LOCAL = GOOD._replace(publisher=ADOPTER, scope=Scope.LOCAL)
NOW = 100

BROKEN = [
    (Rejection.UNKNOWN_PUBLISHER, GOOD._replace(publisher="999999"), "999999"),
    (Rejection.INVALID_LEVEL, GOOD._replace(level=Level.UNSPECIFIED), HOME),
    (Rejection.INVALID_TIME, GOOD._replace(expires_at=100), HOME),
    (Rejection.INVALID_TIME, GOOD._replace(expires_at=99), HOME),
    (Rejection.INVALID_REVISION, GOOD._replace(revision=0), HOME),
    (Rejection.INVALID_REVISION, GOOD._replace(revision=2**64), HOME),
    (Rejection.NOT_THE_HOME, GOOD._replace(publisher=OTHER), HOME),
    (Rejection.NOT_THE_HOME, GOOD._replace(publisher=ADOPTER), HOME),
    (Rejection.NOT_AN_ADOPTER, GOOD._replace(scope=Scope.LOCAL), HOME),
    (Rejection.NOT_AN_ADOPTER, GOOD._replace(scope=Scope.LOCAL, publisher=NATION), HOME),
]


@pytest.mark.parametrize(("rule", "record", "home"), BROKEN, ids=[rule.name for rule, *_ in BROKEN])
def test_a_record_that_breaks_a_rule_is_rejected_by_its_name(rule, record, home):
    assert rejection(record, home, TRUST) is rule


def test_every_rule_that_a_record_alone_can_break_is_tested_here():
    elsewhere = {Rejection.TOO_MANY_PENDING, Rejection.INVALID_SUBJECT, Rejection.INVALID_SCOPE}
    assert {rule for rule, *_ in BROKEN} == set(Rejection) - elsewhere


@pytest.mark.parametrize(
    ("record", "home"),
    [
        (GOOD, HOME),
        (GOOD, None),
        (GOOD._replace(publisher=NATION), HOME),
        (GOOD._replace(publisher=OTHER), None),
        (LOCAL, HOME),
        (LOCAL, ADOPTER),
        (LOCAL, None),
        (GOOD._replace(expires_at=None, revision=2**64 - 1), HOME),
        (GOOD._replace(expires_at=101), HOME),
    ],
)
def test_a_record_that_breaks_no_rule_is_taken(record, home):
    assert rejection(record, home, TRUST) is None


def at(effective_at, revision, **more):
    return GOOD._replace(effective_at=effective_at, revision=revision, expires_at=None, **more)


@pytest.mark.parametrize("revision", [1, 2])
def test_a_replay_or_an_older_revision_changes_nothing(revision):
    assert merge((at(NOW, 2),), at(NOW, revision), NOW) is None


def test_a_record_in_effect_replaces_the_older_ones_of_its_publisher_and_scope():
    assert merge((at(50, 1), at(NOW + 9, 2)), at(NOW, 3), NOW) == (at(NOW, 3),)


def test_an_announcement_leaves_in_effect_what_holds_today():
    assert merge((at(50, 1),), at(NOW + 1, 2), NOW) == (at(50, 1), at(NOW + 1, 2))


def test_an_announcement_whose_time_has_come_ends_what_held_before():
    announced = (at(50, 1), at(NOW - 1, 2))
    assert merge(announced, at(NOW + 9, 3), NOW) == (at(NOW - 1, 2), at(NOW + 9, 3))


def test_no_more_than_a_few_announcements_wait_for_one_subject():
    waiting = (at(NOW, 1), *(at(NOW + i, 1 + i) for i in range(1, PENDING_MAX + 1)))
    assert merge(waiting[:-1], waiting[-1], NOW) == waiting
    assert merge(waiting, at(NOW + 9, 9), NOW) is Rejection.TOO_MANY_PENDING
    assert merge(waiting, at(NOW, 9), NOW) == (at(NOW, 9),)


def test_other_publishers_announcements_do_not_count_against_the_bound():
    waiting = tuple(at(NOW + i, i, publisher=OTHER) for i in range(1, PENDING_MAX + 1))
    assert merge(waiting, at(NOW + 1, 1), NOW) == (*waiting, at(NOW + 1, 1))


records = st.builds(
    StatusRecord,
    st.sampled_from([HOME, NATION, ADOPTER]),
    st.sampled_from(Scope),
    st.sampled_from([Level.GREEN, Level.YELLOW, Level.RED]),
    st.integers(0, 12),
    st.none() | st.integers(0, 14),
    st.integers(1, 12),
)
modest = settings(derandomize=True, deadline=None, max_examples=100)


def known_after(history):
    """What a store knows after records came one by one, a tick of the clock apart."""
    known = ()
    for now, record in enumerate(history):
        merged = merge(known, record, now)
        known = merged if isinstance(merged, tuple) else known
    return known


@modest
@given(st.lists(records, max_size=10), records, st.integers(0, 4))
def test_merging_loses_no_record_that_counts_now_or_ever_will(history, record, later):
    known, now = known_after(history), len(history) + later
    merged = merge(known, record, now)
    if isinstance(merged, tuple):
        for who in {(r.publisher, r.scope) for r in (*known, record)}:
            for then in range(now, 20):
                assert newest(merged, *who, then) == newest((*known, record), *who, then)


@modest
@given(st.lists(records, max_size=10), records)
def test_merging_twice_is_merging_once(history, record):
    now = len(history)
    merged = merge(known_after(history), record, now)
    if isinstance(merged, tuple):
        assert merge(merged, record, now) is None


@modest
@given(st.lists(records, max_size=10), records)
def test_merging_leaves_the_records_of_other_publishers_and_scopes_alone(history, record):
    known = known_after(history)
    merged = merge(known, record, len(history))
    if isinstance(merged, tuple):
        others = [r for r in known if (r.publisher, r.scope) != (record.publisher, record.scope)]
        assert [r for r in merged if (r.publisher, r.scope) != (record.publisher, record.scope)] == others


@modest
@given(st.lists(records, max_size=14))
def test_what_is_kept_is_bounded_whatever_is_published(history):
    known = known_after(history)
    for who in {(r.publisher, r.scope) for r in known}:
        assert len([r for r in known if (r.publisher, r.scope) == who]) <= 1 + PENDING_MAX


@modest
@given(st.lists(records, min_size=1, max_size=4, unique_by=lambda r: r.revision))
def test_records_in_effect_end_in_the_same_state_in_whatever_order_they_come(history):
    ends = set()
    for order in permutations(history):
        known = ()
        for record in order:
            merged = merge(known, record, 20)
            known = merged if merged is not None else known
        ends.add(frozenset(known))
    assert len(ends) == 1
