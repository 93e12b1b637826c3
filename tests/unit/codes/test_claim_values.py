"""What a claim's value says, whatever its kind: an identifier, a level word, a region; nothing is guessed."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from onecode_server.codes import claim_values
from onecode_server.errors import Malformed


@pytest.mark.parametrize(
    ("value", "subject"),
    [
        ("1", "1"),
        ("码" * 85, "码" * 85),
        (42, "42"),
        (-(2**63), str(-(2**63))),
        (2**64 - 1, str(2**64 - 1)),
        ("\0", "\0"),
    ],
)
def test_a_subject_is_text_or_a_number_as_text(value, subject):
    assert claim_values.read_subject(value) == subject


@pytest.mark.parametrize(
    "value",
    [True, False, None, 1.0, [], ["1"], {}, {"id": "1"}, 2**64, -(2**63) - 1, 10**400, float("nan")],
)
def test_a_subject_of_another_kind_is_refused(value):
    with pytest.raises(Malformed, match="expected an identifier"):
        claim_values.read_subject(value)


@pytest.mark.parametrize("value", ["", "x" * 257, "码" * 86, "x" * 3000, "😀" * 65, "x" * 255 + "é"])
def test_a_subject_that_is_empty_or_too_long_is_refused(value):
    with pytest.raises(Malformed, match="length"):
        claim_values.read_subject(value)


@pytest.mark.parametrize("value", ["\ud800", "1\udfff", "\ud83d \ude00", "x" * 256 + "\ud800"])
def test_a_subject_with_a_lone_surrogate_is_refused(value):
    with pytest.raises(Malformed):
        claim_values.read_subject(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"\xab", "ab"),
        (bytes(16), "00" * 16),
        (bytes.fromhex("00FF"), "00ff"),
        (b"\xff" * 128, "ff" * 128),
        (UUID("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"), "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
    ],
)
def test_bytes_are_an_identifier_whose_text_is_hex_and_a_uuid_is_its_own(value, text):
    assert claim_values.read_subject(value) == text


@pytest.mark.parametrize("size", [0, 129, 300])
def test_an_identifier_of_no_bytes_or_too_many_is_refused(size):
    with pytest.raises(Malformed, match="length"):
        claim_values.read_subject(bytes(size))


@pytest.mark.parametrize("size", [0, 1, 15, 17, 32])
def test_only_the_national_authority_carries_pseudonyms_and_they_have_sixteen_bytes(size):
    assert claim_values.read_subject(bytes(16), carries_pseudonym=True) == bytes(16)
    with pytest.raises(Malformed):
        claim_values.read_subject(bytes(size), carries_pseudonym=True)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("green", "green"),
        ("", ""),
        ("\ud800", "\ud800"),
        (0, "0"),
        (-1, "-1"),
        (1.0, "1.0"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        ([], "[]"),
        ([1, "a", None], '[1,"a",null]'),
        ({"code": 0, "name": "绿"}, r'{"code":0,"name":"\u7eff"}'),
        ({1: [True]}, '{"1":[true]}'),
    ],
)
def test_a_level_that_is_no_text_matches_by_its_json_text(value, word):
    assert claim_values.read_level(value) == word


def test_words_that_look_alike_stay_apart():
    assert len({claim_values.read_level(value) for value in (1, 1.0, True, "1.", [1], None)}) == 6


@pytest.mark.parametrize(
    "value",
    [
        b"green",
        {b"a": 1},
        [b""],
        datetime(2023, 1, 1, tzinfo=UTC),
        float("inf"),
        [float("nan")],
        10**4000,
        "long",
        {1: "long"},
    ],
)
def test_a_level_with_no_json_text_or_too_long_a_one_is_refused(value):
    value = ["x" * 500] if value == "long" else {"x" * 500: 1} if value == {1: "long"} else value
    with pytest.raises(Malformed):
        claim_values.read_level(value)


@pytest.mark.parametrize(
    "value", ["42000", "4200000", "42000a", "４２００００", "420000\n", 420000, None, b"420000", True, ["420000"]]
)
def test_a_region_that_is_not_six_digits_is_refused(value):
    assert claim_values.read_region("420000") == "420000"
    with pytest.raises(Malformed):
        claim_values.read_region(value)
