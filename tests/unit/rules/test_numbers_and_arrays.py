"""Rules that take numbers and arrays say the same of both, and what a plain statement of the rule says."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.model.code import Claims
from onecode_server.model.status import Level, Scope, Status, StatusRecord
from onecode_server.model.trust_list import IssuerKey, KeyState, Role
from onecode_server.rules import freshness, levels, validity

from tests import formats

PROPERTY = settings(max_examples=500)
SKEW = 3
TIMES = st.integers(0, 20)
SECONDS = st.sampled_from([0.0, 1.0, 5.0, 6.0, 30.0, 31.0, 36.0, 300.0, 301.0, 310.0, 700.0])


def vouches(key: IssuerKey, issued_at: int, now: int) -> bool:
    """Say the rule plainly: for one key, one code and one moment."""
    if key.state is KeyState.REVOKED:
        return False
    if key.state is KeyState.RETIRED and issued_at >= (key.retired_at or 0):
        return False
    if key.not_before is not None and min(issued_at, now) < key.not_before - SKEW:
        return False
    return key.not_after is None or max(issued_at, now) <= key.not_after + SKEW


@PROPERTY
@given(
    issued_at=st.lists(TIMES, min_size=1),
    now=TIMES,
    bounds=st.tuples(*[st.none() | TIMES] * 3),
    state=st.sampled_from(KeyState),
)
def test_a_key_vouches_within_its_window_and_nowhere_else(
    issued_at: list[int], now: int, bounds: tuple[int | None, int | None, int | None], state: KeyState
) -> None:
    key = IssuerKey("420000", formats.NATIONAL, b"k", bytes(32), Role.ISSUER, bounds[0], bounds[1], state, bounds[2])
    window = validity.key_window(key, SKEW)
    expected = [vouches(key, time, now) for time in issued_at]
    assert [validity.key_fault(key, time, now, SKEW) is None for time in issued_at] == expected
    assert [validity.may_vouch(window, time, now) for time in issued_at] == expected
    windows = np.array([window] * len(issued_at), np.int64).T
    assert validity.may_vouch(windows, np.array(issued_at, np.int64), now).tolist() == expected


@PROPERTY
@given(windows=st.lists(st.tuples(TIMES, TIMES, TIMES), min_size=1), now=TIMES, lifetimes=st.lists(TIMES, max_size=2))
def test_a_code_counts_from_its_beginning_until_its_earliest_end(
    windows: list[tuple[int, int, int]], now: int, lifetimes: list[int]
) -> None:
    issued_at, ends_at, not_before = (np.array(column, np.int64) for column in zip(*windows, strict=True))
    begins = [max(issued, before) for issued, _, before in windows]
    ends = [min(end, *(issued + lasts for lasts in [*lifetimes, 99])) for issued, end, _ in windows]
    assert validity.beginning(issued_at, not_before).tolist() == begins
    assert [validity.beginning(issued, before) for issued, _, before in windows] == begins
    assert validity.expiry(issued_at, [ends_at], lifetimes).tolist() == ends
    assert [validity.expiry(issued, [end], lifetimes) for issued, end, _ in windows] == ends
    claims = [
        Claims("420000", bytes(16), "G", Level.GREEN, issued, end, before)
        for (issued, _, before), end in zip(windows, ends, strict=True)
    ]
    expected = [begin - SKEW <= now < end + SKEW for begin, end in zip(begins, ends, strict=True)]
    assert [validity.window_fault(one, now, SKEW) is None for one in claims] == expected
    begun, ended = validity.has_begun(np.array(begins), now, SKEW), validity.has_ended(np.array(ends), now, SKEW)
    assert (begun & ~ended).tolist() == expected


BOUNDS = st.tuples(*[TIMES] * 4).map(lambda bounds: validity.KeyWindow(*bounds))


@PROPERTY
@given(
    codes=st.lists(st.tuples(BOUNDS, TIMES, TIMES, TIMES), min_size=1, max_size=5),
    now=TIMES,
    has_beginning=st.booleans(),
)
def test_a_code_is_valid_where_its_key_vouches_and_its_own_window_is_open(
    codes: list[tuple[validity.KeyWindow, int, int, int]], now: int, has_beginning: bool
) -> None:
    windows, issued_at, ends, begins = zip(*codes, strict=True)
    not_before = begins if has_beginning else (None,) * len(codes)
    expected = [
        validity.may_vouch(window, issued, now)
        and validity.has_begun(validity.beginning(issued, before), now, SKEW)
        and not validity.has_ended(end, now, SKEW)
        for window, issued, end, before in zip(windows, issued_at, ends, not_before, strict=True)
    ]
    each = zip(windows, issued_at, ends, not_before, strict=True)
    assert [validity.is_valid(*times, now, SKEW) for times in each] == expected
    first, last, before = (np.array(column, np.int64) for column in (issued_at, ends, begins))
    columns = np.array(windows, np.int64).T, first, last, before if has_beginning else None
    assert validity.is_valid(*columns, now, SKEW).tolist() == expected
    assert validity.are_valid(windows, issued_at, ends, begins if has_beginning else None, now, SKEW) is all(expected)


@PROPERTY
@given(
    asked=st.lists(st.tuples(SECONDS, SECONDS, st.booleans(), st.booleans(), SECONDS), min_size=1),
    followed_at_s=SECONDS,
    now_s=SECONDS,
)
def test_a_status_is_as_fresh_in_columns_as_it_is_alone(
    asked: list[tuple[float, float, bool, bool, float]], followed_at_s: float, now_s: float
) -> None:
    expected = []
    for read_as_of_s, read_at_s, is_followed, is_nothing, fed_as_of_s in asked:
        confirms = is_followed and not (is_nothing and followed_at_s - read_at_s > freshness.ABSENT_S)
        expected.append(max(read_as_of_s, fed_as_of_s) if confirms else read_as_of_s)
    read_as_of, read_at, followed, nothing, fed = (np.array(column) for column in zip(*asked, strict=True))
    confirmed_at_s = freshness.confirmed_at(read_as_of, read_at, followed, nothing, followed_at_s, fed)
    assert confirmed_at_s.tolist() == expected
    assert [freshness.confirmed_at(*one[:4], followed_at_s, one[4]) for one in asked] == expected
    ages_s = now_s - confirmed_at_s
    statuses = [freshness.status_at(age_s) for age_s in ages_s.tolist()]
    assert freshness.statuses_at(ages_s).tolist() == statuses
    for age_s, status in zip(ages_s.tolist(), statuses, strict=True):
        limits = (Status.CURRENT, freshness.CURRENT_S), (Status.STALE, freshness.STALE_S)
        assert status is next((status for status, limit_s in limits if age_s <= limit_s), Status.UNAVAILABLE)


@PROPERTY
@given(
    cases=st.lists(st.tuples(TIMES, st.none() | TIMES, TIMES, TIMES, st.booleans()), min_size=1),
    now=TIMES,
    claim=st.sampled_from(Level),
    recorded=st.sampled_from([Level.GREEN, Level.YELLOW, Level.RED]),
)
def test_a_homes_only_record_is_weighed_in_columns_as_it_is_alone(
    cases: list[tuple[int, int | None, int, int, bool]], now: int, claim: Level, recorded: Level
) -> None:
    effective_at, published_at, asserted_at = (np.array([case[n] for case in cases], np.int64) for n in (0, 2, 3))
    expires_at = np.array([levels.NEVER if expires is None else expires for _, expires, *_ in cases], np.int64)
    claimed = [claim if made else Level.UNSPECIFIED for *_, made in cases]
    counts = levels.in_effect(effective_at, expires_at, now)
    replaces_claim = levels.replaces_claim(
        np.full(len(cases), recorded, np.int64),
        effective_at,
        published_at,
        np.array(claimed, np.int64),
        np.array([not made for *_, made in cases], bool),
        asserted_at,
        SKEW,
    )
    for place, (effective, expires, published, spoken, made) in enumerate(cases):
        record = StatusRecord("420000", Scope.NATIONAL, recorded, effective, expires, 1, published)
        single = levels.effective_level(
            levels.Claim(claimed[place], spoken, made), "420000", "440000", [record], now, SKEW
        )
        level = recorded if counts[place] and replaces_claim[place] else claimed[place]
        assert single == levels.EffectiveLevel(level, False, False, int(counts[place]))
