"""The claims of a region's entry: each setting is taken as it is meant, and what no code can meet is refused."""

import json
import re
from pathlib import Path

import pytest

from onecode_server.errors import Malformed
from onecode_server.model.trust_list import TimeForm, TimeForms
from onecode_server.trust import claim_map, region_entry

from tests.pairwise import each_value
from tests.unit.codes.samples import HUBEI, NATION

CLAIMS, LABELS = HUBEI["claims"], NATION["claims"]
MAPPED = ["subject", "level", "issued_at", "expiry"]
SURROGATE = "\ud800"


def read(entry, **changes):
    return region_entry.read(entry | changes, lambda key: None, [])


def where(entry=HUBEI, **changes):
    members = entry["claims"] | changes
    return read(entry, claims={name: value for name, value in members.items() if value is not ...}).claims


def refused(entry, claims) -> str:
    with pytest.raises(Malformed) as fault:
        read(entry, claims=claims)
    line = str(fault.value)
    assert line.encode()
    assert "\n" not in line
    return line


NOWHERE: list[object] = [
    None,
    True,
    1,
    1.5,
    "",
    [],
    {},
    [[]],
    ["a", ""],
    ["a", None],
    ["a"] * 7,
    SURROGATE,
    ["a", SURROGATE],
]


@pytest.mark.parametrize(("step", "claim"), each_value(NOWHERE, MAPPED))
def test_a_claim_that_stands_nowhere_is_refused(claim, step):
    if (claim, step) != ("expiry", None):
        refused(HUBEI, claims=CLAIMS | {claim: step})
    if step not in (1, None):
        refused(NATION, claims=LABELS | {claim: step})


@pytest.mark.parametrize("label", [2**64, -(2**64) - 1, 10**30])
def test_a_label_that_cbor_writes_as_a_bignum_is_refused(label):
    refused(NATION, claims=LABELS | {"subject": label})
    assert read(NATION, claims=LABELS | {"subject": 2**64 - 1}).claims.subject == (2**64 - 1,)


@pytest.mark.parametrize(("other", "is_taken"), [(["a", 254], True), (["b", 1], True), (["b", 2], False)])
def test_arrays_for_which_no_translation_has_room_are_refused(other, is_taken):
    claims = CLAIMS | {"subject": ["a", 253, "x"], "level": ["a", 253, "y", 1], "expiry": other}
    if is_taken:
        assert read(HUBEI, claims=claims).claims.expiry == tuple(other)
    else:
        assert "for which no code has room" in refused(HUBEI, claims)
    labels = LABELS | {"subject": ["a", 2**32], "level": ["b", 2**32]}
    assert read(NATION, claims=labels).claims.subject == ("a", 2**32)


@pytest.mark.parametrize(("claim", "place"), each_value(MAPPED, ["onecode", ["onecode", "region"]]))
def test_no_claim_may_stand_where_translations_name_their_source(claim, place):
    assert "translations" in refused(HUBEI, claims=CLAIMS | {claim: place})
    assert read(NATION, claims=LABELS | {claim: place})


@pytest.mark.parametrize(("label", "claim"), each_value([1, -65539, -65540, -65541, -65542, -65543], MAPPED))
def test_no_claim_may_stand_at_a_label_that_means_the_same_everywhere(claim, label):
    assert "translations" in refused(NATION, claims=LABELS | {claim: label})
    assert "translations" in refused(NATION, claims=LABELS | {claim: [label, "x"]})


@pytest.mark.parametrize(
    "places",
    [
        {"level": "sub"},
        {"level": ["sub", "level"]},
        {"subject": ["iat", "sub"]},
        {"expiry": "iat"},
        {"expiry": ["health"]},
        {"issued_at": ["health", "code", "since"]},
    ],
)
def test_two_claims_at_one_place_are_refused(places):
    assert "same place" in refused(HUBEI, claims=CLAIMS | places)


@pytest.mark.parametrize(
    ("value", "name"),
    each_value([0, -1, True, 1.5, "60", [], 100 * 366 * 86_400 + 1], ["valid_for_s", "code_age_max_s"]),
)
def test_seconds_that_are_none_are_refused(name, value):
    refused(HUBEI, claims=CLAIMS | {name: value})


def test_claims_without_an_end_or_with_something_unknown_are_refused():
    assert "neither" in refused(HUBEI, claims=CLAIMS | {"expiry": None})
    assert "unknown" in refused(HUBEI, claims=CLAIMS | {"colour": "x"})


@pytest.mark.parametrize(
    ("name", "place"), [("level", "exp"), ("subject", "nbf"), ("expiry", "nbf"), ("expiry", ["exp", "at"])]
)
def test_a_claim_where_the_format_has_its_own_time_is_refused(name: str, place: object) -> None:
    # Every code of such a region would be unreadable: the format's expiry is read wherever a region maps its own.
    claims = {"subject": "sub", "level": "color", "issued_at": "iat", "expiry": "exp"} | {name: place}
    entry = {"code": "420000", "name": "Hubei", "format": "jwt", "claims": claims, "levels": {"g": "GREEN"}}
    with pytest.raises(Malformed, match=f"claim {name} stands where the format has its own"):
        region_entry.read(entry, lambda key: None, [])


@pytest.mark.parametrize(("entry", "name"), [(HUBEI, "nbf"), (NATION, 5)])
def test_the_beginning_may_be_the_time_of_issue_and_nothing_else(entry, name):
    assert where(entry, issued_at=name).issued_at == (name,)
    for claim in ("subject", "level", "expiry"):
        refused(entry, entry["claims"] | {claim: name})
    refused(entry, entry["claims"] | {"issued_at": [name, "x"]})


class TestIndexes:
    def test_an_index_stands_inside_of_a_path(self):
        assert where(subject=["holders", 0, "id"]).subject == ("holders", 0, "id")
        assert where(NATION, subject=[2, 0]).subject == (2, 0)

    @pytest.mark.parametrize("path", [0, [0], [0, "id"], ["d", -1], ["d", 256], ["d", True], ["d", 1.0]])
    def test_what_is_no_index_of_a_json_array_is_refused(self, path):
        assert "index of an array" in refused(HUBEI, CLAIMS | {"subject": path})

    def test_one_place_is_not_an_array_for_one_claim_and_an_object_for_another(self):
        line = refused(HUBEI, CLAIMS | {"subject": ["d", 0], "issued_at": ["d", "at"]})
        assert line == "the same place would be an object for one claim and an array for another: subject and issued_at"
        assert where(NATION, subject=[2, 0], issued_at=[2, "at"])  # a CBOR map may have both


class TestTimeFormat:
    def test_without_it_times_are_the_formats_own(self):
        assert where().times == TimeForms()

    def test_one_form_is_that_of_all_times(self):
        ms = TimeForm.MILLISECONDS
        assert where(time_format="ms").times == TimeForms(ms, ms, ms)

    def test_forms_are_given_claim_by_claim(self):
        found = where(time_format={"issued_at": "local", "expiry": "s_text"}, utc_offset="-05:30").times
        assert found == TimeForms(TimeForm.LOCAL, TimeForm.SECONDS_TEXT, None, -19_800)

    @pytest.mark.parametrize("form", ["seconds", "MS", "", 1, True, [], {"issued_at": None}, {"issued_at": "us"}])
    def test_a_form_that_nobody_knows_is_refused(self, form):
        assert "is not one of s, ms, s_text" in refused(HUBEI, CLAIMS | {"time_format": form})

    @pytest.mark.parametrize("offset", ["8", "+8", "+08", "+0800", "+24:00", "+08:60", "+08:00\n", 8, True, [], ""])
    def test_an_offset_that_is_none_is_refused(self, offset):
        assert "utc_offset" in refused(HUBEI, CLAIMS | {"time_format": "local", "utc_offset": offset})

    def test_local_time_and_an_offset_go_together(self):
        assert "needs a utc_offset" in refused(HUBEI, CLAIMS | {"time_format": "local"})
        assert "there is none" in refused(HUBEI, CLAIMS | {"time_format": "ms", "utc_offset": "+08:00"})
        assert "there is none" in refused(HUBEI, CLAIMS | {"utc_offset": "+08:00"})

    def test_the_form_of_an_expiry_needs_an_expiry(self):
        changed = CLAIMS | {"expiry": None, "valid_for_s": 60, "time_format": {"expiry": "ms"}}
        assert "claims has none" in refused(HUBEI, changed)

    def test_an_unknown_time_is_named_with_the_nearest(self):
        line = refused(HUBEI, CLAIMS | {"time_format": {"isued_at": "ms"}})
        assert line == "time_format has an unknown member 'isued_at': 'issued_at' is known"


class TestIssuer:
    def test_a_national_code_names_its_region_and_others_are_not_looked_at(self):
        assert where(NATION).issuer == "000000"
        assert where().issuer is None

    @pytest.mark.parametrize("entry", [HUBEI, NATION])
    def test_it_is_what_the_region_really_writes_or_none(self, entry):
        assert where(entry, issuer="https://hubei.example").issuer == "https://hubei.example"
        assert where(entry, issuer=None).issuer is None

    @pytest.mark.parametrize("issuer", ["", 420000, True, [], ["x"], "x" * 257, SURROGATE])
    def test_what_no_issuer_can_be_is_refused(self, issuer):
        assert "issuer is neither" in refused(HUBEI, CLAIMS | {"issuer": issuer})

    def test_no_claim_stands_where_a_fixed_issuer_does(self):
        assert where(subject="iss").subject == ("iss",)
        assert "subject stands where the issuer does" in refused(HUBEI, CLAIMS | {"subject": "iss", "issuer": "x"})


@pytest.mark.parametrize("name", ["isuer", "utc_ofset", "time_formats", "Subject"])
def test_an_unknown_member_is_refused_with_the_nearest(name):
    assert "is known" in refused(HUBEI, CLAIMS | {name: "x"})


@pytest.mark.parametrize("path", ["x" * 4096, ["x" * 2000, "y" * 2100], "绿" * 1400])
def test_a_name_that_no_code_has_room_for_is_refused(path):
    assert "longer name than any code" in refused(HUBEI, CLAIMS | {"subject": path})


class TestTheDocumentation:
    """docs/regions.md describes every setting, and its example is one."""

    TEXT = (Path(__file__).parents[3] / "docs" / "regions.md").read_text("utf-8")

    def test_its_example_is_taken(self):
        (example,) = re.findall(r"```json\n(.*?)```", self.TEXT, re.DOTALL)
        found = read(HUBEI, claims=json.loads(example)).claims
        assert found.subject == ("holders", 0, "no")
        assert found.times == TimeForms(TimeForm.MILLISECONDS, TimeForm.LOCAL, None, 8 * 3600)

    def test_it_names_every_member_and_every_form(self):
        for name in (*claim_map._MEMBERS, *TimeForm):
            assert f"`{name}`" in self.TEXT
