"""Base64url without padding: one text for each byte string, where Python's own decoder takes many."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes.encodings import base64url
from onecode_server.errors import Malformed

# RFC 4648, section 10, without the padding; the last one has both letters of the URL alphabet.
RFC_4648_EXAMPLES = [
    (b"", b""),
    (b"f", b"Zg"),
    (b"fo", b"Zm8"),
    (b"foo", b"Zm9v"),
    (b"foob", b"Zm9vYg"),
    (b"fooba", b"Zm9vYmE"),
    (b"foobar", b"Zm9vYmFy"),
    (b"\xfb\xff", b"-_8"),
]
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize(("data", "text"), RFC_4648_EXAMPLES)
def test_the_examples_of_the_rfc_hold_both_ways(data, text):
    assert base64url.encode(data) == text
    assert base64url.decode(text) == data


@pytest.mark.parametrize("text", [b"Zg==", b"Zg=", b"Zm8=", b"Zm9v=", b"=", b"====", b"Zg==Zg", b"=Zm9v"])
def test_padding_is_refused(text):
    with pytest.raises(Malformed):
        base64url.decode(text)


@pytest.mark.parametrize("space", [b" ", b"\n", b"\r\n", b"\t", b"\0"])
def test_white_space_that_python_passes_over_is_refused(space):
    for text in (space + b"Zm9v", b"Zm" + space + b"9v", b"Zm9v" + space):
        assert urlsafe_b64decode(text) == b"foo"
        with pytest.raises(Malformed):
            base64url.decode(text)


@pytest.mark.parametrize("text", [b"Zh", b"Zv", b"Zm9", b"Zm-", b"Zm9vYh", b"Zm9vYmF"])
def test_unused_bits_that_are_not_zero_are_refused(text):
    with pytest.raises(Malformed):
        base64url.decode(text)


@pytest.mark.parametrize("text", [b"+/8", b"+_8", b"-/8", b"Zm9!", b"Zm9v!!!!", b"Zm9\xff", "Zm9ü".encode(), b"Z.g"])
def test_another_alphabet_is_refused(text):
    with pytest.raises(Malformed):
        base64url.decode(text)


@pytest.mark.parametrize("text", [b"Z", b"Zm9vZ", b"Zm9vYmFyA"])
def test_a_length_that_no_bytes_have_is_refused(text):
    with pytest.raises(Malformed):
        base64url.decode(text)


@given(st.binary(max_size=400))
def test_every_byte_string_comes_back_and_reads_as_the_standard_library_writes_it(data):
    text = urlsafe_b64encode(data).rstrip(b"=")
    assert base64url.encode(data) == text
    assert base64url.decode(text) == data


@given(st.binary(max_size=12) | st.lists(st.sampled_from(ALPHABET + b"+/= \n"), max_size=12).map(bytes))
def test_no_two_texts_stand_for_the_same_bytes(text):
    try:
        data = base64url.decode(text)
    except Malformed:
        return
    assert base64url.encode(data) == text
