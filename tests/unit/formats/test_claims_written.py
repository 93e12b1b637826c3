"""Claims that were written are read back as they were, wherever a region wants them to stand."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from onecode_server.formats import CODECS, claims
from onecode_server.model.trust_list import ClaimMap, Format

from tests.unit.formats.samples import PLACES

steadily = settings(derandomize=True, deadline=None, max_examples=60)

TIME_MAX = 2**32 * claims.MICROSECONDS  # to the year 2106 a float holds every microsecond
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
NAMES = st.sampled_from(["sub", "iat", "who", "id", "health", "状态", "x"])
LABELS = st.sampled_from([2, 4, 6, -65537, -65538, -70001, 300, "health", "状态"])


def paths(fmt: Format) -> st.SearchStrategy[tuple[str | int, ...]]:
    return st.lists(LABELS if fmt is Format.NATIONAL else NAMES, min_size=1, max_size=4).map(tuple)


def clash(places: list[tuple[str | int, ...]]) -> bool:
    return any(one[: len(other)] == other for i, one in enumerate(places) for j, other in enumerate(places) if i != j)


@pytest.mark.parametrize("fmt", CODECS)
@given(data=st.data())
@steadily
def test_claims_come_back_through_a_whole_code(fmt, data, sign):
    places = [data.draw(paths(fmt)) for _ in range(4)]
    assume(not clash(places))
    assume(all(place[0] not in (CODECS[fmt].EXPIRY, CODECS[fmt].NOT_BEFORE) for place in places))
    subject = data.draw(st.binary(min_size=16, max_size=16) | TEXT if fmt is Format.NATIONAL else TEXT)
    word, issued_at = data.draw(TEXT), data.draw(st.integers(0, TIME_MAX - 2))
    expires_at = data.draw(st.integers(issued_at + 1, TIME_MAX - 1))
    where = ClaimMap(*places)
    code = CODECS[fmt].mint(claims.write(where, fmt, subject, word, issued_at, expires_at), b"key-1", sign)
    read = claims.read(CODECS[fmt].read_claims(CODECS[fmt].decode(code).payload), where, fmt)
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
        (Format.NATIONAL, 1_700_000_000_000_000, 1_700_000_000),
        (Format.JWT, 1_700_000_000_500_000, 1_700_000_000.5),
        (Format.PASETO, 1_700_000_000_000_000, "2023-11-14T22:13:20+00:00"),
        (Format.PASETO, 1, "1970-01-01T00:00:00.000001+00:00"),
    ],
)
def test_times_are_written_as_the_format_registers_them(fmt, time, written):
    made = claims.write_time(time, fmt)
    assert (made, type(made)) == (written, type(written))


def test_two_claims_inside_one_object_share_it():
    where = ClaimMap(("data", "id"), ("data", "level"), ("data", "times", "iat"), ("data", "times", "exp"))
    tree = claims.write(where, Format.JWT, "1", "green", 0, 1_000_000)
    assert tree == {"data": {"id": "1", "level": "green", "times": {"iat": 0, "exp": 1}}}
