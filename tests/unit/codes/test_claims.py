"""Claims in a region's own terms: read where the trust list says they stand, and never guessed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes import claims, times
from onecode_server.codes.claims import LocalClaims
from onecode_server.codes.times import MICROSECONDS
from onecode_server.errors import ClaimFault, ClaimMissing, Malformed
from onecode_server.model.trust_list import ClaimMap, Format, Region, TimeForm, TimeForms

from tests import formats
from tests.unit.codes.samples import PLACES

SECOND = MICROSECONDS
WHERE = PLACES[formats.JWT]
TREE = {"sub": "1", "level": "green", "iat": 100, "exp": 200}

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


def read(where: ClaimMap = WHERE, fmt: Format = formats.JWT, /, **changes: object) -> LocalClaims:
    tree = {name: value for name, value in (TREE | changes).items() if value is not ...}
    return claims.read(tree, where, fmt)


def test_claims_are_read_where_they_stand():
    assert read() == LocalClaims("1", "green", 100 * SECOND, 200 * SECOND, None)
    assert read(nbf=150).not_before == 150 * SECOND


def test_claims_are_read_from_inside_other_claims():
    where = ClaimMap(subject=("who", "id"), level=("health", "code", "now"), issued_at=("iat",), expiry=("exp",))
    assert read(where, who={"id": "7"}, health={"code": {"now": "绿"}}).level_word == "绿"
    health: object
    for health in ({"code": {}}, {"code": "now"}, {"code": ["now"]}, {}, [], "code", None):
        with pytest.raises(ClaimMissing, match="level at `health/code/now`"):
            read(where, who={"id": "7"}, health=health)


@pytest.mark.parametrize(
    ("health", "why"),
    [
        ({"code": {}}, "is missing"),
        ({}, "`health/code` is missing"),
        ("green", "`health`: expected an object or an array, found text"),
        ({"code": 7}, "`health/code`: expected an object or an array, found an integer"),
    ],
)
def test_where_the_way_to_a_claim_ends_is_told_without_a_value(health, why):
    where = ClaimMap(subject=("who", "id"), level=("health", "code", "now"), issued_at=("iat",), expiry=("exp",))
    with pytest.raises(ClaimMissing) as fault:
        read(where, who={"id": "7"}, health=health)
    assert (fault.value.claim, fault.value.place, fault.value.why) == ("level", "health/code/now", why)


class TestIndexesOfArrays:
    WHERE = ClaimMap(("holders", 1, "id"), ("d", 0), ("d", 2), ("d", 3))

    def test_an_integer_is_an_index_where_an_array_stands(self):
        tree = {"holders": [{"id": "6"}, {"id": "7"}], "d": ["green", "x", 100, 200]}
        for fmt in (formats.JWT, formats.NATIONAL):
            assert claims.read(tree, self.WHERE, fmt) == LocalClaims("7", "green", 100 * SECOND, 200 * SECOND, None)

    def test_an_integer_is_a_label_where_a_cbor_map_stands(self):
        tree = {"holders": {1: {"id": "7"}}, "d": {0: "green", 2: 100, 3: 200}}
        assert claims.read(tree, self.WHERE, formats.NATIONAL).subject == "7"

    @pytest.mark.parametrize("holders", [[], [{"id": "6"}], "id", {"1": {"id": "7"}}, [{"id": "6"}, ["7"]], None])
    def test_nothing_else_is_taken_for_an_element(self, holders):
        tree = {"holders": holders, "d": ["green", "x", 100, 200]}
        with pytest.raises(ClaimMissing, match="subject at `holders/1/id`"):
            claims.read(tree, self.WHERE, formats.JWT)

    def test_a_negative_label_never_counts_from_an_arrays_end(self):
        where = ClaimMap((-65537, -1), (-65538,), (6,), (4,))
        tree = {-65537: ["1", "2"], -65538: "green", 6: 100, 4: 200}
        with pytest.raises(ClaimMissing):
            claims.read(tree, where, formats.NATIONAL)

    def test_a_name_is_no_index_though_it_is_digits(self):
        where = ClaimMap(("holders", "1"), ("level",), ("iat",), ("exp",))
        with pytest.raises(ClaimMissing):
            read(where, holders=["6", "7"])


def test_the_beginning_may_be_the_time_of_issue():
    for fmt, name in ((formats.JWT, "nbf"), (formats.NATIONAL, 5)):
        where = ClaimMap(("sub",), ("level",), (name,), ("exp",))
        tree = {"sub": "1", "level": "green", name: 150, "exp": 200}
        found = claims.read(tree, where, fmt)
        assert (found.issued_at, found.not_before) == (150 * SECOND, 150 * SECOND)


class TestTimesInARegionsOwnForm:
    def test_each_time_has_its_own_form(self):
        forms = TimeForms(TimeForm.MILLISECONDS, TimeForm.LOCAL, None, 8 * 3600)
        where = ClaimMap(("sub",), ("level",), ("made",), ("until",), times=forms)
        tree = {"sub": "1", "level": "green", "made": 100_000, "until": "1970-01-01 08:05:00", "exp": 200}
        found = claims.read(tree, where, formats.JWT)
        assert (found.issued_at, found.expires_at) == (100 * SECOND, 200 * SECOND)
        assert claims.read(tree | {"exp": 900}, where, formats.JWT).expires_at == 300 * SECOND

    def test_a_registered_time_that_is_mapped_has_the_form_of_its_claim(self):
        forms = TimeForms(TimeForm.MILLISECONDS, TimeForm.MILLISECONDS)
        where = ClaimMap(("sub",), ("level",), ("nbf",), ("exp",), times=forms)
        found = claims.read({"sub": "1", "level": "green", "nbf": 100_000, "exp": 200_000}, where, formats.JWT)
        assert found == LocalClaims("1", "green", 100 * SECOND, 200 * SECOND, 100 * SECOND)

    def test_a_registered_time_that_is_not_mapped_has_the_registered_form(self):
        forms = TimeForms(TimeForm.MILLISECONDS, TimeForm.MILLISECONDS, TimeForm.MILLISECONDS)
        tree = {"sub": "1", "level": "green", "iat": 100_000, "until": 300_000, "exp": 200_000, "nbf": 150_000}
        where = ClaimMap(("sub",), ("level",), ("iat",), ("until",), times=forms)
        found = claims.read(tree, where, formats.JWT)
        assert (found.expires_at, found.not_before) == (200 * SECOND, 150 * SECOND)


def test_a_fault_names_the_claim_and_the_kinds_and_no_value():
    with pytest.raises(ClaimFault) as fault:
        read(exp="a secret")
    assert (fault.value.claim, fault.value.place) == ("expiry", "exp")
    assert str(fault.value) == "expiry at `exp`: expected seconds since 1970 or RFC 3339 text, found text"


@pytest.mark.parametrize("name", ["sub", "level", "iat", "exp"])
def test_a_promised_claim_that_is_missing_is_named(name):
    with pytest.raises(ClaimMissing):
        read(**{name: ...})


@pytest.mark.parametrize("tree", [{}, {"claims": TREE}, {"SUB": "1", "Level": "green", "iat ": 100}])
def test_a_claim_under_another_name_is_missing(tree):
    with pytest.raises(ClaimMissing):
        claims.read(tree, WHERE, formats.JWT)


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


def test_a_region_without_a_signed_code_has_no_claims():
    assert claims.of(Region("420000", "Hubei", formats.JWT, claims=WHERE)) is WHERE
    with pytest.raises(Malformed):
        claims.of(Region("310000", "Shanghai", formats.OPAQUE, prefix=b"SH-"))


FORMS = st.builds(
    TimeForms, *[st.none() | st.sampled_from(TimeForm)] * 3, utc_offset_s=st.integers(-86_340, 86_340).map(lambda s: s)
)


@pytest.mark.parametrize("fmt", PLACES)
@given(data=st.data())
def test_any_claims_are_read_or_malformed(fmt, data):
    where = replace(PLACES[fmt], times=data.draw(FORMS))
    names = [path[0] for path in (where.subject, where.level, where.issued_at, where.expiry) if path]
    values = NESTED | st.integers(0, 2**33) | st.just(bytes(16))
    tree = data.draw(st.fixed_dictionaries(dict.fromkeys(names, values)) | NESTED)
    try:
        found = claims.read(tree, where, fmt)
    except Malformed:
        return
    assert 0 <= found.issued_at < found.expires_at < times.TIME_MAX
    assert isinstance(found.level_word, str)
