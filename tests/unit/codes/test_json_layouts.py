"""A layout of JWT or PASETO codes reads what ``jwt`` and ``paseto`` read, as they read it, or leaves it alone."""

import json
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes import claim_values, claims, times
from onecode_server.codes.codec import CODECS
from onecode_server.codes.encodings import base64url
from onecode_server.codes.jwt import codec as jwt
from onecode_server.codes.jwt import layout as jwt_layout
from onecode_server.codes.layouts import FIELDS_MAX, Kind, Layout, Shape, octets
from onecode_server.codes.paseto import codec as paseto
from onecode_server.codes.paseto import layout as paseto_layout
from onecode_server.errors import Malformed
from onecode_server.model.trust_list import Format

from tests import formats
from tests.unit.codes.samples import CLAIMS

LAYOUTS = {formats.JWT: jwt_layout, formats.PASETO: paseto_layout}
BOTH = pytest.mark.parametrize("fmt", LAYOUTS)
SIGNATURE = bytes(range(64))
TREE = {
    "holder": {"id": "420106190001011234", "papers": 7},
    "health": {"code": "绿码", "rank": 0, "ok": True},
    "iat": 1_700_000_000,
    "exp": "2096-10-02T07:06:40.5+08:00",
    "aud": ["a", {"b": "]"}],
    "x": 'a "word"',
    "none": None,
    "rest": -1.5,
    "empty": "",
}


def text_of(tree: Any) -> bytes:
    return tree if isinstance(tree, bytes) else json.dumps(tree, separators=(",", ":"), ensure_ascii=False).encode()


def code_of(fmt: Format, tree: Any, kid: str = "key-1", signature: bytes = SIGNATURE) -> bytes:
    """Return a code that nobody signed; ``tree`` is claims or their text."""
    if fmt == formats.JWT:
        parts = text_of({"alg": "EdDSA", "kid": kid, "typ": "JWT"}), text_of(tree), signature
        return b".".join(map(base64url.encode, parts))
    return paseto.PREFIX + base64url.encode(text_of(tree) + signature) + b"." + base64url.encode(text_of({"kid": kid}))


class Learned(NamedTuple):
    """A layout, and the shape of the codes that it is for."""

    layout: Layout
    shape: Shape | None


def learn(fmt: Format, tree: Any) -> Learned:
    code = code_of(fmt, tree)
    return Learned(LAYOUTS[fmt].learn(code), LAYOUTS[fmt].shape(code))


def agrees(fmt: Format, learned: Learned, code: bytes) -> bool:
    """Tell whether a layout takes a code; where it does, it says what the format says."""
    layout, shape = learned
    if shape is None or LAYOUTS[fmt].shape(code) != shape:
        return False
    data, is_good = LAYOUTS[fmt].decode([code], shape)
    if not (is_good & layout.fits(data))[0]:
        return False
    try:
        key_id = layout.read_key_id(octets(data, layout.key_id)[0])
    except Malformed as fault:
        with pytest.raises(type(fault)):
            CODECS[fmt].decode(code)
        return False
    signed = CODECS[fmt].decode(code)
    found = key_id, layout.signatures(data).tobytes(), layout.messages(data).tobytes()
    assert found == (signed.key_id, signed.signature, signed.message)
    row = data[0].tobytes()
    assert row[: data.shape[1]] == layout.row(code)
    field, *envelope = layout.envelope(row)
    assert (layout.read_key_id(field), *envelope) == signed[1:]
    tree = CODECS[fmt].read_claims(signed.payload)
    assert set(layout.claims) == {*paths(tree)}
    for path, field in layout.claims.items():
        says_the_same(layout, data, field, claims.required(tree, path, "a claim"))
    return True


def says_the_same(layout: Layout, data: Any, field: Any, value: Any) -> None:
    (found,) = octets(data, field)
    if field.kind is Kind.TIME:
        assert layout.times(data, field).tolist() == [times.read_time(value)]
        assert [*layout.cutter((), [field])(data.tobytes())] == [times.read_time(value)]
    elif field.kind is Kind.TEXT:
        assert found.decode() == value
    elif field.kind is Kind.NUMBER:
        assert type(value) is int
        assert found.decode() == claim_values.read_level(value) == claim_values.read_subject(value)
        if len(found) <= 11:
            assert layout.times(data, field).tolist() == [times.read_time(value)]
    elif field.kind is Kind.LITERAL:
        assert found.decode() == claim_values.read_level(value)
    else:
        assert found == b""


def paths(tree: Any, path: tuple[str, ...] = ()) -> Any:
    for name, value in tree.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from paths(value, (*path, name))


@BOTH
def test_codes_that_differ_in_values_alone_are_read_by_one_layout(fmt):
    learned = learn(fmt, CLAIMS[fmt])
    times: dict[str, int | str] = {"iat": 1_234_567_890, "exp": 1_900_000_000}
    if fmt == formats.PASETO:
        times = {"iat": "2024-02-29T23:59:59+00:00", "exp": "1999-12-31T00:00:00+00:00"}
    subjects = [f"4201061900010112{n:02d}" if fmt == formats.JWT else str(n % 10) for n in range(20)]
    codes = [
        code_of(fmt, CLAIMS[fmt] | {"sub": sub} | times, "key-2", bytes([n]) * 64) for n, sub in enumerate(subjects)
    ]
    data, is_good = LAYOUTS[fmt].decode(codes, learned.shape)
    assert (is_good & learned.layout.fits(data)).all()
    assert all(agrees(fmt, learned, code) for code in codes)


@BOTH
def test_values_of_all_kinds_have_their_place(fmt):
    learned = learn(fmt, TREE)
    assert agrees(fmt, learned, code_of(fmt, TREE))
    kinds = {path: field.kind for path, field in learned.layout.claims.items()}
    assert kinds["holder",] is kinds["aud",] is kinds["x",] is kinds["rest",] is Kind.OTHER
    assert kinds["health", "ok"] is kinds["none",] is Kind.LITERAL
    assert kinds["holder", "papers"] is kinds["iat",] is Kind.NUMBER
    assert kinds["health", "code"] is kinds["holder", "id"] is kinds["empty",] is Kind.TEXT
    assert kinds["exp",] is Kind.TIME


@BOTH
def test_white_space_stands_where_it_stood(fmt):
    text = b' { "sub" :\t"123"\r\n, "a" : { } , "iat":1700000000 ,"b":{"c": [ ] } }\n'
    layout = learn(fmt, text)
    assert agrees(fmt, layout, code_of(fmt, text.replace(b"123", b"a {c"))) is False
    assert agrees(fmt, layout, code_of(fmt, text.replace(b"123", b"abc")))
    assert not agrees(fmt, layout, code_of(fmt, text.replace(b"\t", b" ")))


@BOTH
@pytest.mark.parametrize(
    ("value", "other"),
    [(b'"abc"', change) for change in (b'"a\\"c', b'"a\\nb', b'"ab\x7f"', '"é"a'.encode())]
    + [(b'"abc"', change) for change in ('"aé"'.encode(), b'"a\x1fb"', b'"a\xffb"', b'"ab",', b'["a"]', b'{"a":')]
    + [
        (b"12345", change)
        for change in (b"01234", b"1234 ", b"-1234", b"1.234", b"12e45", b'"123"', b"123,4", b" 1234")
    ]
    + [(b'"1999-12-31T00:00:00Z"', b'"%b"' % t) for t in (b"1999-02-29T00:00:00Z", b"1999-12-31 00:00:00Z")]
    + [(b'"1999-12-31T00:00:00Z"', b'"%b"' % t) for t in (b"1999-12-31T24:00:00Z", b"1960-12-31T00:00:00Z")]
    + [(b"true", b"null"), (b"-1", b"-2"), (b"1.5", b"1.6"), ('"绿"'.encode(), '"红"'.encode()), (b"[1]", b"[2]")],
)
def test_a_value_out_of_the_plain_is_left_alone(fmt, value, other):
    layout = learn(fmt, b'{"a":%b,"iat":1}' % value)
    assert agrees(fmt, layout, code_of(fmt, b'{"a":%b,"iat":2}' % value))
    assert not agrees(fmt, layout, code_of(fmt, b'{"a":%b,"iat":1}' % other))


@BOTH
@pytest.mark.parametrize(
    "tree",
    [
        rb'{"s\u0075b":"1"}',
        rb'{"a":{"\n":1}}',
        dict.fromkeys("abcdefghijklmnopqrstuvw", 1),
        {"a": {str(n): n for n in range(16)}},
    ],
    ids=["a name with escapes", "another", "many", "many inside"],
)
def test_codes_without_fixed_offsets_have_no_layout(fmt, tree):
    CODECS[fmt].read_claims(CODECS[fmt].decode(code_of(fmt, tree)).payload)  # though they are codes
    with pytest.raises(ValueError, match=r"has escapes|too many"):
        LAYOUTS[fmt].learn(code_of(fmt, tree))
    assert len(learn(fmt, dict.fromkeys("abcdefghijklmnop", 1)).layout.claims) == FIELDS_MAX


@BOTH
@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":01}', b'{"a":"\xff"}', b'{"a":' * 9]
)
def test_what_is_no_code_has_no_layout(fmt, text):
    with pytest.raises(Malformed):
        LAYOUTS[fmt].learn(code_of(fmt, text))


@BOTH
@pytest.mark.parametrize("character", "{}[],:")
def test_what_structures_json_is_a_character_like_any_other_in_a_string(fmt, character):
    layout = learn(fmt, {"a": "x" * 9, "b": character})
    assert agrees(fmt, layout, code_of(fmt, {"a": character * 9, "b": "x"}))


def test_shapes_tell_apart_what_is_not_decoded_together():
    code = code_of(formats.JWT, {"sub": "1"})
    first = code.find(b".")
    assert jwt_layout.shape(code) == (len(code), first, code.rfind(b"."))
    for other in (code[:-1], code + b"A", code + b".", code.replace(b".", b"A", 1), jwt.PREFIX + b"A" * 1600 + code):
        assert jwt_layout.shape(other) is None
    code = code_of(formats.PASETO, {"sub": "1"})
    assert paseto_layout.shape(code) == (len(code), code.rfind(b"."))
    for other in (code[: code.rfind(b".")], paseto.PREFIX + b"AAAA.AAAA", code + b"A" * 1600):
        assert paseto_layout.shape(other) is None


@BOTH
def test_a_header_or_footer_that_is_refused_names_no_key(fmt):
    layout = learn(fmt, {"sub": "1"}).layout
    for text in (b"[]", b'{"kid":1}', b"{", b'{"alg":"none","kid":1}', b'{"kid":"k","kid":"k"}'):
        with pytest.raises(Malformed):
            layout.read_key_id(base64url.encode(text))
    for text in (b"A", b"AB", b"=", b"\xff"):
        with pytest.raises(Malformed):
            layout.read_key_id(text)


@given(fmt=st.sampled_from([*LAYOUTS]), at=st.integers(0, 400), byte=st.integers(0, 255))
def test_a_changed_byte_of_the_claims_is_read_as_the_format_reads_it_or_left_alone(fmt, at, byte):
    text = bytearray(text_of(TREE))
    text[at % len(text)] = byte
    agrees(fmt, learn(fmt, TREE), code_of(fmt, bytes(text)))


@given(fmt=st.sampled_from([*LAYOUTS]), at=st.integers(0, 900), character=st.integers(0, 255))
def test_a_changed_character_is_read_as_the_format_reads_it_or_left_alone(fmt, at, character):
    code = bytearray(code_of(fmt, TREE))
    start = len(CODECS[fmt].PREFIX)
    code[start + at % (len(code) - start)] = character
    agrees(fmt, learn(fmt, TREE), bytes(code))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
    | st.sampled_from(["2024-02-29T00:00:00Z", "1970-01-01T00:00:00Z", "绿码", '"\\"']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    fmt=st.sampled_from([*LAYOUTS]),
    tree=st.dictionaries(st.text(max_size=4), VALUES, max_size=5),
    indent=st.none() | st.integers(0, 2),
    escaped=st.booleans(),
)
def test_any_claims_have_a_layout_that_reads_them_or_none(fmt, tree, indent, escaped):
    text = json.dumps(tree, indent=indent, ensure_ascii=escaped).encode(errors="replace")
    try:
        layout = learn(fmt, text)
    except (Malformed, ValueError):
        return
    assert agrees(fmt, layout, code_of(fmt, text))
