"""CBOR from strangers: only what a CWT is made of, walked and weighed before it is built."""

from uuid import UUID

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes.encodings import bounded_cbor
from onecode_server.errors import Malformed

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
    "key",
    [
        "80",
        "a0",
        "81 01",
        "a1 01 a0",
        "c1 00",
        "d2 00",
        "f4",
        "f6",
        "f7",
        "f0",
        "f8 20",
        "f9 3c00",
        "fb 7ff8000000000001",
        "c2 41 01",
        "a1 f4 81 f5",
    ],
)
def test_a_key_of_any_other_type_stands_beside_those_that_are_read_and_not_twice(key):
    value = bounded_cbor.loads(cbor(f"a4 00 02 01 03 20 04 {key} 05"))
    assert len(value) == 4
    assert (value[0], value[1], value[-1]) == (2, 3, 4)
    with pytest.raises(Malformed, match="duplicate"):
        bounded_cbor.loads(cbor(f"a2 {key} 00 {key} 00"))


def test_keys_that_python_takes_for_the_same_are_not():
    value = bounded_cbor.loads(cbor("a5 01 02 f5 03 f9 3c00 04 00 05 f4 06"))
    assert len(value) == 5
    assert (value[1], value[0]) == (2, 5)


@pytest.mark.parametrize(
    "tag",
    [
        2,
        3,
        4,
        5,
        16,
        17,
        18,
        21,
        24,
        25,
        29,
        30,
        32,
        35,
        36,
        37,
        61,
        96,
        98,
        100,
        256,
        258,
        260,
        1004,
        43000,
        2**32,
    ],
)
def test_a_tag_without_a_meaning_for_claims_stays_beside_its_value(tag):
    for content in (b"\x01" * 8, 1, [1, 2], "2013-03-21", [], "("):
        data = cbor2.dumps({1: cbor2.CBORTag(tag, content), 2: 3})
        assert bounded_cbor.loads(data) == {1: bounded_cbor.Tagged(tag, content), 2: 3}


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("c0 64 32303230", "2020"),
        ("c1 1a 60000000", 0x60000000),
        ("c1 f9 3c00", 1.0),
        ("d9 d9f7 05", 5),
        ("da 0000d9f7 d9 d9f7 a1 01 02", {1: 2}),
        ("d8 25 50 000102030405060708090a0b0c0d0e0f", UUID(int=0x000102030405060708090A0B0C0D0E0F)),
        ("c0 05", bounded_cbor.Tagged(0, 5)),
        ("c1 61 35", bounded_cbor.Tagged(1, "5")),
        ("c1 f5", bounded_cbor.Tagged(1, True)),
        ("c1 c2 41 01", bounded_cbor.Tagged(1, bounded_cbor.Tagged(2, b"\1"))),
        ("d8 25 41 00", bounded_cbor.Tagged(37, b"\0")),
        ("d8 00 61 35", "5"),
        ("db 0000000000000001 05", 5),
    ],
)
def test_times_uuids_and_self_described_items_are_what_they_stand_for(data, value):
    read = bounded_cbor.loads(cbor(data))
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize("data", ["f8 00", "f8 14", "f8 18", "f8 1f"])
def test_a_simple_value_in_two_bytes_where_one_would_do_is_refused(data):
    with pytest.raises(Malformed):
        bounded_cbor.loads(cbor(data))


def test_simple_values_are_nobodys():
    assert bounded_cbor.loads(cbor("83 f7 e0 f8ff")) == [bounded_cbor.Simple(n) for n in (23, 0, 255)]


@pytest.mark.parametrize("raw", ["ff", "80", "c3", "c080", "eda080", "f4908080"])
def test_text_that_is_not_utf_8_is_refused(raw):
    with pytest.raises(Malformed):
        bounded_cbor.loads(cbor2.dumps({1: b"."})[:-2] + bytes([0x60 + len(raw) // 2]) + cbor(raw))


@pytest.mark.parametrize("level", [b"\x81", b"\xa1\x00", b"\x9f", b"\xd2", b"\xd8\x3d"])
def test_nesting_is_refused_above_the_bound_and_not_climbed(level):
    endings = b"\xff" * bounded_cbor.DEPTH_MAX if level == b"\x9f" else b""
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
    ("value", "more"),
    [
        ([1000] * 1150, [1000] * 1200),
        (["ab"] * 570, ["ab"] * 600),
        ([[]] * 490, [[]] * 510),
        ([{}] * 690, [{}] * 710),
        ({1000 + n: 1000 for n in range(570)}, {1000 + n: 1000 for n in range(620)}),
        ({f"k{n}": f"v{n}" for n in range(280)}, {f"k{n}": f"v{n}" for n in range(320)}),
        ([cbor2.CBORTag(6, 0)] * 380, [cbor2.CBORTag(6, 0)] * 400),
    ],
    ids=["numbers", "texts", "arrays", "maps", "pairs of numbers", "pairs of texts", "tags"],
)
def test_items_are_read_up_to_the_bound_and_refused_above_it(value, more):
    assert bounded_cbor.loads(cbor2.dumps(value))
    with pytest.raises(Malformed, match="too many items"):
        bounded_cbor.loads(cbor2.dumps(more))


@pytest.mark.parametrize("value", [[0] * 2700, "x" * 4000, "码" * 1300, "😀" * 1000, b"x" * 4000])
def test_what_is_small_or_long_is_read_as_far_as_a_code_goes(value):
    assert bounded_cbor.loads(cbor2.dumps(value)) == value


def test_a_string_in_many_chunks_is_one():
    assert bounded_cbor.loads(b"\x5f" + b"\x41x" * 2000 + b"\xff") == b"x" * 2000


@given(VALUES)
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
def test_any_bytes_are_one_item_or_malformed(data):
    try:
        value = bounded_cbor.loads(data)
    except Malformed:
        return
    try:
        theirs = cbor2.loads(data)
    except Exception:  # tags that cbor2 gives a meaning, and cannot
        return
    if not any(word in repr(value) for word in ("Tagged", "Simple", "<class")):
        assert repr(value) == repr(theirs)


TAGGED = st.builds(
    cbor2.CBORTag, st.integers(6, 23) | st.integers(200, 255) | st.just(55799), st.integers(0, 9) | st.text(max_size=3)
)
RICH = st.recursive(
    SCALARS | st.floats(allow_nan=False) | TAGGED,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=30,
)


@given(RICH, st.booleans())
def test_what_cbor2_writes_is_read_as_it_was(value, canonical):
    assert bounded_cbor.loads(cbor2.dumps(value, canonical=canonical)) == _ours(value)


def _ours(value):
    if isinstance(value, cbor2.CBORTag):
        return _ours(value.value) if value.tag == 55799 else bounded_cbor.Tagged(value.tag, _ours(value.value))
    if isinstance(value, list):
        return [_ours(item) for item in value]
    return {key: _ours(item) for key, item in value.items()} if isinstance(value, dict) else value
