"""Which level counts: who may say what, from when, until when, and which word is the last."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.rules.levels import Claim, EffectiveLevel, effective_level, newest, replaces_claim

HOME, HOST, NATION, OTHER = "420000", "540000", "000000", "440000"
ISSUED, NOW, SKEW = 100, 200, 10
LEVELS = [Level.GREEN, Level.YELLOW, Level.RED]
GREEN, YELLOW, RED, UNMAPPED = Level.GREEN, Level.YELLOW, Level.RED, Level.UNSPECIFIED


def record(
    level, publisher=HOME, scope=Scope.NATIONAL, effective_at=150, expires_at=None, revision=1, published_at=150
):
    return StatusRecord(publisher, scope, level, effective_at, expires_at, revision, published_at)


def local(level, publisher=HOST, **more):
    return record(level, publisher, Scope.LOCAL, **more)


def counts(*records, claim=GREEN, home=HOME, host=HOST, now=NOW, is_made=True):
    return effective_level(Claim(claim, ISSUED, is_made), home, host, records, now, SKEW)


def test_a_claim_stands_where_nobody_has_said_anything():
    assert counts(claim=YELLOW) == EffectiveLevel(YELLOW, red_by_national=False, red_by_host=False, counted=0)


@pytest.mark.parametrize("claim", [GREEN, YELLOW, RED, UNMAPPED])
@pytest.mark.parametrize("recorded", [GREEN, YELLOW, RED])
def test_the_homes_record_replaces_the_claim_better_or_worse(claim, recorded):
    assert counts(record(recorded), claim=claim) == EffectiveLevel(
        recorded, red_by_national=False, red_by_host=False, counted=1
    )


BEFORE, BEGINS, ENDS, AFTER = ISSUED - SKEW - 1, ISSUED - SKEW, ISSUED + SKEW, ISSUED + SKEW + 1
"""The times on both sides of the skew around the issue."""


@pytest.mark.parametrize(
    ("times", "level"),
    [
        ((BEFORE, BEFORE), GREEN),  # the code is the home's later word
        ((BEFORE, BEGINS), RED),  # published late
        ((BEFORE, AFTER), RED),
        ((BEGINS, BEGINS), RED),
        ((ISSUED, ISSUED), RED),
        ((AFTER, AFTER), RED),
    ],
)
def test_the_homes_record_worsens_a_claim_unless_both_its_times_are_before_the_code(times, level):
    for effective_at, published_at in (times, times[::-1]):
        found = counts(record(RED, effective_at=effective_at, published_at=published_at))
        assert found == EffectiveLevel(level, red_by_national=False, red_by_host=False, counted=1)


@pytest.mark.parametrize(
    ("times", "level"),
    [
        ((BEFORE, AFTER), RED),  # taken from a sample before the code was issued, or announced before
        ((ISSUED, AFTER), RED),
        ((ENDS, AFTER), RED),
        ((AFTER, AFTER), GREEN),
    ],
)
def test_the_homes_record_lifts_a_claim_only_if_both_its_times_are_after_the_code(times, level):
    for effective_at, published_at in (times, times[::-1]):
        assert counts(record(GREEN, effective_at=effective_at, published_at=published_at), claim=RED).level is level


@pytest.mark.parametrize("claim", [GREEN, YELLOW, RED])
@pytest.mark.parametrize("recorded", [GREEN, YELLOW, RED])
@pytest.mark.parametrize("effective_at", [BEGINS, ISSUED, ENDS])
def test_within_the_skew_the_more_severe_of_record_and_claim_stands(claim, recorded, effective_at):
    for published_at in (BEFORE, BEGINS, ISSUED, ENDS, AFTER):
        found = counts(record(recorded, effective_at=effective_at, published_at=published_at), claim=claim)
        assert found.level is max(claim, recorded)


@pytest.mark.parametrize(("recorded", "level"), [(GREEN, UNMAPPED), (YELLOW, UNMAPPED), (RED, RED)])
def test_within_the_skew_an_unmapped_claim_is_mended_by_nothing_but_red(recorded, level):
    for times in ((BEGINS, BEGINS), (ISSUED, ISSUED), (ENDS, ENDS), (BEFORE, AFTER), (AFTER, ISSUED)):
        assert counts(record(recorded, effective_at=times[0], published_at=times[1]), claim=UNMAPPED).level is level
    assert counts(record(recorded, effective_at=BEFORE, published_at=BEFORE), claim=UNMAPPED).level is UNMAPPED


@pytest.mark.parametrize("recorded", [GREEN, YELLOW, RED])
def test_against_no_claim_the_homes_record_stands_whatever_its_times(recorded):
    for times in ((1, 1), (BEGINS, BEFORE), (ISSUED, ISSUED), (AFTER, AFTER)):
        found = counts(record(recorded, effective_at=times[0], published_at=times[1]), claim=UNMAPPED, is_made=False)
        assert found == EffectiveLevel(recorded, red_by_national=False, red_by_host=False, counted=1)
    assert counts(claim=UNMAPPED, is_made=False).level is UNMAPPED


def test_a_record_that_was_weighed_and_left_the_claim_as_it_is_was_counted():
    assert counts(record(GREEN, effective_at=BEFORE, published_at=BEFORE), claim=RED).counted == 1
    assert counts(record(GREEN), claim=GREEN).counted == 1
    for silent in (record(RED, effective_at=NOW + 1), record(RED, expires_at=NOW), record(RED, OTHER)):
        assert counts(silent).counted == 0


TIMES_AROUND = [ISSUED + edge + beside for edge in (-SKEW, 0, SKEW) for beside in (-1, 0, 1)]


def test_arrays_are_weighed_as_numbers_are_at_every_edge():
    cases = list(product(LEVELS, TIMES_AROUND, TIMES_AROUND, Level, [False, True]))
    recorded, effective_at, published_at, claimed, no_claim = (np.array(column) for column in zip(*cases, strict=True))
    together = replaces_claim(
        recorded, effective_at, published_at, claimed, no_claim, np.full(len(cases), ISSUED), SKEW
    )
    assert together.dtype == bool
    for case, found in zip(cases, together.tolist(), strict=True):
        alone = replaces_claim(*case, ISSUED, SKEW)
        assert alone is found, case
        assert alone is expected_of_one(*case, ISSUED, SKEW), case


def expected_of_one(recorded, effective_at, published_at, claimed, no_claim, issued_at, skew):
    """The design's words on one record, each by itself."""
    later, earlier = max(effective_at, published_at), min(effective_at, published_at)
    if no_claim:
        return True
    if earlier > issued_at + skew:
        return True
    if later < issued_at - skew:
        return False
    if claimed == UNMAPPED:
        return recorded == RED
    return recorded >= claimed


@pytest.mark.parametrize(("effective_at", "counted"), [(NOW - 1, 1), (NOW, 1), (NOW + 1, 0)])
def test_a_record_counts_from_its_effective_time_on(effective_at, counted):
    assert counts(record(RED, effective_at=effective_at)).counted == counted


@pytest.mark.parametrize(("expires_at", "counted"), [(NOW - 1, 0), (NOW, 0), (NOW + 1, 1), (None, 1)])
def test_a_record_counts_until_its_expiry(expires_at, counted):
    assert counts(record(RED, expires_at=expires_at)).counted == counted


def test_the_highest_revision_whose_time_has_come_is_the_newest():
    old, new, waits = record(RED), record(GREEN, revision=2), record(RED, effective_at=NOW + 1, revision=3)
    for records in ([old, new, waits], [waits, new, old]):
        assert newest(records, HOME, Scope.NATIONAL, NOW) == new
        assert newest(records, HOME, Scope.NATIONAL, NOW + 1) == waits


def test_revisions_order_records_not_the_times_from_which_they_count():
    correction = record(GREEN, effective_at=120, revision=2)
    assert newest([record(RED, effective_at=180), correction], HOME, Scope.NATIONAL, NOW) == correction


def test_a_newest_record_that_has_expired_does_not_bring_back_an_older_one():
    assert newest([record(RED), record(GREEN, expires_at=NOW, revision=2)], HOME, Scope.NATIONAL, NOW) is None


def test_the_nations_and_the_hosts_records_count_beside_the_claim_and_the_most_severe_wins():
    assert counts(record(YELLOW, NATION)).level is YELLOW
    assert counts(local(YELLOW)).level is YELLOW
    assert counts(record(GREEN, NATION), local(GREEN), claim=YELLOW).level is YELLOW
    assert counts(record(GREEN), record(YELLOW, NATION), local(RED), claim=GREEN) == EffectiveLevel(
        RED, red_by_national=False, red_by_host=True, counted=3
    )


def test_records_beside_the_claim_count_even_if_they_are_older_than_the_code():
    assert counts(record(RED, NATION, effective_at=1, published_at=1)).red_by_national
    assert counts(local(RED, effective_at=1, published_at=1)).red_by_host


def test_a_red_of_the_home_is_nobody_elses_red():
    assert counts(record(RED)) == EffectiveLevel(RED, red_by_national=False, red_by_host=False, counted=1)


@pytest.mark.parametrize(
    "stranger",
    [
        record(RED, OTHER),
        record(RED, HOST),
        local(RED, OTHER),
        local(RED, HOME),
        local(RED, NATION),
    ],
    ids=["other region", "host, NATIONAL", "other region, LOCAL", "home, LOCAL", "nation, LOCAL"],
)
def test_a_record_of_a_region_with_no_say_never_counts(stranger):
    assert counts(stranger) == EffectiveLevel(GREEN, red_by_national=False, red_by_host=False, counted=0)


def test_a_local_record_does_not_count_where_the_host_is_no_adopter_or_a_translation_is_made():
    assert counts(local(RED), host=None).counted == 0


def test_an_adopters_two_words_on_its_own_residents_both_count_at_home():
    assert counts(record(GREEN, HOST), local(YELLOW), home=HOST) == EffectiveLevel(
        YELLOW, red_by_national=False, red_by_host=False, counted=2
    )


def test_where_the_home_is_the_nation_its_record_replaces_the_claim_and_is_counted_once():
    assert counts(record(GREEN, NATION), claim=RED, home=NATION) == EffectiveLevel(
        GREEN, red_by_national=False, red_by_host=False, counted=1
    )
    assert counts(record(RED, NATION), home=NATION) == EffectiveLevel(
        RED, red_by_national=True, red_by_host=False, counted=1
    )


def test_where_the_home_is_the_nation_a_code_that_was_issued_later_is_its_later_word():
    old = record(RED, NATION, effective_at=BEFORE, published_at=BEFORE)
    assert counts(old, home=NATION) == EffectiveLevel(GREEN, red_by_national=False, red_by_host=False, counted=1)
    assert counts(old, home=NATION, claim=RED).red_by_national is False
    late = old._replace(published_at=NOW)
    assert counts(late, home=NATION, claim=RED).red_by_national is True


def test_an_unmapped_claim_is_not_mended_by_a_record_beside_it():
    for level in (GREEN, YELLOW):
        assert counts(record(level, NATION), local(level), claim=UNMAPPED).level is UNMAPPED


def test_an_unmapped_claim_is_replaced_by_the_homes_own_record():
    assert counts(record(GREEN), claim=UNMAPPED).level is GREEN


@pytest.mark.parametrize("red", [record(RED, NATION), local(RED)], ids=["nation", "host"])
def test_red_beside_an_unmapped_claim_is_red(red):
    assert counts(red, claim=UNMAPPED).level is RED


def expected_level(claim, home, adopting_host, records, now, skew):
    """The design's paragraph on status, played record by record onto a board of who said what last."""
    board = {}
    for recorded in sorted(records, key=lambda r: r.revision):
        if recorded.effective_at <= now:
            board[recorded.publisher, recorded.scope] = recorded
    board = {
        source: recorded
        for source, recorded in board.items()
        if recorded.expires_at is None or now < recorded.expires_at
    }
    word, counted, reds = claim.level, 0, []
    own = board.get((home, Scope.NATIONAL))
    if own is not None:
        counted = 1
        times = own.effective_at, own.published_at
        if expected_of_one(own.level, *times, claim.level, not claim.is_made, claim.asserted_at, skew):
            word = own.level
            reds = [NATION] if home == NATION and own.level == RED else []
    words = [word]
    for source in ({(NATION, Scope.NATIONAL)} - {(home, Scope.NATIONAL)}) | {(adopting_host, Scope.LOCAL)}:
        if source in board:
            words.append(board[source].level)
            counted += 1
            reds += [source[0] if source[1] is Scope.NATIONAL else "host"] if board[source].level == RED else []
    if RED in words:
        level = RED
    elif word == UNMAPPED:
        level = UNMAPPED
    else:
        level = YELLOW if YELLOW in words else GREEN
    return EffectiveLevel(level, NATION in reds, "host" in reds, counted)


times = st.integers(0, 6)
records_of_anyone = st.lists(
    st.builds(
        StatusRecord,
        st.sampled_from([HOME, HOST, NATION, OTHER]),
        st.sampled_from(Scope),
        st.sampled_from([GREEN, YELLOW, RED]),
        times,
        st.none() | times,
        st.integers(1, 6),
        times,
    ),
    max_size=8,
    unique_by=lambda r: (r.publisher, r.scope, r.revision),
)


@given(
    st.builds(Claim, st.sampled_from(Level), times) | st.builds(Claim, st.just(UNMAPPED), times, st.just(False)),
    st.sampled_from([HOME, HOST, NATION]),
    st.sampled_from([None, HOST]),
    records_of_anyone,
    times,
    st.integers(0, 2),
)
def test_standing_is_what_the_design_tells(claim, home, host, records, now, skew):
    expected = expected_level(claim, home, host, records, now, skew)
    assert effective_level(claim, home, host, iter(records), now, skew) == expected
