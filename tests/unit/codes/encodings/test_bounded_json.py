"""JSON from strangers: strict where Python is not, and refused before it grows."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes.encodings import bounded_json
from onecode_server.errors import Malformed


def nested(depth: int, opening: bytes = b'{"a":', closing: bytes = b"}") -> bytes:
    """An object that holds ``depth - 1`` others, each inside the one before."""
    return b'{"a":' + opening * (depth - 1) + b"1" + closing * (depth - 1) + b"}"


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"{}", {}),
        (b' \t\r\n{ "a" : 1 } ', {"a": 1}),
        (b'{"a":[1,2.5,-3e2,true,false,null,"x",{}]}', {"a": [1, 2.5, -300.0, True, False, None, "x", {}]}),
        ('{"健康":"绿码 😀"}'.encode(), {"健康": "绿码 😀"}),
        (rb'{"a":"\u7eff\u7801\n\ud83d\ude00\/\""}', {"a": '绿码\n😀/"'}),
        (b'{"a":{"b":1},"b":{"a":1}}', {"a": {"b": 1}, "b": {"a": 1}}),
        (b'{"a":18446744073709551616}', {"a": 2**64}),
        (b'{"a":"[[[[["}', {"a": "[" * 5}),
    ],
)
def test_ordinary_json_is_read(data, value):
    assert bounded_json.loads(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b'{"a"',
        b'{"a":',
        b'{"a":1',
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":.5}',
        b'{"a":0x1}',
        b'{"a":"\t"}',
        b'{"a":"\\x41"}',
        b'{"a":"\\ud8"}',
        b'{"a":"x}',
        b'{"a":"\\',
        b'{"a":1} {}',
        b'{"a":1}x',
        b'{"a":1}\0',
        b'{"a":1}//',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-32-be"),
    ],
)
def test_what_is_not_json_is_refused(data):
    with pytest.raises(Malformed):
        bounded_json.loads(data)


@pytest.mark.parametrize("data", [b"[]", b'[{"a":1}]', b'"a"', b"1", b"null", b"true", b"1.5"])
def test_json_that_is_no_object_is_refused(data):
    with pytest.raises(Malformed, match="object"):
        bounded_json.loads(data)


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity", b"nan", b"inf"])
def test_numbers_that_json_does_not_have_are_refused(constant):
    with pytest.raises(Malformed):
        bounded_json.loads(b'{"a":%b}' % constant)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        rb'{"a":1,"\u0061":2}',
        b'{"x":{"a":1,"a":2}}',
        b'{"x":[{"a":1,"b":2,"a":2}]}',
        b'{"":1,"":2}',
        rb'{"\ud800":1,"\ud800":2}',
    ],
)
def test_a_name_that_stands_twice_is_refused_however_it_is_spelt(data):
    with pytest.raises(Malformed):
        bounded_json.loads(data)


@pytest.mark.parametrize("raw", [b"\xff", b"\x80", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"])
def test_text_that_is_not_utf_8_is_refused(raw):
    with pytest.raises(Malformed):
        bounded_json.loads(b'{"a":"%b"}' % raw)


@pytest.mark.parametrize(("opening", "closing"), [(b'{"a":', b"}"), (b"[", b"]"), (b'[{"a":', b"}]")])
def test_nesting_is_read_up_to_the_bound_and_refused_above_it(opening, closing):
    depth = bounded_json.DEPTH_MAX if len(closing) == 1 else bounded_json.DEPTH_MAX // 2
    bounded_json.loads(nested(depth, opening, closing))
    with pytest.raises(Malformed):
        bounded_json.loads(nested(depth + 1, opening, closing))


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"a":['])
@pytest.mark.parametrize("count", [20, 600, 100_000])
def test_a_tower_of_brackets_is_refused_and_not_climbed(opening, count):
    with pytest.raises(Malformed):
        bounded_json.loads(opening * count)


@pytest.mark.parametrize("digits", [4301, 1_000_000])
@pytest.mark.parametrize("pattern", [b'{"a":%b}', b'{"a":-%b}', b'{"a":1e%b}', b'{"a":0.%b}'])
def test_a_number_longer_than_a_code_is_refused(digits, pattern):
    with pytest.raises(Malformed):
        bounded_json.loads(pattern % (b"9" * digits))


@pytest.mark.parametrize("pattern", ['{"a":%s}', '{"a":-%s}', '{"a":0.%s}', '{"a":1e%s}'])
def test_a_number_as_long_as_a_code_may_be_is_read(pattern):
    data = pattern % ("9" * 4000)
    assert bounded_json.loads(data.encode()) == json.loads(data)


@pytest.mark.parametrize(
    ("value", "more"),
    [
        ({f"k{n}": n for n in range(312)}, {f"k{n}": n for n in range(330)}),
        ({f"k{n}": f"v{n}" for n in range(190)}, {f"k{n}": f"v{n}" for n in range(210)}),
        ([f"v{n}" for n in range(410)], [f"v{n}" for n in range(450)]),
        ([[] for _ in range(225)], [[] for _ in range(250)]),
        ([{} for _ in range(225)], [{} for _ in range(250)]),
    ],
    ids=["members", "members with text", "texts", "arrays", "objects"],
)
def test_values_are_read_up_to_the_bound_and_refused_above_it(value, more):
    assert bounded_json.loads(bounded_json.dumps({"a": value})) == {"a": value}
    with pytest.raises(Malformed, match="too many values"):
        bounded_json.loads(bounded_json.dumps({"a": more}))


@pytest.mark.parametrize("numbers", [[1] * 1900, [-9] * 1300, [999] * 1000, [1.5] * 1000])
def test_all_numbers_that_a_code_holds_are_read(numbers):
    assert bounded_json.loads(bounded_json.dumps({"a": numbers})) == {"a": numbers}


@pytest.mark.parametrize(
    "text", ["[" * 3000, "{" * 3000, ",:" * 1500, '"' * 1500, "\\" * 1500, '\\"[' * 750, "😀" * 700]
)
def test_nothing_inside_a_string_counts(text):
    assert bounded_json.loads(bounded_json.dumps({"a": text})) == {"a": text}
    assert bounded_json.loads(bounded_json.dumps({text[:500]: [{}]})) == {text[:500]: [{}]}


@pytest.mark.parametrize(
    "data", [b'{"a":1,"b":":","a":2}', b'{"a":1,"a":":"}', b'{":":1,":":2}', b'{"a":{"b":":\\":"},"a":1}']
)
def test_a_colon_inside_a_string_hides_no_name_that_stands_twice(data):
    with pytest.raises(Malformed, match="duplicate"):
        bounded_json.loads(data)


@pytest.mark.parametrize("data", [b'"' * 4000, b'\\"' * 2000, b'"\\' * 2000, b"[" * 4000, b'{"' * 2000, b":" * 4000])
def test_text_that_is_no_json_is_refused_in_time_that_grows_with_its_length_alone(data):
    with pytest.raises(Malformed):
        bounded_json.loads(data)


@pytest.mark.parametrize("count", [20, 40])
def test_as_many_claims_as_a_region_may_want_are_read(count):
    claims = {f"claim_{n}": 10_000 + n for n in range(count)}
    assert bounded_json.loads(bounded_json.dumps(claims)) == claims


@given(
    st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text(max_size=20), max_size=9)
)
def test_what_is_written_is_read_back(value):
    try:
        data = bounded_json.dumps(value)
    except UnicodeEncodeError:  # a lone surrogate cannot be written
        return
    assert bounded_json.loads(data) == value


@given(st.binary(max_size=60) | st.text('{}[]":,\\ud80tfn1e.- ', max_size=60).map(str.encode))
def test_any_bytes_are_an_object_or_malformed_and_never_more_than_json_reads(data):
    try:
        value = bounded_json.loads(data)
    except Malformed:
        return
    assert value == json.loads(data)


@pytest.mark.parametrize("header", [{"kid": 1}, {"kid": None}, {"kid": ["k"]}, {"kid": True}, {"kid": {}}])
def test_a_key_id_that_is_not_text_is_refused(header):
    with pytest.raises(Malformed):
        bounded_json.key_id(header)


def test_a_key_id_longer_than_any_of_a_trust_list_is_only_nobodys():
    assert bounded_json.key_id({"kid": "k" * 300}) == b"k" * 300


def test_a_lone_surrogate_in_a_key_id_harms_nobody():
    assert bounded_json.key_id({"kid": "a\ud800"}) == b"a?"
    assert bounded_json.key_id({}) == b""
