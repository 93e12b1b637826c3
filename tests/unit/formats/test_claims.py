"""Claims in a region's own terms: read where the trust list says they stand, and never guessed."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.errors import ClaimMissing, Malformed
from onecode_server.formats import claims
from onecode_server.formats.claims import MICROSECONDS, LocalClaims
from onecode_server.model.trust_list import ClaimMap, Format, Region

from tests.unit.formats.samples import PLACES

SECOND = MICROSECONDS
WHERE = PLACES[Format.JWT]
TREE = {"sub": "1", "level": "green", "iat": 100, "exp": 200}
steadily = settings(derandomize=True, deadline=None, max_examples=100)

NESTED = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=20)
    | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


def read(where: ClaimMap = WHERE, fmt: Format = Format.JWT, **changes: object) -> LocalClaims:
    tree = {name: value for name, value in (TREE | changes).items() if value is not ...}
    return claims.read(tree, where, fmt)


def test_claims_are_read_where_they_stand():
    assert read() == LocalClaims("1", "green", 100 * SECOND, 200 * SECOND, None)
    assert read(nbf=150).not_before == 150 * SECOND


def test_claims_are_read_from_inside_other_claims():
    where = ClaimMap(subject=("who", "id"), level=("health", "code", "now"), issued_at=("iat",), expiry=("exp",))
    assert read(where, who={"id": "7"}, health={"code": {"now": "绿"}}).level_word == "绿"
    for health in ({"code": {}}, {"code": "now"}, {"code": ["now"]}, {}, [], "code", None):
        with pytest.raises(ClaimMissing, match="health/code/now"):
            read(where, who={"id": "7"}, health=health)


@pytest.mark.parametrize("name", ["sub", "level", "iat", "exp"])
def test_a_promised_claim_that_is_missing_is_named(name):
    with pytest.raises(ClaimMissing):
        read(**{name: ...})


@pytest.mark.parametrize("tree", [{}, {"claims": TREE}, {"SUB": "1", "Level": "green", "iat ": 100}])
def test_a_claim_under_another_name_is_missing(tree):
    with pytest.raises(ClaimMissing):
        claims.read(tree, WHERE, Format.JWT)


@pytest.mark.parametrize(("exp", "iat"), [(100, 100), (99, 100), (0, 0), (0, 1), (100, 100.000001)])
def test_an_expiry_that_is_not_after_the_issue_is_refused(exp, iat):
    with pytest.raises(Malformed, match="expires"):
        read(exp=exp, iat=iat)


class TestTheEarliestEndCounts:
    def test_a_code_without_an_expiry_is_valid_as_long_as_its_region_says(self):
        where = ClaimMap(("sub",), ("level",), ("iat",), ("until",), valid_for_s=60)
        assert read(where, exp=...).expires_at == 160 * SECOND
        assert read(where, exp=..., until=120).expires_at == 120 * SECOND
        assert read(where, exp=..., until=900).expires_at == 900 * SECOND

    def test_the_registered_expiry_counts_though_the_region_names_another(self):
        where = ClaimMap(("sub",), ("level",), ("iat",), ("until",))
        assert read(where, until=900, exp=150).expires_at == 150 * SECOND
        assert read(where, until=120, exp=150).expires_at == 120 * SECOND
        with pytest.raises(Malformed):
            read(where, until=900, exp=99)
        with pytest.raises(Malformed):
            read(where, until=900, exp="never")

    def test_the_greatest_age_counts_whatever_the_expiry(self):
        where = ClaimMap(("sub",), ("level",), ("iat",), ("exp",), code_age_max_s=30)
        assert read(where).expires_at == 130 * SECOND
        assert read(where, exp=110).expires_at == 110 * SECOND


@pytest.mark.parametrize(
    ("value", "subject"),
    [
        ("1", "1"),
        ("码" * 85, "码" * 85),
        (42, "42"),
        (-(2**63), str(-(2**63))),
        (2**64 - 1, str(2**64 - 1)),
        ("\0", "\0"),
    ],
)
def test_a_subject_is_text_or_a_number_as_text(value, subject):
    assert claims.read_subject(value, Format.JWT) == subject


@pytest.mark.parametrize(
    "value",
    [True, False, None, 1.0, [], ["1"], {}, {"id": "1"}, b"1", bytes(16), 2**64, -(2**63) - 1, 10**400, float("nan")],
)
def test_a_subject_of_another_type_is_refused(value):
    with pytest.raises(Malformed, match="type"):
        claims.read_subject(value, Format.JWT)


@pytest.mark.parametrize("value", ["", "x" * 257, "码" * 86, "x" * 3000, "😀" * 65, "x" * 255 + "é"])
def test_a_subject_that_is_empty_or_too_long_is_refused(value):
    with pytest.raises(Malformed, match="length"):
        claims.read_subject(value, Format.JWT)


@pytest.mark.parametrize("value", ["\ud800", "1\udfff", "\ud83d \ude00", "x" * 256 + "\ud800"])
def test_a_subject_with_a_lone_surrogate_is_refused(value):
    with pytest.raises(Malformed):
        claims.read_subject(value, Format.JWT)


@pytest.mark.parametrize("size", [0, 1, 15, 17, 32])
def test_a_pseudonym_stands_in_national_codes_only_and_has_sixteen_bytes(size):
    assert claims.read_subject(bytes(16), Format.NATIONAL) == bytes(16)
    with pytest.raises(Malformed):
        claims.read_subject(bytes(size), Format.NATIONAL)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("green", "green"),
        ("", ""),
        ("\ud800", "\ud800"),
        (0, "0"),
        (-1, "-1"),
        (1.0, "1.0"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        ([], "[]"),
        ([1, "a", None], '[1,"a",null]'),
        ({"code": 0, "name": "绿"}, r'{"code":0,"name":"\u7eff"}'),
        ({1: [True]}, '{"1":[true]}'),
    ],
)
def test_a_level_that_is_no_text_matches_by_its_json_text(value, word):
    assert claims.read_level(value) == word


def test_words_that_look_alike_stay_apart():
    assert len({claims.read_level(value) for value in (1, 1.0, True, "1.", [1], None)}) == 6


@pytest.mark.parametrize(
    "value",
    [
        b"green",
        {b"a": 1},
        [b""],
        datetime(2023, 1, 1, tzinfo=UTC),
        float("inf"),
        [float("nan")],
        10**4000,
        "long",
        {1: "long"},
    ],
)
def test_a_level_with_no_json_text_or_too_long_a_one_is_refused(value):
    value = ["x" * 500] if value == "long" else {"x" * 500: 1} if value == {1: "long"} else value
    with pytest.raises(Malformed):
        claims.read_level(value)


@pytest.mark.parametrize(
    "value", ["42000", "4200000", "42000a", "４２００００", "420000\n", 420000, None, b"420000", True, ["420000"]]
)
def test_a_region_that_is_not_six_digits_is_refused(value):
    assert claims.read_region("420000") == "420000"
    with pytest.raises(Malformed):
        claims.read_region(value)


def test_a_region_without_a_signed_code_has_no_claims():
    assert claims.of(Region("420000", "Hubei", Format.JWT, claims=WHERE)) is WHERE
    with pytest.raises(Malformed):
        claims.of(Region("310000", "Shanghai", Format.OPAQUE, prefix=b"SH-"))


@pytest.mark.parametrize("fmt", PLACES)
@given(data=st.data())
@steadily
def test_any_claims_are_read_or_malformed(fmt, data):
    where = PLACES[fmt]
    names = [path[0] for path in (where.subject, where.level, where.issued_at, where.expiry)]
    values = NESTED | st.integers(0, 2**33) | st.just(bytes(16))
    tree = data.draw(st.fixed_dictionaries(dict.fromkeys(names, values)) | NESTED)
    try:
        found = claims.read(tree, where, fmt)
    except Malformed:
        return
    assert 0 <= found.issued_at < found.expires_at < claims.TIME_MAX
    assert isinstance(found.level_word, str)
