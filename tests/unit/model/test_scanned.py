"""What scanners add around a code comes off; nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes.encodings import base45
from onecode_server.model.scanned import AROUND_BYTES_MAX, all_bare, bare

from tests.pairwise import each_value

CODE = b"NC1:6BF0 %*./:-+$"
MARK = b"\xef\xbb\xbf"
SPACES = [bytes((c,)) for c in range(0x21)] + [
    b"\x7f",
    b"\r\n",
    MARK,
    "\u3000".encode(),
    "\xa0".encode(),
    b"\xe2\x80\x8b",
]
SYMBOLOGIES = [b"]Q0", b"]Q1", b"]Q6", b"]d2", b"]z0", b"]zC", b"]L2", b"]C1", b"]E0", b"]e0", b"]Q2\\000026"]


@pytest.mark.parametrize(("space", "code"), each_value(SPACES, [CODE, b"eyJ.x.y", b"x", "码x".encode()]))
def test_white_space_control_characters_and_a_byte_order_mark_come_off(code, space):
    for scanned in (space + code, code + space, 3 * space + code + 3 * space):
        assert bare(scanned) == code


@pytest.mark.parametrize("symbology", SYMBOLOGIES)
def test_a_symbology_identifier_comes_off_in_any_order_with_the_rest(symbology):
    for before in (b"", MARK, b" ", MARK + b" ", b" " + MARK):
        for between in (b"", b" ", MARK, b"\r\n"):
            assert bare(before + symbology + between + CODE + b"\r") == CODE


@pytest.mark.parametrize("code", [b"", b" ", b"\r\n", MARK, b"]Q1", MARK + b"]Q1\r\n", b"\0\x1d\x04"])
def test_where_there_is_nothing_else_nothing_is_left(code):
    assert bare(code) == b""


@pytest.mark.parametrize(
    "code", [CODE, b"]", b"]Q", b"]1Qx", b"]Q-x", b"x]Q1", b"a b", b"a\nb", b"\xffx", b"x\xff", b"\xef\xbbx"]
)
def test_anything_else_stays(code):
    assert bare(code) == code


def test_only_one_symbology_identifier_comes_off():
    assert bare(b"]Q1]Q1x") == b"]Q1x"


@pytest.mark.parametrize("space", [b" ", b"\n", MARK])
def test_what_is_taken_off_is_bounded_on_each_side(space):
    fits = AROUND_BYTES_MAX // len(space)
    assert bare(fits * space + CODE + fits * space) == CODE
    left = bare((fits + 2) * space + CODE + (fits + 2) * space)
    assert CODE in left
    assert left != CODE
    assert len(bare(1_000_000 * space)) > 900_000


@given(
    st.binary(max_size=30) | st.lists(st.sampled_from([*SPACES, *SYMBOLOGIES, CODE, b"]", b"\xe2\x80"])).map(b"".join)
)
def test_a_code_is_a_part_of_what_was_scanned_and_a_batch_is_as_its_codes_are(scanned):
    assert bare(scanned) in scanned
    for codes in ([scanned], [scanned, CODE], [CODE, CODE]):
        assert all_bare(codes) == [bare(code) for code in codes]


def test_a_batch_with_nothing_around_its_codes_is_not_even_copied():
    codes = [CODE, b"eyJ"]
    assert all_bare(codes) is codes


@given(st.binary(min_size=1, max_size=40))
def test_no_base45_text_ends_with_a_space_or_what_else_comes_off(data):
    assert bare(b"NC1:" + base45.encode(data)) == b"NC1:" + base45.encode(data)


def test_no_last_character_of_base45_is_a_space():
    """Of three characters the last is at most 65,535 // 2,025, of two at most 255 // 45 (RFC 9285, section 3)."""
    assert max(65_535 // 45**2, 255 // 45) < base45.ALPHABET.index(b" ")
