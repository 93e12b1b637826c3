"""What holds for every signed format: told by its prefix, and a changed or broken code is never authentic."""

import base64
import json
from collections.abc import Callable

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.codes.codec import CODECS, codec_of
from onecode_server.codes.encodings import base45, base64url
from onecode_server.errors import Malformed
from onecode_server.model.code import SignedCode
from onecode_server.model.trust_list import Format

from tests import formats

steadily = settings(max_examples=80)
every_format = pytest.mark.parametrize("fmt", CODECS)

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NESTED = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)
JSON = st.dictionaries(st.sampled_from(["alg", "kid", "crit", "iat"]) | st.text(max_size=5), NESTED, max_size=5).map(
    lambda value: json.dumps(value).encode()
)
CBOR = st.lists(st.binary(max_size=80) | st.just({}) | NESTED, max_size=5).map(cbor2.dumps)
ALPHABET = st.sampled_from(bytes(range(33, 127)))


@every_format
def test_a_code_is_told_by_its_prefix(fmt, minted):
    codec = codec_of(minted[fmt])
    assert codec is CODECS[fmt]
    assert minted[fmt].startswith(codec.PREFIX)


@pytest.mark.parametrize(
    "code",
    [b"", b"N", b"NC1", b"nc1:", b"NC2:", b" NC1:", b"HC1:6BF", b"eY", b"EyJ", b" eyJ", b"v4.local.x", b"v3.public.x"],
)
def test_bytes_with_another_prefix_are_of_no_signed_format(code):
    assert codec_of(code) is None


def test_opaque_codes_have_no_codec():
    assert formats.OPAQUE not in CODECS


def test_no_prefix_starts_another():
    prefixes = [codec.PREFIX for codec in CODECS.values()]
    assert not [one for one in prefixes for other in prefixes if one is not other and one.startswith(other)]


@every_format
def test_a_minted_code_is_authentic_and_says_what_was_signed(fmt, minted, is_authentic):
    signed = CODECS[fmt].decode(minted[fmt])
    assert (signed.format, signed.key_id) == (fmt, b"key-1")
    assert is_authentic(signed)
    assert CODECS[fmt].read_claims(signed.payload)


@every_format
def test_the_same_claims_give_the_same_bytes(fmt, minted, sign):
    claims = CODECS[fmt].read_claims(CODECS[fmt].decode(minted[fmt]).payload)
    assert CODECS[fmt].mint(claims, b"key-1", sign) == minted[fmt]


@every_format
def test_a_prefix_alone_is_malformed(fmt):
    with pytest.raises(Malformed):
        CODECS[fmt].decode(CODECS[fmt].PREFIX)


@every_format
def test_a_code_cut_short_anywhere_is_malformed(fmt, minted):
    for length in range(len(minted[fmt])):
        with pytest.raises(Malformed):
            CODECS[fmt].decode(minted[fmt][:length])


@every_format
@pytest.mark.parametrize("extra", [b" ", b"\n", b"\0", b"=", b"A", b"AA", b"AAAA", b".", b".AAAA"])
def test_a_code_with_anything_before_or_after_it_is_not_authentic(fmt, extra, minted, is_authentic):
    prefix = CODECS[fmt].PREFIX
    for code in (minted[fmt] + extra, prefix + extra + minted[fmt][len(prefix) :]):
        assert not passes(fmt, code, is_authentic)


@every_format
def test_a_code_with_any_one_bit_flipped_is_not_authentic(fmt, minted, is_authentic):
    survivors = []
    for bit in range(8 * len(CODECS[fmt].PREFIX), 8 * len(minted[fmt])):
        code = bytearray(minted[fmt])
        code[bit // 8] ^= 1 << bit % 8
        if passes(fmt, bytes(code), is_authentic):
            survivors.append(bit)
    assert survivors == []


@every_format
@given(data=st.data())
@steadily
def test_a_code_with_some_characters_exchanged_is_not_authentic(fmt, minted, is_authentic, data):
    code = minted[fmt]
    start = data.draw(st.integers(len(CODECS[fmt].PREFIX), len(code) - 1))
    end = data.draw(st.integers(start, min(len(code), start + 8)))
    forged = code[:start] + bytes(data.draw(st.lists(ALPHABET, max_size=8))) + code[end:]
    assert forged == code or not passes(fmt, forged, is_authentic)


def passes(fmt: Format, code: bytes, is_authentic: Callable[[SignedCode], bool]) -> bool:
    try:
        return is_authentic(CODECS[fmt].decode(code))
    except Malformed:
        return False


@every_format
@given(text=st.binary(max_size=200) | st.lists(ALPHABET, max_size=200).map(bytes))
@steadily
def test_any_bytes_after_the_prefix_are_a_code_or_malformed(fmt, text):
    decode(fmt, text)


@given(body=st.binary(max_size=200) | CBOR | CBOR.map(lambda data: b"\xd2" + data))
@steadily
def test_any_cbor_is_a_national_code_or_malformed(body):
    decode(formats.NATIONAL, base45.encode(body))


@given(parts=st.lists(JSON | st.binary(max_size=80), min_size=1, max_size=4))
@steadily
def test_any_json_is_a_json_web_token_or_a_paseto_or_malformed(parts):
    text = b".".join(map(base64url.encode, parts))
    decode(formats.JWT, text.removeprefix(b"eyJ"))
    decode(formats.PASETO, text)


def decode(fmt: Format, text: bytes) -> None:
    try:
        signed = CODECS[fmt].decode(CODECS[fmt].PREFIX + text)
    except Malformed:
        return
    assert isinstance(signed, SignedCode)
    assert len(signed.signature) == 64


@every_format
@given(payload=st.binary(max_size=100) | JSON | CBOR | NESTED.map(lambda value: json.dumps(value).encode()))
@steadily
def test_any_payload_is_claims_or_malformed(fmt, payload):
    try:
        claims = CODECS[fmt].read_claims(payload)
    except Malformed:
        return
    assert isinstance(claims, dict)


@pytest.mark.parametrize("fmt", [formats.JWT, formats.PASETO])
def test_the_standard_alphabet_of_base64_is_refused(fmt, minted):
    text = minted[fmt].translate(bytes.maketrans(b"-_", b"+/"))
    assert text != minted[fmt]
    assert base64.urlsafe_b64decode(b"-_8=") == base64.b64decode(b"+/8=")
    with pytest.raises(Malformed):
        CODECS[fmt].decode(text)


@pytest.mark.parametrize("fmt", [formats.JWT, formats.PASETO])
def test_base64_with_its_padding_is_refused(fmt, sign):
    for size in range(3):  # whatever is left over of a group of three bytes
        code = CODECS[fmt].mint({"x": "x" * size}, b"k" * size, sign)
        start, _, end = code.rpartition(b".")
        for padding in (b"=", b"=="):
            for text in (start + padding + b"." + end, code + padding):
                with pytest.raises(Malformed):
                    CODECS[fmt].decode(text)
