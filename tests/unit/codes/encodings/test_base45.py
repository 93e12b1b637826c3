"""Base45: RFC 9285, and nothing that RFC 9285 does not allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes.encodings import base45
from onecode_server.errors import Malformed

from tests.pairwise import each_value

RFC_9285_EXAMPLES = [
    (b"AB", b"BB8"),
    (b"Hello!!", b"%69 VD92EX0"),
    (b"base-45", b"UJCLQE7W581"),
    (b"ietf!", b"QED8WEX0"),
    (b"", b""),
]


@pytest.mark.parametrize(("data", "text"), RFC_9285_EXAMPLES)
def test_the_examples_of_the_rfc_hold_both_ways(data, text):
    assert base45.encode(data) == text
    assert base45.decode(text) == data


@pytest.mark.parametrize(
    "text",
    [b"0", b"0000", b"BB8B", b"BB8BB8B"],
    ids=["one", "four", "a group and one", "two groups and one"],
)
def test_a_length_that_no_bytes_have_is_refused(text):
    with pytest.raises(Malformed):
        base45.decode(text)


@pytest.mark.parametrize("text", [b"GGW", b":::", b"BB8GGW", b"GGWBB8"])
def test_a_group_above_65535_is_refused(text):
    with pytest.raises(Malformed):
        base45.decode(text)


@pytest.mark.parametrize("text", [b"V5", b"::", b"BB8V5", b"BB8::"])
def test_a_last_pair_above_255_is_refused(text):
    assert base45.decode(b"U5") == b"\xff"
    with pytest.raises(Malformed):
        base45.decode(text)


@pytest.mark.parametrize(
    ("character", "at"),
    each_value([b"a", b"b", b"!", b"_", b"=", b"\n", b"\0", b"\t", b'"', b"\x80", b"\xff"], range(3)),
)
def test_a_character_outside_the_alphabet_is_refused_wherever_it_stands(character, at):
    text = bytearray(b"BB8")
    text[at : at + 1] = character
    with pytest.raises(Malformed):
        base45.decode(bytes(text))


@pytest.mark.parametrize("space", [b" ", b"  ", b"   ", b"\n", b"\r\n"])
def test_white_space_after_a_code_is_refused_though_a_space_is_a_digit(space):
    with pytest.raises(Malformed):
        base45.decode(b"BB8" + space)


@given(st.binary(max_size=400))
def test_every_byte_string_comes_back(data):
    assert base45.decode(base45.encode(data)) == data


@given(st.binary(max_size=12) | st.lists(st.sampled_from(base45.ALPHABET), max_size=12).map(bytes))
def test_no_two_texts_stand_for_the_same_bytes(text):
    try:
        data = base45.decode(text)
    except Malformed:
        return
    assert base45.encode(data) == text


def test_every_group_of_three_is_either_two_bytes_or_refused():
    alphabet = base45.ALPHABET
    for number in range(0, 45**3, 7):
        text = bytes((alphabet[number % 45], alphabet[number // 45 % 45], alphabet[number // 2025]))
        if number < 65536:
            assert base45.decode(text) == number.to_bytes(2)
        else:
            with pytest.raises(Malformed):
                base45.decode(text)
