"""The rules over columns find what the rules for one code find."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.model.code import Claims
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.model.trust_list import Format, IssuerKey, KeyState
from onecode_server.rules import columns, levels, validity

PROPERTY = settings(derandomize=True, deadline=None, max_examples=500)
SKEW = 3
TIMES = st.integers(0, 20)


@PROPERTY
@given(
    issued_at=st.lists(TIMES, min_size=1),
    now=TIMES,
    bounds=st.tuples(*[st.none() | TIMES] * 3),
    state=st.sampled_from(KeyState),
)
def test_a_key_vouches_within_its_bounds_and_nowhere_else(
    issued_at: list[int], now: int, bounds: tuple[int | None, int | None, int | None], state: KeyState
) -> None:
    not_before, not_after, retired_at = bounds
    key = IssuerKey("420000", Format.NATIONAL, b"k", bytes(32), state=state, retired_at=retired_at)
    key = IssuerKey(
        "420000",
        Format.NATIONAL,
        b"k",
        bytes(32),
        not_before=not_before,
        not_after=not_after,
        state=state,
        retired_at=retired_at,
    )
    found = columns.key_bounds(key, SKEW)
    expected = [validity.key_fault(key, time, now, SKEW) is None for time in issued_at]
    if found is None:
        assert not any(expected)
        return
    rows = np.array([found] * len(issued_at), np.int64)
    assert columns.in_bounds(np.array(issued_at, np.int64), rows, now).tolist() == expected


@PROPERTY
@given(windows=st.lists(st.tuples(TIMES, TIMES, st.none() | TIMES), min_size=1), now=TIMES)
def test_a_window_holds_now_in_columns_as_it_does_alone(windows: list[tuple[int, int, int | None]], now: int) -> None:
    claims = [Claims("420000", bytes(16), "G", "420000", issued, ends, begins) for issued, ends, begins in windows]
    begins_at = np.array([max(issued, begins or 0) for issued, _, begins in windows], np.int64)
    ends_at = np.array([ends for _, ends, _ in windows], np.int64)
    expected = [validity.window_fault(one, now, SKEW) is None for one in claims]
    assert columns.in_window(begins_at, ends_at, now, SKEW).tolist() == expected


@PROPERTY
@given(
    cases=st.lists(st.tuples(TIMES, st.none() | TIMES, TIMES, TIMES, st.booleans()), min_size=1),
    now=TIMES,
    claim=st.sampled_from(Level),
    said=st.sampled_from([Level.GREEN, Level.YELLOW, Level.RED]),
)
def test_a_homes_only_record_is_weighed_in_columns_as_it_is_alone(
    cases: list[tuple[int, int | None, int, int, bool]], now: int, claim: Level, said: Level
) -> None:
    effective_at, published_at, spoken_at = (np.array([case[n] for case in cases], np.int64) for n in (0, 2, 3))
    expires_at = np.array([levels.NEVER if expires is None else expires for _, expires, *_ in cases], np.int64)
    claimed = [claim if made else Level.UNSPECIFIED for *_, made in cases]
    counts = levels.in_effect(effective_at, expires_at, now)
    stands = levels.stands(
        np.full(len(cases), said, np.uint8),
        effective_at,
        published_at,
        np.array(claimed, np.int64),
        np.array([not made for *_, made in cases], bool),
        spoken_at,
        SKEW,
    )
    for place, (effective, expires, published, spoken, made) in enumerate(cases):
        record = StatusRecord("420000", Scope.NATIONAL, said, effective, expires, 1, published)
        alone = levels.standing(levels.Claim(claimed[place], spoken, made), "420000", "440000", [record], now, SKEW)
        level = said if counts[place] and stands[place] else claimed[place]
        assert alone == levels.Standing(level, False, False, int(counts[place]))
