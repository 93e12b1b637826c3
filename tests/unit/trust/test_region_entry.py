"""One region's entry of the trust list: taken whole, or refused in one line that says why."""

import pytest

from onecode_server.crypto.signing import public_key_fault
from onecode_server.errors import Malformed
from onecode_server.model.status import Level
from onecode_server.model.trust_list import ClaimMap, KeyState, Role
from onecode_server.trust import region_entry

from tests import formats
from tests.unit.codes.samples import HUBEI, NATION, SHANGHAI, TIBET

CLAIMS = HUBEI["claims"]
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
    assert (region.code, region.name, region.format, region.adopts_national) == ("420000", "Hubei", formats.JWT, False)
    assert region.claims == ClaimMap(("sub",), ("health", "code"), ("iat",), ("exp",))
    assert read(NATION).claims == ClaimMap((-65537,), (-65538,), (6,), (4,), issuer="000000")
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
        ("levels", [{"x" * 4096: "GREEN"}, {"绿" * 1366: "GREEN"}]),
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
    assert (read_key.region, read_key.format, read_key.key_id) == ("420000", formats.JWT, b"key-1")
    assert read_key.public_key.hex() == public_key
    assert (read_key.role, read_key.state) == (Role.ISSUER, KeyState.RETIRED)
    assert read_key.not_before < read_key.retired_at < read_key.not_after == 1_800_000_000_000_000


@pytest.mark.parametrize("fmt", ["national", "jwt", "paseto"])
def test_the_national_authority_has_a_gateway_key_for_each_format(fmt, key_entry):
    kid = "6777" if fmt == "national" else "gw"
    (gateway,) = read(NATION, keys=[key_entry | {"role": "gateway", "format": fmt, "kid": kid}]).keys
    assert (gateway.role, gateway.format, gateway.key_id) == (Role.GATEWAY, fmt, b"gw")


@pytest.mark.parametrize(
    ("kid", "fmt"), [("00ff", formats.NATIONAL), ("湖北-1", formats.JWT), ("k" * 255, formats.PASETO)]
)
def test_a_key_id_is_written_as_it_was_read(kid, fmt):
    assert region_entry.key_id_text(region_entry.key_id_bytes(kid, fmt), fmt) == kid


def test_an_unknown_member_is_named_with_the_known_one_that_is_nearest():
    assert refused(HUBEI, lebels={}) == "the region has an unknown member 'lebels': 'levels' is known"
    assert refused(HUBEI, xyzzy={}) == "the region has an unknown member 'xyzzy'"
