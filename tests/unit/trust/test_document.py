"""The trust list as a file: refused as a whole where it must be, and otherwise never taken down by one bad entry."""

import hashlib
import json
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes.encodings import base64url
from onecode_server.crypto.signing import public_key_fault
from onecode_server.errors import TrustListRefused
from onecode_server.trust import document as trust_list

from tests.pairwise import each_value
from tests.unit.codes.samples import DOCUMENT, HUBEI, SHANGHAI, TIBET, parse, public_key, with_keys

HEADER = {"alg": "EdDSA", "typ": "onecode-trust-list+jws"}
LOW_ORDER, NOT_CANONICAL = "00" * 32, "ff" * 31 + "7f"


def jws(header=HEADER, payload=b"{}", signature=b"\0" * 64) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return b".".join(map(base64url.encode, (raw, payload, signature)))


def test_a_list_comes_back_from_its_file_signed_and_whole(sign, key):
    file = trust_list.put_together(DOCUMENT, sign)
    signed = trust_list.take_apart(file)
    key.verify_key.verify(signed.message, signed.signature)
    assert json.loads(signed.payload) == DOCUMENT
    taken = trust_list.parse(signed.payload, public_key_fault)
    assert (taken.version, taken.skipped) == (7, ())
    assert list(taken.regions) == ["000000", "420000", "440000", "310000", "540000"]
    assert [trust_list.rfc3339(time) for time in (taken.issued_at, taken.next_update)] == [
        DOCUMENT["issued_at"],
        DOCUMENT["next_update"],
    ]
    assert taken.digest == hashlib.sha256(signed.payload).digest() == trust_list.digest(signed.payload)


def test_the_same_document_gives_the_same_file(sign):
    assert trust_list.put_together(DOCUMENT, sign) == trust_list.put_together(deepcopy(DOCUMENT), sign)


def test_white_space_around_the_file_does_not_count():
    assert trust_list.take_apart(b"\n " + jws() + b"\r\n") == trust_list.take_apart(jws())
    assert trust_list.take_apart(jws(HEADER | {"alg": "Ed25519"})).payload == b"{}"


@pytest.mark.parametrize(
    "header",
    [
        HEADER | {"alg": "none"},
        HEADER | {"alg": "HS256"},
        HEADER | {"alg": None},
        HEADER | {"alg": ["EdDSA"]},
        HEADER | {"typ": "JWT"},
        HEADER | {"typ": None},
        HEADER | {"crit": []},
        HEADER | {"crit": ["b64"], "b64": False},
        {"alg": "EdDSA"},
        {"typ": "onecode-trust-list+jws"},
        {},
        [],
        "EdDSA",
        7,
        None,
        b"",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b"9" * 5000,
    ],
)
def test_a_header_of_something_else_is_refused(header):
    with pytest.raises(TrustListRefused):
        trust_list.take_apart(jws(header))


@pytest.mark.parametrize(
    "file",
    [b"", b".", b"..", b"...", b"{}", jws()[:-1] + b"=", jws() + b".AAAA", jws().replace(b".", b"", 1), b"\xff\xfe"],
)
def test_a_file_that_is_no_compact_jws_is_refused(file):
    with pytest.raises(TrustListRefused):
        trust_list.take_apart(file)


def test_a_file_beyond_the_bound_is_refused(monkeypatch):
    monkeypatch.setattr(trust_list, "FILE_BYTES_MAX", len(jws()))
    assert trust_list.take_apart(jws())
    with pytest.raises(TrustListRefused, match="larger"):
        trust_list.take_apart(jws() + b"\n")


@pytest.mark.parametrize("version", [True, False, 0, -1, 1.0, "7", None, [], 2**63, 10**30])
def test_a_version_that_is_no_positive_integer_is_refused(version):
    assert parse(version=2**63 - 1).version == 2**63 - 1
    with pytest.raises(TrustListRefused, match="version"):
        parse(version=version)


NO_TIMES: list[object] = [None, True, "", "2024-01-01", "2024-01-01T00:00:00", "1969-12-31T23:59:59Z", -1, 10**12, []]


@pytest.mark.parametrize(("time", "name"), each_value(NO_TIMES, ["issued_at", "next_update"]))
def test_a_list_without_its_times_is_refused(name, time):
    with pytest.raises(TrustListRefused):
        parse(**{name: time})


@pytest.mark.parametrize("name", DOCUMENT)
def test_a_list_that_lacks_what_it_must_have_is_refused(name):
    rest = {other: value for other, value in DOCUMENT.items() if other != name}
    with pytest.raises(TrustListRefused):
        trust_list.parse(json.dumps(rest).encode(), public_key_fault)


@pytest.mark.parametrize("regions", [None, {}, "420000", 1, True])
def test_regions_that_are_no_list_are_refused(regions):
    with pytest.raises(TrustListRefused):
        parse(regions=regions)


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'"list"', b"7", b"null", b"\xff", b"[" * 100_000, b"9" * 5000])
def test_a_payload_that_is_no_json_object_is_refused(payload):
    with pytest.raises(TrustListRefused):
        trust_list.parse(payload, public_key_fault)


@given(
    payload=st.binary(max_size=80)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=6),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from([*DOCUMENT, *HUBEI, "keys", "kid", "public_key", "x"]), inner, max_size=5)
        ),
    ).map(lambda value: json.dumps(DOCUMENT | {"regions": [value, HUBEI | {"keys": [value]}]}).encode())
)
def test_any_payload_is_a_list_or_refused(payload):
    try:
        taken = trust_list.parse(payload, public_key_fault)
    except TrustListRefused:
        return
    assert "420000" in taken.regions


NO_REGIONS: list[object] = [
    None,
    [],
    "420000",
    {},
    {"code": 42},
    {"code": "33"},
    {"code": "\ud800"},
    HUBEI | {"code": "330000", "name": "\ud800"},
    HUBEI | {"code": "330000", "claims": {}},
    HUBEI | {"code": "330000", "levels": {"绿": "green"}},
    HUBEI | {"code": "330000", "claims": HUBEI["claims"] | {"level": "onecode"}},
    HUBEI | {"code": "330000", "keys": {}},
    HUBEI | {"code": "330000", "\ud800": 1},
    SHANGHAI | {"code": "330000", "prefix": "eyJ"},
    SHANGHAI | {"code": "330000", "prefix": "N"},
    SHANGHAI | {"code": "330000", "prefix": "v4.public.x"},
    TIBET | {"code": "330000", "levels": {}},
]


@pytest.mark.parametrize(("entry", "at"), each_value(NO_REGIONS, [0, 2, 5]))
def test_one_bad_region_is_skipped_and_named_and_the_rest_is_read(entry, at):
    regions = [*DOCUMENT["regions"][:at], entry, *DOCUMENT["regions"][at:]]
    taken = parse(regions=regions)
    assert taken.regions == parse().regions
    assert len(taken.skipped) == 1
    assert ("330000" if "330000" in str(entry) else f"regions[{at}]") in taken.skipped[0].where
    assert json.dumps(taken.skipped, ensure_ascii=False).encode()  # fit for a log


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        {},
        {"kid": "bad"},
        {"kid": "bad", "public_key": None},
        {"kid": "bad", "public_key": public_key(9)[:-1]},
        {"kid": "bad", "public_key": public_key(9)[:-1] + "g"},
        {"kid": "bad", "public_key": "aa " * 21 + "a"},
        {"kid": "bad", "public_key": " " * 64},
        {"kid": "bad", "public_key": "０" * 64},
        {"kid": "bad", "public_key": public_key(9) + "\n"},
        {"kid": "bad", "public_key": LOW_ORDER},
        {"kid": "bad", "public_key": NOT_CANONICAL},
        {"kid": "", "public_key": public_key(9)},
        {"kid": "k" * 256, "public_key": public_key(9)},
        {"kid": "\ud800", "public_key": public_key(9)},
        {"kid": 7, "public_key": public_key(9)},
        {"kid": "bad", "public_key": public_key(9), "role": "root"},
        {"kid": "bad", "public_key": public_key(9), "role": "gateway", "format": "jwt"},
        {"kid": "bad", "public_key": public_key(9), "format": "paseto"},
        {"kid": "bad", "public_key": public_key(9), "state": "lost"},
        {"kid": "bad", "public_key": public_key(9), "state": "retired"},
        {"kid": "bad", "public_key": public_key(9), "retired_at": 1},
        {"kid": "bad", "public_key": public_key(9), "not_before": "soon"},
        {"kid": "bad", "public_key": public_key(9), "not_before": 5, "not_after": 5},
        {"kid": "bad", "public_key": public_key(9), "not_before": 5, "not_after": 0},
        {"kid": "bad", "public_key": public_key(9), "not_after": "2024-01-01T00:00:00"},
    ],
)
def test_one_bad_key_is_skipped_and_named_and_the_rest_is_read(entry):
    taken = with_keys(
        {"420000": [{"kid": "a", "public_key": public_key(1)}, entry, {"kid": "b", "public_key": public_key(2)}]}
    )
    assert [key.key_id for key in taken.regions["420000"].keys] == [b"a", b"b"]
    (skipped,) = taken.skipped
    assert skipped.where in ("region 420000 key bad", "region 420000 key 1")
    assert skipped.why.encode()


@pytest.mark.parametrize(
    "role", [{"role": "gateway"}, {"role": "gateway", "format": "opaque"}, {"role": "gateway", "format": "x"}]
)
def test_a_gateway_key_without_a_signed_format_is_skipped(role):
    taken = with_keys({"000000": [{"kid": "67", "public_key": public_key(1)} | role]})
    assert [skipped.where for skipped in taken.skipped] == ["region 000000 key 67"]


def test_a_national_key_id_that_is_not_hex_is_skipped():
    taken = with_keys({"000000": [{"kid": "key", "public_key": public_key(1)}]})
    assert [skipped.why for skipped in taken.skipped] == ["kid is not hex"]
