"""One region's entry of the trust list: taken whole, or refused in one line that says why."""

import pytest

from onecode_server.crypto.signing import public_key_fault
from onecode_server.errors import Malformed
from onecode_server.formats import region_entry
from onecode_server.model.status import Level
from onecode_server.model.trust_list import ClaimMap, Format, KeyState, Role

from tests.unit.formats.samples import HUBEI, NATION, SHANGHAI, TIBET

CLAIMS, LABELS = HUBEI["claims"], NATION["claims"]
SURROGATE = "\ud800"


def read(entry, **changes):
    members = {name: value for name, value in (entry | changes).items() if value is not ...}
    return region_entry.read(members, public_key_fault, [])


def refused(entry, **changes) -> str:
    with pytest.raises(Malformed) as fault:
        read(entry, **changes)
    line = str(fault.value)
    assert line.encode()
    assert "\n" not in line
    return line


@pytest.fixture
def public_key(key) -> str:
    return bytes(key.verify_key).hex()


@pytest.fixture
def key_entry(public_key):
    return {"kid": "key-1", "public_key": public_key}


def test_a_region_with_a_code_of_its_own_is_read():
    region = read(HUBEI)
    assert (region.code, region.name, region.format, region.adopts_national) == ("420000", "Hubei", Format.JWT, False)
    assert region.claims == ClaimMap(("sub",), ("health", "code"), ("iat",), ("exp",))
    assert region.levels == {"绿": Level.GREEN, "红": Level.RED}
    assert region.word_for(Level.RED) == "红"


def test_the_other_kinds_of_region_are_read():
    assert read(NATION).claims.subject == (-65537,)
    assert read(SHANGHAI).prefix == b"SH-"
    for entry in (TIBET, TIBET | {"format": "national"}):
        assert read(entry).adopts_national


def test_seconds_are_read():
    where = read(HUBEI, claims=CLAIMS | {"expiry": None, "valid_for_s": 86_400, "code_age_max_s": 1}).claims
    assert (where.expiry, where.valid_for_s, where.code_age_max_s) == (None, 86_400, 1)


@pytest.mark.parametrize("entry", [None, [], "420000", 420000, True])
def test_an_entry_that_is_no_object_is_refused(entry):
    with pytest.raises(Malformed):
        region_entry.read(entry, public_key_fault, [])


@pytest.mark.parametrize(
    ("member", "values"),
    [
        ("code", [..., None, 420000, "42000", "4200000", "４２００００", "420000\n", "Hubei", ["420000"], True]),
        ("name", [..., None, 1, "", "x" * 101, ["Hubei"], SURROGATE]),
        ("format", [..., None, "HUBEI", "jws", 1, [], {}, True]),
        ("adopts_national", [None, 1, "true", [], "false"]),
        ("claims", [..., None, [], "sub", {}]),
        ("levels", [..., None, [], {}, "GREEN", {"绿": "green"}, {"绿": "UNSPECIFIED"}, {"绿": 1}, {"绿": ["RED"]}]),
        ("levels", [{"": "GREEN"}, {SURROGATE: "GREEN"}, {str(n): "GREEN" for n in range(1001)}]),
        ("keys", [None, {}, "key-1", 1]),
        ("prefix", ["SH-", None, ""]),
        ("unknown", [1, None]),
        (SURROGATE, [1]),
    ],
)
def test_a_region_with_one_wrong_member_is_refused(member, values):
    for value in values:
        refused(HUBEI, **{member: value})


@pytest.mark.parametrize(
    "step", [None, True, 1, 1.5, "", [], {}, [[]], ["a", ""], ["a", None], ["a"] * 7, SURROGATE, ["a", SURROGATE]]
)
@pytest.mark.parametrize("claim", ["subject", "level", "issued_at", "expiry"])
def test_a_claim_that_stands_nowhere_is_refused(claim, step):
    if (claim, step) != ("expiry", None):
        refused(HUBEI, claims=CLAIMS | {claim: step})
    if step not in (1, None):
        refused(NATION, claims=LABELS | {claim: step})


@pytest.mark.parametrize("label", [2**64, -(2**64) - 1, 10**30])
def test_a_label_that_cbor_writes_as_a_bignum_is_refused(label):
    refused(NATION, claims=LABELS | {"subject": label})
    assert read(NATION, claims=LABELS | {"subject": 2**64 - 1}).claims.subject == (2**64 - 1,)


@pytest.mark.parametrize("place", ["onecode", ["onecode", "region"]])
@pytest.mark.parametrize("claim", ["subject", "level", "issued_at", "expiry"])
def test_no_claim_may_stand_where_translations_name_their_source(claim, place):
    assert "translations" in refused(HUBEI, claims=CLAIMS | {claim: place})
    assert read(NATION, claims=LABELS | {claim: place})


@pytest.mark.parametrize("label", [1, 5, -65539, -65540, -65541, -65542, -65543])
@pytest.mark.parametrize("claim", ["subject", "level", "issued_at", "expiry"])
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


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "60", [], 100 * 366 * 86_400 + 1])
@pytest.mark.parametrize("name", ["valid_for_s", "code_age_max_s"])
def test_seconds_that_are_none_are_refused(name, value):
    refused(HUBEI, claims=CLAIMS | {name: value})


def test_claims_without_an_end_or_with_something_unknown_are_refused():
    assert "neither" in refused(HUBEI, claims=CLAIMS | {"expiry": None})
    assert "unknown" in refused(HUBEI, claims=CLAIMS | {"colour": "x"})


@pytest.mark.parametrize("prefix", [..., None, 1, "", "x" * 33, "SH 1", "SH\n", "上海", SURROGATE, ["SH-"], "\x7f"])
def test_an_opaque_region_without_a_printable_prefix_is_refused(prefix):
    refused(SHANGHAI, prefix=prefix)


@pytest.mark.parametrize("member", ["claims", "levels", "keys"])
def test_an_opaque_region_or_an_adopter_has_neither_claims_nor_keys(member):
    refused(SHANGHAI, **{member: {}})
    refused(TIBET, **{member: {}})
    refused(TIBET, prefix="TB-")
    refused(TIBET, format="jwt")


def test_the_national_authority_cannot_adopt_its_own_code():
    refused(TIBET, code="000000")


def test_a_key_is_read_with_its_state_and_times(key_entry, public_key):
    window = {"not_before": "2024-01-01T00:00:00Z", "not_after": 1_800_000_000}
    retired = {"state": "retired", "retired_at": "2024-06-01T00:00:00+08:00"}
    (read_key,) = read(HUBEI, keys=[key_entry | window | retired]).keys
    assert (read_key.region, read_key.format, read_key.key_id) == ("420000", Format.JWT, b"key-1")
    assert read_key.public_key.hex() == public_key
    assert (read_key.role, read_key.state) == (Role.ISSUER, KeyState.RETIRED)
    assert read_key.not_before < read_key.retired_at < read_key.not_after == 1_800_000_000_000_000


@pytest.mark.parametrize("fmt", ["national", "jwt", "paseto"])
def test_the_national_authority_has_a_gateway_key_for_each_format(fmt, key_entry):
    kid = "6777" if fmt == "national" else "gw"
    (gateway,) = read(NATION, keys=[key_entry | {"role": "gateway", "format": fmt, "kid": kid}]).keys
    assert (gateway.role, gateway.format, gateway.key_id) == (Role.GATEWAY, fmt, b"gw")


@pytest.mark.parametrize(
    ("kid", "fmt"), [("00ff", Format.NATIONAL), ("湖北-1", Format.JWT), ("k" * 255, Format.PASETO)]
)
def test_a_key_id_is_written_as_it_was_read(kid, fmt):
    assert region_entry.key_id_text(region_entry.key_id_bytes(kid, fmt), fmt) == kid


@pytest.mark.parametrize(
    ("name", "place"), [("level", "exp"), ("subject", "nbf"), ("expiry", "nbf"), ("expiry", ["exp", "at"])]
)
def test_a_claim_where_the_format_has_its_own_time_is_refused(name: str, place: object) -> None:
    # Every code of such a region would be unreadable: the format's expiry is read wherever a region maps its own.
    claims = {"subject": "sub", "level": "color", "issued_at": "iat", "expiry": "exp"} | {name: place}
    entry = {"code": "420000", "name": "Hubei", "format": "jwt", "claims": claims, "levels": {"g": "GREEN"}}
    with pytest.raises(Malformed, match=f"claim {name} stands where the format has its own"):
        region_entry.read(entry, lambda key: None, [])
