"""A layout reads what ``national`` reads, as ``national`` reads it, or leaves it alone."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.errors import Malformed
from onecode_server.formats import base45, bounded_cbor, national
from onecode_server.formats.columns import SECOND_US, Kind, octets
from onecode_server.formats.national_layout import NationalLayout, decode, learn, shape

from tests.unit.formats.samples import CLAIMS
from tests.unit.formats.samples import Format as Formats

PLAIN = CLAIMS[Formats.NATIONAL]
PROPERTY = settings(derandomize=True, deadline=None, max_examples=300)


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
    tree = national.read_claims(signed.payload)
    assert {(label,) for label in tree} == set(layout.claims)
    for (label,), field in layout.claims.items():
        (value,) = octets(data, field)
        if field.kind is Kind.TIME:
            assert layout.times(data, field).tolist() == [tree[label] * SECOND_US]
        elif field.kind is Kind.TEXT:
            assert value.decode() == tree[label]
        elif field.kind is Kind.BYTES:
            assert value == tree[label]
    return True


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
    "claims",
    [
        {1: "330000", 4: 4_000_000_001, 5: ISSUED, 6: ISSUED, -65537: bytes(16), -65538: "GREEN", -65539: "540000"}
        for ISSUED in (1_700_000_000,)
    ]
    + [{1: "420000", 4: 4_000_000_000, 6: 1_700_000_000, 2: "a local identifier", -70001: "0"}],
    ids=["all of ours", "own labels"],
)
def test_other_claims_make_other_layouts(claims):
    assert agrees(NationalLayout(mint(claims)), mint(claims, b"otherkey", bytes(64)))
    assert not read(NationalLayout(mint(claims)), [mint(claims | {9: "new"})])[1]


@pytest.mark.parametrize(
    "code",
    [
        mint(PLAIN | {-65538: ["GREEN"]}),
        mint(PLAIN | {-65538: {"a": 1}}),
        mint(PLAIN | {4: 4e9 + 0.5}),
        mint(PLAIN | {"text": "label"}),
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


@PROPERTY
@given(at=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_changed_byte_is_read_as_national_reads_it_or_left_alone(at, byte):
    cbor = bytearray(cbor_of(mint(PLAIN)))
    cbor[at % len(cbor)] = byte
    agrees(NationalLayout(mint(PLAIN)), code_of(bytes(cbor)))


@PROPERTY
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


@PROPERTY
@given(cut=st.binary(max_size=250))
def test_no_bytes_at_all_make_a_layout_fail_otherwise_than_by_having_none(cut):
    for cbor in (cut, b"\xd2\x84" + cut, cbor_of(mint(PLAIN))[: len(cut)], cbor_of(mint(PLAIN))[:-3] + cut):
        try:
            layout = learn(code_of(cbor))
        except ValueError:
            continue
        assert layout.fits(decode([code_of(cbor)], shape(code_of(cbor)))[0]).all()


def test_text_that_is_not_ascii_is_left_to_national():
    layout = NationalLayout(mint(PLAIN | {-65538: "abc"}))
    assert not read(layout, [mint(PLAIN | {-65538: "绿"})])[1]
