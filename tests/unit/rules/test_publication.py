"""Publishing: who may say what, and that joining records loses nothing that holds now or will."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.errors import PreconditionFailed
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.trust_list import Region, TrustList
from onecode_server.rules.levels import newest
from onecode_server.rules.publication import (
    AHEAD_MAX_US,
    FIRST_REVISION_MAX,
    PENDING_MAX,
    RISE_MAX,
    Rejection,
    Replay,
    alive,
    joined,
    merge,
    rejection,
    set_back,
)
from onecode_server.rules.retention import LAG_US, RECENT_MAX

from tests import formats

HOME, ADOPTER, NATION, OTHER = "420000", "540000", "000000", "440000"
REGIONS = [
    Region(NATION, "Nation", formats.NATIONAL),
    Region(HOME, "Hubei", formats.JWT),
    Region(OTHER, "Guangdong", formats.PASETO),
    Region(ADOPTER, "Tibet", formats.NATIONAL, adopts_national=True),
]
TRUST = TrustList(1, 0, 0, bytes(32), {region.code: region for region in REGIONS}, (), {}, ())
GOOD = StatusRecord(HOME, Scope.NATIONAL, Level.GREEN, 100, 200, 1)
LOCAL = GOOD._replace(publisher=ADOPTER, scope=Scope.LOCAL)
NOW = 100
Records = tuple[StatusRecord, ...]

BROKEN = [
    (Rejection.UNKNOWN_PUBLISHER, GOOD._replace(publisher="999999"), "999999"),
    (Rejection.INVALID_LEVEL, GOOD._replace(level=Level.UNSPECIFIED), HOME),
    (Rejection.INVALID_TIME, GOOD._replace(expires_at=100), HOME),
    (Rejection.INVALID_TIME, GOOD._replace(expires_at=99), HOME),
    (Rejection.INVALID_REVISION, GOOD._replace(revision=0), HOME),
    (Rejection.INVALID_REVISION, GOOD._replace(revision=2**63), HOME),
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
    elsewhere |= {Rejection.REVISION_CONFLICT, Rejection.SUPERSEDED, Rejection.NOT_PERMITTED}
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
        (GOOD._replace(expires_at=None, revision=2**63 - 1), HOME),
        (GOOD._replace(expires_at=101), HOME),
    ],
)
def test_a_record_that_breaks_no_rule_is_taken(record, home):
    assert rejection(record, home, TRUST) is None


def at(effective_at, revision, **more):
    return GOOD._replace(**{"effective_at": effective_at, "revision": revision, "expires_at": None, **more})


def taken(known: Records, new: StatusRecord, now: int) -> Records:
    """The records of a publisher once a new one, which breaks no rule, is among them."""
    kept = merge(known, new, now)
    assert isinstance(kept, tuple)
    return kept


def newest_level(records: Records, now: int) -> Level | None:
    """The level of the home's newest NATIONAL record in effect, if there is one."""
    found = newest(records, HOME, Scope.NATIONAL, now)
    return found and found.level


def test_a_replay_changes_nothing_whenever_it_comes():
    known = (at(NOW, 2, published_at=NOW),)
    assert merge(known, at(NOW, 2, published_at=NOW + LAG_US), NOW + LAG_US) is Replay.KNOWN


def test_a_lower_revision_is_superseded_unless_it_is_one_that_is_kept():
    known = (at(NOW - 5, 2), at(NOW, 4))
    assert merge(known, at(NOW, 3), NOW) is Rejection.SUPERSEDED
    assert merge(known, at(NOW, 1), NOW) is Rejection.SUPERSEDED
    assert merge(known, at(NOW - 5, 2), NOW) is Replay.KNOWN


@pytest.mark.parametrize(
    "other",
    [{"level": Level.RED}, {"effective_at": NOW + 1}, {"expires_at": NOW + 9}],
    ids=["level", "effective_at", "expires_at"],
)
def test_other_content_under_a_revision_that_is_kept_is_a_conflict(other):
    for known in ((at(NOW, 2),), (at(NOW, 2), at(NOW, 3))):
        assert merge(known, at(NOW, 2)._replace(**other), NOW) is Rejection.REVISION_CONFLICT


def test_the_first_revision_and_each_rise_have_a_bound():
    assert merge((), at(NOW, FIRST_REVISION_MAX), NOW) == (at(NOW, FIRST_REVISION_MAX),)
    assert merge((), at(NOW, FIRST_REVISION_MAX + 1), NOW) is Rejection.INVALID_REVISION
    assert isinstance(merge((at(NOW, 7),), at(NOW, 7 + RISE_MAX), NOW), tuple)
    assert merge((at(NOW, 7),), at(NOW, 8 + RISE_MAX), NOW) is Rejection.INVALID_REVISION
    others = (at(NOW, 2, publisher=OTHER), at(NOW, 2, scope=Scope.LOCAL))
    assert merge(others, at(NOW, FIRST_REVISION_MAX), NOW) == (*others, at(NOW, FIRST_REVISION_MAX))


def test_a_record_takes_effect_at_most_ninety_days_after_the_commit():
    ahead = at(NOW + AHEAD_MAX_US, 1, published_at=NOW)
    assert merge((), ahead, NOW) == (ahead,)
    assert merge((), at(NOW + AHEAD_MAX_US + 1, 1, published_at=NOW), NOW) is Rejection.INVALID_TIME
    assert merge((), at(NOW + AHEAD_MAX_US + 1, 1, published_at=NOW + 1), NOW) != Rejection.INVALID_TIME


def test_an_impossible_revision_of_an_older_store_ends_nothing():
    years = 30 * 366 * 86_400_000_000
    stuck = (at(NOW - LAG_US, 5, level=Level.RED), at(NOW + years, 2**64 - 1), at(NOW + years, 2**63))
    assert merge(stuck, at(NOW, 8, level=Level.RED), NOW + LAG_US) == (at(NOW, 8, level=Level.RED),)
    announced = taken(stuck, at(NOW + 9, 8), NOW)
    assert [r.revision for r in announced] == [3, 4, 5, 8]
    assert isinstance(merge(stuck, at(NOW, 6), NOW), tuple)
    assert isinstance(merge(stuck[1:2], at(NOW, 1), NOW), tuple)
    assert newest_level(announced, NOW) is Level.RED
    assert merge(stuck, stuck[1], NOW) is Replay.KNOWN


def test_a_record_replaces_the_older_ones_once_it_has_been_in_effect_for_ten_minutes():
    known = (at(NOW, 1), at(NOW + 5, 2))
    assert merge(known, at(NOW + 6, 3), NOW + LAG_US - 1) == (*known, at(NOW + 6, 3))
    assert merge(known, at(NOW + 6, 3), NOW + LAG_US) == (*known, at(NOW + 6, 3))
    assert merge(known, at(NOW + 6, 3), NOW + 5 + LAG_US) == (known[1], at(NOW + 6, 3))
    assert merge(known, at(NOW + 6, 3), NOW + 6 + LAG_US) == (at(NOW + 6, 3),)


def test_a_red_is_there_for_whoever_is_behind_until_the_green_counts_for_them_too():
    red, green = at(NOW - LAG_US, 1, level=Level.RED), at(NOW + LAG_US, 2)
    both = taken((red,), green, NOW + LAG_US)  # the writer's clock is ahead
    assert newest(both, HOME, Scope.NATIONAL, NOW + LAG_US - 1) == red
    assert newest(both, HOME, Scope.NATIONAL, NOW + LAG_US) == green


def test_what_is_alive_is_the_newest_in_effect_and_what_waits():
    other = at(NOW, 1, publisher=OTHER)
    records = (at(NOW - 5, 1), at(NOW, 2, expires_at=NOW + 1), other, at(NOW + 5, 3), at(NOW + 7, 4))
    assert alive(records, NOW + 4) == records[1:]
    assert alive(records, NOW + 5) == (other, *records[3:])
    assert alive(records, NOW - 1) == records
    assert alive((at(NOW, 0),), NOW) == (at(NOW, 0),)


def test_an_announcement_leaves_in_effect_what_holds_today():
    assert merge((at(50, 1),), at(NOW + 1, 2), NOW) == (at(50, 1), at(NOW + 1, 2))


def test_no_more_than_a_few_announcements_wait_for_one_subject():
    waiting = (at(NOW, 1), *(at(NOW + i, 1 + i) for i in range(1, PENDING_MAX + 1)))
    assert merge(waiting[:-1], waiting[-1], NOW) == waiting
    assert merge(waiting, at(NOW + 9, 9), NOW) is Rejection.TOO_MANY_PENDING
    assert merge(waiting, at(NOW, 9), NOW) == (*waiting, at(NOW, 9))


def test_other_publishers_announcements_do_not_count_against_the_bound():
    waiting = tuple(at(NOW + i, i, publisher=OTHER) for i in range(1, PENDING_MAX + 1))
    assert merge(waiting, at(NOW + 1, 1), NOW) == (*waiting, at(NOW + 1, 1))


def test_a_thousand_revisions_in_ten_minutes_are_bounded_and_show_nobody_a_milder_level():
    known: Records = ()
    everything: list[StatusRecord] = []
    now = NOW
    severities = [Level.GREEN, Level.RED, Level.YELLOW]
    for revision in range(1, 1001):
        now += LAG_US // 1000
        new = at(now, revision, level=severities[revision % 7 % 3])
        everything.append(new)
        known = taken(known, new, now)
        assert len(known) <= 1 + RECENT_MAX + PENDING_MAX
        for lag in (0, LAG_US // 1000, LAG_US // 300, LAG_US // 2):
            found, meant = (newest(some, HOME, Scope.NATIONAL, now - lag) for some in (known, everything))
            assert meant is None or found is None or found.level >= meant.level
        assert newest(known, HOME, Scope.NATIONAL, now) == new


def test_what_is_set_back_keeps_levels_times_and_order():
    red, green = at(NOW - 5, 3, level=Level.RED, published_at=NOW), at(NOW, 2**61, published_at=NOW)
    other = at(NOW, 2**61, publisher=OTHER)
    assert set_back((red, green, other), HOME, Scope.NATIONAL, 5) == (other, red, green._replace(revision=5))
    lower = set_back((red, green), HOME, Scope.NATIONAL, 1)
    assert lower == (red._replace(revision=0), green._replace(revision=1))
    assert isinstance(merge(lower, at(NOW, 2, published_at=NOW), NOW), tuple)
    assert merge(lower, at(NOW, 1, published_at=NOW, level=Level.RED), NOW) is Rejection.REVISION_CONFLICT
    assert set_back((green,), HOME, Scope.NATIONAL, 0) == (green._replace(revision=0),)


def test_records_of_one_subject_under_two_names_are_joined_and_the_highest_revision_is_the_newest():
    red, green = at(NOW, 3, level=Level.RED), at(NOW - LAG_US, 2)
    assert joined((), (green, red), NOW + 2 * LAG_US) == (green, red)
    assert joined((green,), (red,), NOW) == (green, red) == joined((red,), (green,), NOW)
    assert joined((red,), (at(NOW, 3),), NOW) == (red,) == joined((at(NOW, 3),), (red,), NOW)
    assert joined((red,), (at(NOW, 9, publisher=OTHER),), NOW) == (red, at(NOW, 9, publisher=OTHER))
    assert joined((green,), (red,), NOW + LAG_US) == (red,)
    assert joined((green, red), (green, red), NOW) == (green, red)


def test_of_two_that_were_counted_apart_what_took_effect_last_is_the_last_word():
    green, red, now = at(NOW, 50), at(NOW + 2, 1, level=Level.RED), NOW + 3 * LAG_US
    for one, other in (((green,), (red,)), ((red,), (green,))):
        assert joined(one, other, now) == (red._replace(revision=50),)
        assert joined(one, other, NOW + 3) == (green._replace(revision=1), red._replace(revision=50))
        assert merge(joined(one, other, now), at(now, 51), now) == (red._replace(revision=50), at(now, 51))
    announced, called_off = at(now + LAG_US, 51), at(NOW + 1, 52)
    assert joined((red,), (green, announced, called_off), now) == (red._replace(revision=52),)
    assert joined((red,), (green, announced), now) == (red._replace(revision=50), announced)
    together = red._replace(effective_at=NOW)
    assert joined((green,), (together,), now) == (together._replace(revision=50),)


def test_of_two_with_one_revision_and_level_the_later_stays_and_of_these_the_longer():
    now, red = NOW + 20 * LAG_US, at(NOW, 3, level=Level.RED)
    green, again = at(NOW + 2 * LAG_US, 2), at(NOW + 4 * LAG_US, 3, level=Level.RED)
    for one, other in (((red,), (green, again)), ((green, again), (red,))):
        assert newest_level(joined(one, other, now), now) is Level.RED
    ending = red._replace(expires_at=NOW + LAG_US)
    assert joined((ending,), (red,), now) == (red,) == joined((red,), (ending,), now)


@pytest.mark.parametrize(
    ("known", "to", "reason"),
    [
        ((), 1, "NO_RECORD"),
        ((at(NOW, 9, publisher=OTHER),), 1, "NO_RECORD"),
        ((at(NOW, 9),), 9, "NOT_BACK"),
        ((at(NOW, 9),), 10, "NOT_BACK"),
        ((at(NOW, 8), at(NOW, 9)), 0, "NO_ROOM"),
    ],
)
def test_a_revision_is_not_set_back_where_there_is_nothing_to_set_or_no_room(known, to, reason):
    with pytest.raises(PreconditionFailed) as refused:
        set_back(known, HOME, Scope.NATIONAL, to)
    assert refused.value.reason == reason


TICK = LAG_US // 3
"""So that some of what took effect before is old enough to go."""

ticks = st.integers(0, 12).map(TICK.__mul__)
records = st.builds(
    StatusRecord,
    st.sampled_from([HOME, NATION, ADOPTER]),
    st.sampled_from(Scope),
    st.sampled_from([Level.GREEN, Level.YELLOW, Level.RED]),
    ticks,
    st.none() | ticks,
    st.integers(1, 12),
    ticks,
)
of_one = records.map(lambda record: record._replace(publisher=HOME, scope=Scope.NATIONAL))


def after(known: Records, record: StatusRecord, now: int) -> Records:
    """What a store knows after a record came, whether it was taken or not."""
    kept = merge(known, record, now)
    return kept if isinstance(kept, tuple) else known


def known_after(history: list[StatusRecord]) -> Records:
    """What a store knows after records came one by one, a tick of the clock apart."""
    known: Records = ()
    for now, record in enumerate(history):
        known = after(known, record, now * TICK)
    return known


@given(st.lists(records, max_size=10) | st.lists(of_one, max_size=10), records | of_one, st.integers(0, 4))
def test_merging_loses_no_record_that_counts_now_or_ever_will_by_any_clock(history, record, later):
    known, now = known_after(history), (len(history) + later) * TICK
    merged = merge(known, record, now)
    if isinstance(merged, tuple):
        assert record in merged
        for source in {(r.publisher, r.scope) for r in (*known, record)}:
            for then in range(now - LAG_US, 20 * TICK, TICK // 2):
                found, meant = newest(merged, *source, then), newest((*known, record), *source, then)
                is_bounded = len([r for r in known if (r.publisher, r.scope) == source]) > RECENT_MAX
                assert found == meant or (is_bounded and then < now)


@given(st.lists(records, max_size=10), records)
def test_merging_twice_is_merging_once(history, record):
    now = len(history) * TICK
    merged = merge(known_after(history), record, now)
    if isinstance(merged, tuple):
        assert merge(merged, record, now + 9 * LAG_US) is Replay.KNOWN


@given(st.lists(records, max_size=10), records)
def test_merging_leaves_the_records_of_other_publishers_and_scopes_alone(history, record):
    known = known_after(history)
    merged = merge(known, record, len(history) * TICK)
    if isinstance(merged, tuple):
        others = [r for r in known if (r.publisher, r.scope) != (record.publisher, record.scope)]
        assert [r for r in merged if (r.publisher, r.scope) != (record.publisher, record.scope)] == others


@given(st.lists(records, max_size=14) | st.lists(of_one, min_size=10, max_size=40))
def test_what_is_kept_is_bounded_whatever_is_published(history):
    known = known_after(history)
    for source in {(r.publisher, r.scope) for r in known}:
        assert len([r for r in known if (r.publisher, r.scope) == source]) <= 1 + RECENT_MAX + PENDING_MAX


@given(st.lists(of_one, min_size=1, max_size=10), st.lists(of_one, min_size=1, max_size=10))
def test_joining_loses_no_red_that_is_the_last_word_and_gives_no_revision_twice(one, other):
    now, source = 20 * TICK, (HOME, Scope.NATIONAL)
    parts = known_after(one), known_after(other)
    together = joined(*parts, now)
    revisions = [r.revision for r in together]
    assert revisions == sorted(set(revisions))
    assert revisions[0] >= 1
    for word in [newest(part, *source, now) for part in parts]:
        if word is None or word.effective_at < max(r.effective_at for r in together):
            continue
        if word.level is Level.RED and word.expires_at is None:
            assert newest_level(together, now) is Level.RED


@given(st.lists(of_one, min_size=1, max_size=4, unique_by=lambda r: r.revision))
def test_whatever_order_records_come_in_the_highest_revision_is_the_newest(history):
    now = 20 * TICK
    for order in permutations(history):
        known: Records = ()
        for record in order:
            known = after(known, record, now)
        assert known[-1] == max(history, key=lambda r: r.revision)
