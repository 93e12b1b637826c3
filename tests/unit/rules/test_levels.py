"""Which level counts: who may say what, from when, until when, and which word is the last."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.rules.levels import Standing, newest, standing

HOME, HOST, NATION, OTHER = "420000", "540000", "000000", "440000"
ISSUED, NOW = 100, 200
GREEN, YELLOW, RED, UNMAPPED = Level.GREEN, Level.YELLOW, Level.RED, Level.UNSPECIFIED


def record(level, publisher=HOME, scope=Scope.NATIONAL, effective_at=150, expires_at=None, revision=1):
    return StatusRecord(publisher, scope, level, effective_at, expires_at, revision)


def local(level, publisher=HOST, **more):
    return record(level, publisher, Scope.LOCAL, **more)


def counts(*records, claim=GREEN, home=HOME, host=HOST, now=NOW):
    return standing(claim, ISSUED, home, host, records, now)


def test_a_claim_stands_where_nobody_has_said_anything():
    assert counts(claim=YELLOW) == Standing(YELLOW, red_by_national=False, red_by_host=False, counted=0)


@pytest.mark.parametrize("claim", [GREEN, YELLOW, RED, UNMAPPED])
@pytest.mark.parametrize("said", [GREEN, YELLOW, RED])
def test_the_homes_record_replaces_the_claim_better_or_worse(claim, said):
    assert counts(record(said), claim=claim) == Standing(said, red_by_national=False, red_by_host=False, counted=1)


@pytest.mark.parametrize(("effective_at", "level"), [(ISSUED - 1, GREEN), (ISSUED, RED), (ISSUED + 1, RED)])
def test_the_homes_record_replaces_the_claim_only_if_it_is_not_older(effective_at, level):
    assert counts(record(RED, effective_at=effective_at)).level is level


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
    assert counts(record(GREEN), record(YELLOW, NATION), local(RED), claim=GREEN) == Standing(
        RED, red_by_national=False, red_by_host=True, counted=3
    )


def test_records_beside_the_claim_count_even_if_they_are_older_than_the_code():
    assert counts(record(RED, NATION, effective_at=ISSUED - 1)).red_by_national
    assert counts(local(RED, effective_at=ISSUED - 1)).red_by_host


def test_a_red_of_the_home_is_nobody_elses_red():
    assert counts(record(RED)) == Standing(RED, red_by_national=False, red_by_host=False, counted=1)


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
    assert counts(stranger) == Standing(GREEN, red_by_national=False, red_by_host=False, counted=0)


def test_a_local_record_does_not_count_where_the_host_is_no_adopter_or_a_translation_is_made():
    assert counts(local(RED), host=None).counted == 0


def test_an_adopters_two_words_on_its_own_residents_both_count_at_home():
    assert counts(record(GREEN, HOST), local(YELLOW), home=HOST) == Standing(
        YELLOW, red_by_national=False, red_by_host=False, counted=2
    )


def test_where_the_home_is_the_nation_its_record_replaces_the_claim_and_is_counted_once():
    assert counts(record(GREEN, NATION), claim=RED, home=NATION) == Standing(
        GREEN, red_by_national=False, red_by_host=False, counted=1
    )
    assert counts(record(RED, NATION), home=NATION) == Standing(RED, red_by_national=True, red_by_host=False, counted=1)


def test_an_unmapped_claim_is_not_mended_by_a_record_beside_it():
    for level in (GREEN, YELLOW):
        assert counts(record(level, NATION), local(level), claim=UNMAPPED).level is UNMAPPED


def test_an_unmapped_claim_is_replaced_by_the_homes_own_record():
    assert counts(record(GREEN), claim=UNMAPPED).level is GREEN


@pytest.mark.parametrize("red", [record(RED, NATION), local(RED)], ids=["nation", "host"])
def test_red_beside_an_unmapped_claim_is_red(red):
    assert counts(red, claim=UNMAPPED).level is RED


def told(claim, issued_at, home, adopting_host, records, now):
    """The design's paragraph on status, played record by record onto a board of who said what last."""
    board = {}
    for said in sorted(records, key=lambda r: r.revision):
        if said.effective_at <= now:
            board[said.publisher, said.scope] = said
    board = {who: said for who, said in board.items() if said.expires_at is None or now < said.expires_at}
    word, counted, reds = claim, 0, []
    own = board.get((home, Scope.NATIONAL))
    if own is not None and own.effective_at >= issued_at:
        word, counted = own.level, 1
        reds = [NATION] if home == NATION and own.level == RED else []
    words = [word]
    for who in ({(NATION, Scope.NATIONAL)} - {(home, Scope.NATIONAL)}) | {(adopting_host, Scope.LOCAL)}:
        if who in board:
            words.append(board[who].level)
            counted += 1
            reds += [who[0] if who[1] is Scope.NATIONAL else "host"] if board[who].level == RED else []
    if RED in words:
        level = RED
    elif word == UNMAPPED:
        level = UNMAPPED
    else:
        level = YELLOW if YELLOW in words else GREEN
    return Standing(level, NATION in reds, "host" in reds, counted)


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
    ),
    max_size=8,
    unique_by=lambda r: (r.publisher, r.scope, r.revision),
)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    st.sampled_from(Level),
    times,
    st.sampled_from([HOME, HOST, NATION]),
    st.sampled_from([None, HOST]),
    records_of_anyone,
    times,
)
def test_standing_is_what_the_design_tells(claim, issued_at, home, host, records, now):
    expected = told(claim, issued_at, home, host, records, now)
    assert standing(claim, issued_at, home, host, iter(records), now) == expected
