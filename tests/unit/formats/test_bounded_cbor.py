"""CBOR from strangers: only what a CWT is made of, walked and weighed before it is built."""

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode_server.errors import Malformed
from onecode_server.formats import bounded_cbor

steadily = settings(derandomize=True, deadline=None, max_examples=100)

SCALARS = st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.text(max_size=8) | st.binary(max_size=8)
KEYS = st.integers(-(2**64), 2**64 - 1) | st.text(max_size=5) | st.binary(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


def cbor(text: str) -> bytes:
    """Bytes in hexadecimal, with spaces where they help."""
    return bytes.fromhex(text)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00", 0),
        ("1bffffffffffffffff", 2**64 - 1),
        ("3bffffffffffffffff", -(2**64)),
        ("1801", 1),
        ("1b0000000000000001", 1),
        ("f90000", 0.0),
        ("fb3ff8000000000000", 1.5),
        ("f5", True),
        ("f6", None),
        ("43 010203", b"\1\2\3"),
        ("64 f09f9880", "😀"),
        ("a1 01 a1 01 02", {1: {1: 2}}),
        ("a2 01 02 61 31 03", {1: 2, "1": 3}),
        ("a2 41 61 02 61 61 03", {b"a": 2, "a": 3}),
    ],
)
def test_ordinary_cbor_is_read(data, value):
    assert bounded_cbor.loads(cbor(data)) == value


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("5f ff", b""),
        ("5f 42 0102 41 03 ff", b"\1\2\3"),
        ("7f 61 61 60 62 6263 ff", "abc"),
        ("9f 01 9f 02 ff ff", [1, [2]]),
        ("bf 01 02 03 04 ff", {1: 2, 3: 4}),
        ("bf 7f 61 61 ff 5f ff ff", {"a": b""}),
        ("9f ff", []),
        ("bf ff", {}),
    ],
)
def test_indefinite_lengths_are_read(data, value):
    assert bounded_cbor.loads(cbor(data)) == value


@pytest.mark.parametrize(
    "data",
    ["5f 61 61 ff", "7f 41 61 ff", "5f 5f 41 61 ff ff", "5f 00 ff", "7f f6 ff", "7f 61 e4 62 b8ad ff", "bf 01 ff"],
)
def test_an_indefinite_string_or_map_of_the_wrong_pieces_is_refused(data):
    with pytest.raises(Malformed):
        bounded_cbor.loads(cbor(data))


WHOLE = "bf 01 5f 42 0102 41 03 ff 18 2a 9f 01 1a 00010000 fb 3ff8000000000000 ff 61 61 82 c1 1a 60000000 f5 ff"


@pytest.mark.parametrize("length", range(len(cbor(WHOLE))))
def test_an_item_cut_short_anywhere_is_refused(length):
    assert bounded_cbor.loads(cbor(WHOLE))
    with pytest.raises(Malformed):
        bounded_cbor.loads(cbor(WHOLE)[:length])


@pytest.mark.parametrize("data", ["", "01 02", "a0 ff", "80 00", "40 40", "5f ff ff", "f6 f6", "01 00"])
def test_nothing_at_all_and_bytes_after_the_item_are_refused(data):
    with pytest.raises(Malformed):
        bounded_cbor.loads(cbor(data))


@pytest.mark.parametrize(
    "data", ["1c", "1d", "1e", "1f", "3f", "5c", "7d", "9e", "bc", "dc", "df", "fc", "ff", "a1 ff"]
)
def test_a_reserved_head_or_a_stray_break_is_refused(data):
    with pytest.raises(Malformed):
        bounded_cbor.loads(cbor(data))


@pytest.mark.parametrize(
    "data",
    [
        "a2 01 02 01 03",
        "a2 01 02 18 01 03",
        "a2 01 02 1b 0000000000000001 03",
        "a2 20 02 38 00 03",
        "a2 61 61 02 61 61 03",
        "a2 61 61 02 7f 61 61 ff 03",
        "a2 41 61 02 5f 41 61 ff 03",
        "bf 01 02 01 03 ff",
        "a1 05 a2 01 02 01 03",
        "a1 05 82 a0 a2 01 02 18 01 03",
        "82 a1 01 02 a2 01 02 01 02",
        "d2 a2 01 02 01 03",
        "d8 3d d2 81 a2 01 02 01 02",
    ],
)
def test_a_key_that_stands_twice_is_refused_however_it_is_encoded(data):
    with pytest.raises(Malformed):
        bounded_cbor.loads(cbor(data))


@pytest.mark.parametrize(
    "key", ["80", "a0", "c1 00", "d2 00", "f4", "f6", "f9 3c00", "fb 3ff0000000000000", "c2 41 01"]
)
def test_a_key_that_is_neither_integer_nor_string_is_refused(key):
    with pytest.raises(Malformed):
        bounded_cbor.loads(cbor(f"a1 {key} 00"))


@pytest.mark.parametrize(
    "tag",
    [2, 3, 4, 5, 16, 17, 21, 24, 25, 28, 29, 30, 35, 36, 37, 96, 98, 100, 256, 258, 260, 1004, 43000, 55799, 2**32],
)
def test_a_tag_that_no_cwt_has_is_refused_whatever_it_holds(tag):
    for content in (b"\x01" * 8, 1, [1, 2], "2013-03-21", []):
        with pytest.raises(Malformed, match="tag"):
            bounded_cbor.loads(cbor2.dumps({1: cbor2.CBORTag(tag, content)}))


def test_a_huge_integer_is_refused():
    with pytest.raises(Malformed):
        bounded_cbor.loads(cbor2.dumps({1: 2**64}))
    with pytest.raises(Malformed):
        bounded_cbor.loads(cbor2.dumps({1: -(10**4000)}))


@pytest.mark.parametrize(
    "data", ["c0 00", "c0 61 61", "c1 61 31", "c1 f6", "c1 f97e00", "c1 f97c00", "c1 1bffffffffffffffff"]
)
def test_a_date_that_is_none_is_refused(data):
    with pytest.raises(Malformed):
        bounded_cbor.loads(cbor(data))


@pytest.mark.parametrize("raw", ["ff", "80", "c3", "c080", "eda080", "f4908080"])
def test_text_that_is_not_utf_8_is_refused(raw):
    with pytest.raises(Malformed):
        bounded_cbor.loads(cbor2.dumps({1: b"."})[:-2] + bytes([0x60 + len(raw) // 2]) + cbor(raw))


@pytest.mark.parametrize("level", [b"\x81", b"\xa1\x00", b"\x9f", b"\xd2", b"\xd8\x3d"])
def test_nesting_is_refused_above_the_bound_and_not_climbed(level):
    endings = b"\xff" * 8 if level == b"\x9f" else b""
    bounded_cbor.loads(level * bounded_cbor.DEPTH_MAX + b"\0" + endings)
    for count in (bounded_cbor.DEPTH_MAX + 1, 500, 100_000):
        with pytest.raises(Malformed):
            bounded_cbor.loads(level * count + b"\0")


@pytest.mark.parametrize(
    "data",
    [
        "9b ffffffffffffffff",
        "bb 7fffffffffffffff",
        "9a 00100000 00",
        "5b 7fffffffffffffff 00",
        "7b 8000000000000000 61",
    ],
)
def test_a_length_that_the_bytes_do_not_keep_is_refused_before_anything_is_built(data):
    with pytest.raises(Malformed):
        bounded_cbor.loads(cbor(data))


@pytest.mark.parametrize(
    "value",
    [
        [0] * 200,
        [[]] * 200,
        dict.fromkeys(range(100)),
        ["😀"] * 200,
        ["x" * 9] * 200,
        "x" * 9000,
        "码" * 600,
        b"x" * 9000,
    ],
    ids=["integers", "lists", "pairs", "emoji", "strings", "text", "Chinese text", "bytes"],
)
def test_too_many_items_or_too_long_strings_are_refused(value):
    with pytest.raises(Malformed, match="too many"):
        bounded_cbor.loads(cbor2.dumps(value))


def test_a_string_in_many_chunks_is_refused():
    with pytest.raises(Malformed):
        bounded_cbor.loads(b"\x5f" + b"\x40" * 200 + b"\xff")


@given(VALUES)
@steadily
def test_what_is_written_is_read_back_and_written_in_one_way_only(value):
    data = bounded_cbor.dumps(value)
    try:
        assert bounded_cbor.loads(data) == value
    except Malformed:
        assert len(data) > 50  # rich or deep, never wrong
    assert bounded_cbor.dumps(cbor2.loads(data)) == data


@given(
    st.binary(max_size=50)
    | st.tuples(VALUES.map(cbor2.dumps), st.binary(max_size=3), st.integers(0, 60)).map(
        lambda parts: parts[0][: parts[2]] + parts[1] + parts[0][parts[2] :]
    )
)
@steadily
def test_any_bytes_are_one_item_or_malformed(data):
    try:
        value = bounded_cbor.loads(data)
    except Malformed:
        return
    assert repr(value) == repr(cbor2.loads(data))
