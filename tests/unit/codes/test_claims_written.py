"""Claims that were written are read back as they were, wherever a region wants them to stand."""

from functools import cache
from itertools import combinations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from onecode_server.codes import claims, times
from onecode_server.codes.codec import CODECS
from onecode_server.model.trust_list import ClaimMap, Format, TimeForm, TimeForms

from tests import formats
from tests.unit.codes.samples import PLACES

steadily = settings(max_examples=60)

TIME_MAX = 2**32 * times.MICROSECONDS  # to the year 2106 a float holds every microsecond
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
SUBJECTS = dict.fromkeys(CODECS, TEXT) | {formats.NATIONAL: TEXT | st.binary(min_size=16, max_size=16)}
FORMS = st.none() | st.sampled_from(TimeForm)
NAMES = st.sampled_from(["sub", "iat", "who", "id", "health", "状态", "x"])
LABELS: st.SearchStrategy[int | str] = st.sampled_from([2, 6, -65537, -65538, -70001, 300, "health", "状态"])


@cache
def paths(fmt: Format) -> st.SearchStrategy[tuple[str | int, ...]]:
    if fmt == formats.NATIONAL:
        return st.lists(LABELS, min_size=1, max_size=4).map(tuple)
    return st.tuples(NAMES, st.lists(NAMES | st.integers(0, 4), max_size=3)).map(lambda path: (path[0], *path[1]))


def clash(places: list[tuple[str | int, ...]], *, has_arrays: bool) -> bool:
    """Whether one place would have to be two things, which a region's entry is refused for."""
    for one, other in combinations(places, 2):
        apart = next((steps for steps in zip(one, other, strict=False) if steps[0] != steps[1]), None)
        if apart is None or (has_arrays and isinstance(apart[0], int) != isinstance(apart[1], int)):
            return True
    return False


@pytest.mark.parametrize("fmt", CODECS)
@given(data=st.data())
@steadily
def test_claims_come_back_through_a_whole_code(fmt, data, sign):
    places = [data.draw(paths(fmt)) for _ in range(4)]
    assume(not clash(places, has_arrays=fmt != formats.NATIONAL))
    assume(all(place[0] not in (CODECS[fmt].EXPIRY, CODECS[fmt].NOT_BEFORE) for place in places))
    subject = data.draw(SUBJECTS[fmt])
    issued, expiry, registered = (data.draw(FORMS) for _ in range(3))
    forms = TimeForms(issued, expiry, registered, 8 * 3600)
    word, issued_at = data.draw(TEXT), data.draw(st.integers(0, TIME_MAX - 2))
    expires_at = data.draw(st.integers(issued_at + 1, TIME_MAX - 1))
    where = ClaimMap(places[0], places[1], places[2], places[3], times=forms)
    code = CODECS[fmt].mint(claims.write(where, fmt, subject, word, issued_at, expires_at), b"key-1", sign)
    read = claims.read(CODECS[fmt].read_claims(CODECS[fmt].decode(code).payload), where, fmt, carries_pseudonym=True)
    assert read == claims.LocalClaims(subject, word, issued_at, expires_at, None)


@pytest.mark.parametrize("fmt", CODECS)
def test_a_region_without_an_expiry_of_its_own_gets_the_registered_one(fmt):
    where = ClaimMap(PLACES[fmt].subject, PLACES[fmt].level, PLACES[fmt].issued_at, valid_for_s=3600)
    tree = claims.write(where, fmt, "1", "green", 0, 60_000_000)
    assert CODECS[fmt].EXPIRY in tree
    assert claims.read(tree, where, fmt).expires_at == 60_000_000


@pytest.mark.parametrize(
    ("fmt", "time", "written"),
    [
        (formats.NATIONAL, 1_700_000_000_000_000, 1_700_000_000),
        (formats.JWT, 1_700_000_000_500_000, 1_700_000_000.5),
        (formats.PASETO, 1_700_000_000_000_000, "2023-11-14T22:13:20+00:00"),
        (formats.PASETO, 1, "1970-01-01T00:00:00.000001+00:00"),
    ],
)
def test_times_are_written_as_the_format_registers_them(fmt, time, written):
    made = times.write_time(time, None, as_text=CODECS[fmt].TIMES_ARE_TEXT)
    assert (made, type(made)) == (written, type(written))


def test_two_claims_inside_one_object_share_it():
    where = ClaimMap(("data", "id"), ("data", "level"), ("data", "times", "iat"), ("data", "times", "exp"))
    tree = claims.write(where, formats.JWT, "1", "green", 0, 1_000_000)
    assert tree == {"data": {"id": "1", "level": "green", "times": {"iat": 0, "exp": 1}}}


@pytest.mark.parametrize(
    ("form", "written"),
    [
        (TimeForm.SECONDS, (1_795_564_800, 1_795_564_860)),
        (TimeForm.MILLISECONDS, (1_795_564_800_000, 1_795_564_860_000)),
        (TimeForm.SECONDS_TEXT, ("1795564800", "1795564860")),
        (TimeForm.MILLISECONDS_TEXT, ("1795564800000", "1795564860000")),
        (TimeForm.RFC_3339, ("2026-11-25T00:00:00+00:00", "2026-11-25T00:01:00+00:00")),
        (TimeForm.LOCAL, ("2026-11-25 08:00:00", "2026-11-25 08:01:00")),
        (TimeForm.LOCAL_T, ("2026-11-25T08:00:00", "2026-11-25T08:01:00")),
    ],
)
@pytest.mark.parametrize("fmt", CODECS)
def test_times_are_written_as_the_region_writes_them(fmt, form, written):
    where = ClaimMap(("s",), ("l",), ("i",), ("e",), times=TimeForms(form, form, form, 8 * 3600))
    tree = claims.write(where, fmt, "1", "green", 1_795_564_800_000_000, 1_795_564_860_000_000)
    assert (tree["i"], tree["e"]) == written
    assert [type(tree[name]) for name in "ie"] == [type(time) for time in written]


def test_an_integer_step_makes_an_array_in_json_and_a_label_in_cbor():
    where = ClaimMap(("holders", 1, "id"), ("d", 0), ("d", 3), ("d", 2, 0))
    tree = claims.write(where, formats.JWT, "1", "green", 0, 1_000_000)
    assert tree == {"holders": [None, {"id": "1"}], "d": ["green", None, [1], 0]}
    where = ClaimMap((2, 1, "id"), (3, 0), (3, 3), (3, 2, 0))
    tree = claims.write(where, formats.NATIONAL, "1", "green", 0, 1_000_000)
    assert tree == {2: {1: {"id": "1"}}, 3: {0: "green", 3: 0, 2: {0: 1}}}
