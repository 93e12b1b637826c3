"""Opaque codes: a prefix and enough random characters."""

import secrets

import pytest

from onecode_server.codes import opaque
from onecode_server.codes.encodings import base64url
from onecode_server.errors import Malformed

from tests.pairwise import each_value

PREFIX = b"SH-"


@pytest.mark.parametrize("size", [16, 17, 24, 32, 64])
def test_a_token_of_128_random_bits_or_more_is_taken(size):
    token = base64url.encode(secrets.token_bytes(size))
    assert opaque.mint(PREFIX, token) == PREFIX + token
    opaque.check(PREFIX + token, PREFIX)


def test_sixteen_random_bytes_are_just_enough():
    assert len(base64url.encode(bytes(16))) == opaque.TOKEN_CHARACTERS_MIN


@pytest.mark.parametrize("length", [0, 1, 20, 21])
def test_a_token_that_could_be_guessed_is_refused(length):
    with pytest.raises(Malformed):
        opaque.check(PREFIX + b"x" * length, PREFIX)
    with pytest.raises(Malformed):
        opaque.mint(PREFIX, b"x" * length)


def test_the_prefix_does_not_count_as_random():
    with pytest.raises(Malformed):
        opaque.check(b"A-LONG-PREFIX-OF-A-REGION-" + b"x" * 21, b"A-LONG-PREFIX-OF-A-REGION-")


@pytest.mark.parametrize(
    ("character", "at"),
    each_value([b"\n", b"\r", b"\0", b"\t", b"\x7f", b"\x1b", b"\x80", b"\xff", "码".encode()], [0, 11, 22]),
)
def test_a_character_that_cannot_be_printed_is_refused_wherever_it_stands(character, at):
    token = b"x" * at + character + b"x" * (22 - at)
    with pytest.raises(Malformed):
        opaque.check(PREFIX + token, PREFIX)


@pytest.mark.parametrize("length", range(len(PREFIX)))
def test_less_than_the_prefix_is_refused(length):
    with pytest.raises(Malformed):
        opaque.check(PREFIX[:length], PREFIX)


def test_every_printable_character_may_stand_in_a_token():
    opaque.check(PREFIX + bytes(range(0x20, 0x7F)), PREFIX)
