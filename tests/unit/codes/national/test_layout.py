"""A layout reads what ``national`` reads, as ``national`` reads it, or leaves it alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes import claim_values, claims
from onecode_server.codes.encodings import base45, bounded_cbor
from onecode_server.codes.layouts import SECOND_US, Kind, octets
from onecode_server.codes.national import codec as national
from onecode_server.codes.national.layout import NationalLayout, decode, learn, shape
from onecode_server.errors import Malformed

from tests import formats
from tests.unit.codes.samples import CLAIMS

PLAIN = CLAIMS[formats.NATIONAL]


def mint(claims: dict[Any, Any], key_id: bytes = b"key-0001", signature: bytes = bytes(range(64))) -> bytes:
    return national.mint(claims, key_id, lambda _: signature)


def cbor_of(code: bytes) -> bytes:
    return base45.decode(code[4:])


def code_of(cbor: bytes) -> bytes:
    return national.PREFIX + base45.encode(cbor)


def read(layout: NationalLayout, codes: list[bytes]) -> tuple[Any, Any]:
    """Return the rows that fit, and which codes they are."""
    data, is_base45 = decode(codes, shape(codes[0]))
    fits = np.flatnonzero(is_base45 & layout.fits(data))
    return data[fits], fits.tolist()


def agrees(layout: NationalLayout, code: bytes) -> bool:
    """Tell whether a layout takes a code; where it does, it says what ``national`` says."""
    data, places = read(layout, [code])
    if not places:
        return False
    signed = national.decode(code)
    assert envelopes(layout, data) == [(signed.key_id, signed.signature, signed.message)]
    row = layout.row(code)
    assert row is not None
    assert layout.envelope(row) == layout.envelope(data[0].tobytes()) == signed[1:]
    tree = national.read_claims(signed.payload)
    assert set(layout.claims) == set(paths(tree))
    for path, field in layout.claims.items():
        (value,), claim = octets(data, field), claims.at(tree, path)
        if layout.is_time(field):
            assert layout.times(data, field).tolist() == [claim * SECOND_US] == [*layout.cutter((), [field])(row)]
        if field.kind is Kind.BYTES:
            assert value == claim
        elif field.kind is not Kind.OTHER:
            assert layout.text(field, value) == claim_values.read_level(claim)
    return True


def paths(tree: Mapping[Any, Any], before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of each claim, and of each in another one."""
    found = []
    for label, value in tree.items():
        found += [(*before, label), *(paths(value, (*before, label)) if isinstance(value, dict) else ())]
    return found


def envelopes(layout: NationalLayout, data: Any) -> list[tuple[bytes, bytes, bytes]]:
    key_ids = [layout.read_key_id(field) for field in octets(data, layout.key_id)]
    pairs = zip(layout.signatures(data), layout.messages(data), strict=True)
    return [
        (key_id, signature.tobytes(), message.tobytes())
        for key_id, (signature, message) in zip(key_ids, pairs, strict=True)
    ]


def test_codes_that_differ_in_values_alone_are_read_by_one_layout():
    layout = NationalLayout(mint(PLAIN))
    others = [
        mint(PLAIN | {1: "330000", 4: 4_000_000_001, -65537: bytes([n]) * 16, -65538: "BLACK"}, b"key-%04d" % n)
        for n in range(20)
    ]
    data, places = read(layout, others)
    assert places == list(range(20))
    signed = [national.decode(code) for code in others]
    assert envelopes(layout, data) == [(one.key_id, one.signature, one.message) for one in signed]
    assert all(agrees(layout, code) for code in others)


@pytest.mark.parametrize(
    "tree",
    [
        {1: "330000", 4: 4_000_000_001, 5: ISSUED, 6: ISSUED, -65537: bytes(16), -65538: "GREEN", -65539: "540000"}
        for ISSUED in (1_700_000_000,)
    ]
    + [
        {1: "420000", 4: 4_000_000_000, 6: 1_700_000_000, 2: "a local identifier", -70001: "0"},
        {1: "420000", 4: 4_000_000_000, 6: 1_700_000_000, 2: 420106198001011234, -70001: {"level": 2, "by": True}},
        {1: "420000", 4: 4_000_000_000, 6: 1_700_000_000, 2: 4_000_000_000, -70001: -1, "name": "绿", 9: None, 10: 300},
    ],
    ids=["all of ours", "own labels", "maps in maps", "numbers and words"],
)
def test_other_claims_make_other_layouts(tree):
    assert agrees(NationalLayout(mint(tree)), mint(tree, b"otherkey", bytes(64)))
    assert not read(NationalLayout(mint(tree)), [mint(tree | {11: "new"})])[1]


@pytest.mark.parametrize("level", [0, 1, 23, 24, 255, 256, 65_535, -1, -25, True, False, None])
def test_a_short_number_and_a_word_are_part_of_the_layout(level):
    layout = NationalLayout(mint(PLAIN | {-65538: level}))
    assert agrees(layout, mint(PLAIN | {-65538: level}, b"key-0002"))
    for other in (0, 1, 22, 25, 254, 257, 65_534, -2, -26, True, False, None):
        if (type(other), other) != (type(level), level):
            assert not read(layout, [mint(PLAIN | {-65538: other})])[1]


LONGER = {0x45: b"\x58\x05", 0x58: b"\x59\x00", 0x59: b"\x5a\x00\x00"}


@pytest.mark.parametrize("part", ["protected", "payload", "signature"])
def test_what_the_signature_does_not_cover_has_one_form_in_a_layout(part):
    cbor = cbor_of(mint(PLAIN))
    _, _, payload, signature = bounded_cbor.loads(cbor[1:])
    at = {"protected": 2, "payload": cbor.index(payload) - 2, "signature": cbor.index(signature) - 2}[part]
    head = b"\x58" + bytes([cbor[at] & 31]) if part == "protected" else LONGER[cbor[at]]
    longer = code_of(cbor[:at] + head + cbor[at + 1 :])
    assert national.decode(longer) == national.decode(mint(PLAIN))  # the same code, in another dress
    with pytest.raises(ValueError, match="fixed offsets"):
        NationalLayout(longer)


@pytest.mark.parametrize(
    "code",
    [
        mint(PLAIN | {-65538: ["GREEN"]}),
        mint(PLAIN | {-65538: {"a": {"b": {"c": {"d": {"e": 1}}}}}}),
        mint(PLAIN | {4: 4e9 + 0.5}),
        mint(PLAIN | dict.fromkeys(range(10, 30), "x")),
        code_of(cbor_of(mint(PLAIN))[1:]),  # untagged
        code_of(b"\xd8\x3d" + cbor_of(mint(PLAIN))),
    ],
)
def test_codes_without_fixed_offsets_have_no_layout(code):
    national.decode(code)  # though they are codes
    with pytest.raises(ValueError, match="fixed offsets"):
        NationalLayout(code)


def test_a_key_id_outside_of_the_protected_header_has_no_layout():
    parts = bounded_cbor.loads(cbor_of(mint(PLAIN))[1:])
    cbor = b"\xd2" + bounded_cbor.dumps([bounded_cbor.dumps({1: -8}), {4: b"k"}, parts[2], parts[3]])
    with pytest.raises(ValueError, match="fixed offsets"):
        NationalLayout(code_of(cbor))


@given(at=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_changed_byte_is_read_as_national_reads_it_or_left_alone(at, byte):
    cbor = bytearray(cbor_of(mint(PLAIN)))
    cbor[at % len(cbor)] = byte
    agrees(NationalLayout(mint(PLAIN)), code_of(bytes(cbor)))


@given(at=st.integers(4, 400), character=st.integers(0, 255))
def test_a_changed_character_is_read_as_national_reads_it_or_left_alone(at, character):
    code = bytearray(mint(PLAIN))
    code[4 + at % (len(code) - 4)] = character
    layout = NationalLayout(mint(PLAIN))
    taken = agrees(layout, bytes(code))
    try:
        base45.decode(bytes(code[4:]))
    except Malformed:
        assert not taken


@given(cut=st.binary(max_size=250))
def test_no_bytes_at_all_make_a_layout_fail_otherwise_than_by_having_none(cut):
    for cbor in (cut, b"\xd2\x84" + cut, cbor_of(mint(PLAIN))[: len(cut)], cbor_of(mint(PLAIN))[:-3] + cut):
        try:
            layout = learn(code_of(cbor))
        except (ValueError, Malformed):
            continue
        assert layout.fits(decode([code_of(cbor)], shape(code_of(cbor)))[0]).all()


@given(at=st.integers(0, 400), byte=st.integers(0, 255))
def test_of_text_that_is_not_ascii_every_bit_is_part_of_the_layout(at, byte):
    code = mint(PLAIN | {-65538: "绿码", 99: "é", "名": "a"})
    cbor = bytearray(cbor_of(code))
    cbor[at % len(cbor)] = byte
    agrees(NationalLayout(code), code_of(bytes(cbor)))


@pytest.mark.parametrize("junk", [b"\xff\xff\xff", b"\xe7\xbb\xff", b"\xe7\xbb\xc0", b"abc", b"\xed\xa0\x80"])
def test_a_layout_with_chinese_words_takes_no_bytes_that_are_no_text(junk):
    code = mint(PLAIN | {99: "绿"})
    assert not read(NationalLayout(code), [code_of(cbor_of(code).replace("绿".encode(), junk))])[1]


def test_text_that_is_not_ascii_is_left_to_national():
    layout = NationalLayout(mint(PLAIN | {-65538: "abc"}))
    assert not read(layout, [mint(PLAIN | {-65538: "绿"})])[1]
