"""The national code: COSE as this project and as python-cwt write it, and the forgeries of both."""

import cbor2
import cwt
import pytest
from cwt import COSE, COSEKey

from onecode_server.codes.encodings import base45, bounded_cbor
from onecode_server.codes.national import codec as national
from onecode_server.errors import AlgorithmNotAllowed, Malformed

from tests import formats
from tests.unit.codes.samples import CLAIMS

PAYLOAD = bounded_cbor.dumps(CLAIMS[formats.NATIONAL])
HEADER = {1: -8, 4: b"key-1"}


def code_of(item: object) -> bytes:
    return national.PREFIX + base45.encode(item if isinstance(item, bytes) else cbor2.dumps(item))


def code_with(
    protected: object = HEADER, unprotected: object = None, payload: object = PAYLOAD, size: int = 64
) -> bytes:
    """A code that nobody signed, with this in it."""
    header = protected if isinstance(protected, bytes) else cbor2.dumps(protected)
    return code_of([header, unprotected or {}, payload, bytes(size)])


@pytest.fixture(scope="module", params=[-8, -19], ids=["EdDSA", "Ed25519"])
def cose_key(request, key):
    return COSEKey.new({1: 1, 2: b"key-1", 3: request.param, -1: 6, -2: bytes(key.verify_key), -4: bytes(key)})


@pytest.mark.parametrize("tags", ["", "d2", "d83dd2"], ids=["untagged", "COSE_Sign1", "CWT"])
@pytest.mark.parametrize("kid_in", ["protected", "unprotected", "neither"])
def test_a_code_made_by_python_cwt_is_authentic(cose_key, tags, kid_in, is_authentic):
    protected: dict[int, object] = {1: cose_key.alg}
    unprotected: dict[int, object] = {}
    if kid_in != "neither":
        (protected if kid_in == "protected" else unprotected)[4] = b"key-1"
    made = COSE.new().encode_and_sign(PAYLOAD, cose_key, protected=protected, unprotected=unprotected)
    signed = national.decode(code_of(bytes.fromhex(tags) + made.removeprefix(b"\xd2")))
    assert signed.key_id == (b"" if kid_in == "neither" else b"key-1")
    assert is_authentic(signed)
    assert national.read_claims(signed.payload) == CLAIMS[formats.NATIONAL]


@pytest.mark.parametrize("tagged", [False, True])
def test_what_python_cwt_does_when_nothing_is_said_is_read(cose_key, tagged, is_authentic):
    made = cwt.encode(dict(CLAIMS[formats.NATIONAL]), cose_key, tagged=tagged)
    signed = national.decode(code_of(made))
    assert signed.key_id == b"key-1"
    assert is_authentic(signed)
    assert national.read_claims(signed.payload)[-65538] == "GREEN"


def test_a_code_made_here_is_verified_by_python_cwt(minted, key):
    raw = base45.decode(minted[formats.NATIONAL].removeprefix(b"NC1:"))
    public = COSEKey.new({1: 1, 2: b"key-1", 3: -8, -1: 6, -2: bytes(key.verify_key)})
    assert cwt.decode(raw, public) == CLAIMS[formats.NATIONAL]


def test_a_code_made_here_is_deterministic_cbor_with_the_key_id_signed(minted):
    raw = base45.decode(minted[formats.NATIONAL].removeprefix(b"NC1:"))
    item = cbor2.loads(raw)
    assert item.tag == 18
    assert cbor2.dumps(item, canonical=True) == raw
    assert cbor2.loads(item.value[0]) == HEADER
    assert item.value[1] == {}


def test_the_protected_key_id_counts_where_there_are_two():
    assert national.decode(code_with({1: -8, 4: b"signed"}, {4: b"loose"})).key_id == b"signed"


@pytest.mark.parametrize(
    "algorithm", [-7, -35, -37, -257, 5, 0, 8, -9, -53, -8.0, -19.0, "EdDSA", "Ed25519", None, True, b"", [-8], {}]
)
def test_a_code_with_another_algorithm_is_refused(algorithm):
    with pytest.raises(AlgorithmNotAllowed):
        national.decode(code_with({1: algorithm, 4: b"key-1"}))


@pytest.mark.parametrize("protected", [b"", b"\xa0", {4: b"key-1"}, {"alg": -8}, {-8: 1}])
def test_a_code_whose_algorithm_is_not_signed_is_refused(protected):
    with pytest.raises(AlgorithmNotAllowed):
        national.decode(code_with(protected, {1: -8, 4: b"key-1"}))


@pytest.mark.parametrize("critical", [[], [4], ["x"], None, 0, False])
def test_a_code_with_critical_parameters_is_refused(critical):
    with pytest.raises(Malformed, match="critical"):
        national.decode(code_with({1: -8, 2: critical, 4: b"key-1"}))


@pytest.mark.parametrize("kid", [1, "key-1", None, [], True])
@pytest.mark.parametrize("signed", [True, False])
def test_a_key_id_that_is_no_byte_string_is_refused(kid, signed):
    with pytest.raises(Malformed):
        national.decode(code_with({1: -8, 4: kid}) if signed else code_with({1: -8}, {4: kid}))


@pytest.mark.parametrize("size", [0, 1, 32, 63, 65, 96, 128])
def test_a_signature_of_another_length_is_refused(size):
    with pytest.raises(Malformed):
        national.decode(code_with(size=size))


@pytest.mark.parametrize(
    "item",
    [
        [],
        [b"", {}, PAYLOAD],
        [cbor2.dumps(HEADER), {}, PAYLOAD, bytes(64), b""],
        [HEADER, {}, PAYLOAD, bytes(64)],
        [cbor2.dumps(HEADER), [], PAYLOAD, bytes(64)],
        [cbor2.dumps(HEADER), None, PAYLOAD, bytes(64)],
        [cbor2.dumps(HEADER), {}, None, bytes(64)],
        [cbor2.dumps(HEADER), {}, "claims", bytes(64)],
        [cbor2.dumps(HEADER), {}, CLAIMS[formats.NATIONAL], bytes(64)],
        [cbor2.dumps(HEADER), {}, PAYLOAD, "x" * 64],
        {1: 2},
        7,
        None,
        "NC1:",
        cbor2.CBORTag(17, [cbor2.dumps(HEADER), {}, PAYLOAD, bytes(64)]),
        cbor2.CBORTag(98, [cbor2.dumps(HEADER), {}, PAYLOAD, []]),
        cbor2.CBORTag(18, cbor2.CBORTag(18, [cbor2.dumps(HEADER), {}, PAYLOAD, bytes(64)])),
        cbor2.CBORTag(18, cbor2.CBORTag(61, [cbor2.dumps(HEADER), {}, PAYLOAD, bytes(64)])),
    ],
)
def test_what_is_no_cose_sign1_is_refused(item):
    with pytest.raises(Malformed):
        national.decode(code_of(item))


@pytest.mark.parametrize(
    "protected",
    [
        bytes.fromhex("a2012701 27".replace(" ", "")),
        bytes.fromhex("a2 01 27 18 01 27"),
        bytes.fromhex("a3 01 27 04 41 61 04 41 62"),
        bytes.fromhex("a1 01 27 00"),
        bytes.fromhex("a1 01"),
        b"\x80",
        b"\x01",
        b"\xd2\xa1\x01\x27",
    ],
)
def test_a_protected_header_that_is_no_map_of_unique_keys_is_refused(protected):
    with pytest.raises(Malformed):
        national.decode(code_with(protected))


def test_a_key_id_that_stands_twice_in_the_unprotected_header_is_refused():
    header = cbor2.dumps(cbor2.dumps({1: -8}))
    item = b"\x84" + header + bytes.fromhex("a2 04 41 61 18 04 41 62") + cbor2.dumps(PAYLOAD) + cbor2.dumps(bytes(64))
    with pytest.raises(Malformed, match="duplicate"):
        national.decode(code_of(item))


def test_an_envelope_of_indefinite_lengths_is_read_and_authentic(sign, is_authentic):
    protected, payload = bytes.fromhex("bf 01 27 04 5f 41 6b 40 ff ff"), b"\xbf" + PAYLOAD[1:] + b"\xff"
    signature = sign(cbor2.dumps(["Signature1", protected, b"", payload]))
    pieces = b"\x5f" + b"".join(cbor2.dumps(payload[n : n + 20]) for n in range(0, len(payload), 20)) + b"\xff"
    signed = national.decode(
        code_of(b"\x9f" + cbor2.dumps(protected) + b"\xbf\xff" + pieces + cbor2.dumps(signature) + b"\xff")
    )
    assert signed.key_id == b"k"
    assert is_authentic(signed)
    assert national.read_claims(signed.payload) == CLAIMS[formats.NATIONAL]


@pytest.mark.parametrize("payload", [b"", b"\x80", b"\x01", b"\xf6", b"\x41\x61", b"\xd2\xa0", b"\xa0\x00", b"{}"])
def test_claims_that_are_no_map_are_refused(payload):
    with pytest.raises(Malformed):
        national.read_claims(payload)
