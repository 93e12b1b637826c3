"""What a stranger's code of 4 KiB can make the decoder allocate: 16 KiB, whatever it holds."""

import json
from collections.abc import Callable

import cbor2
import pytest

from onecode_server.errors import OnecodeError
from onecode_server.formats import CODECS, base45, base64url, claims
from onecode_server.model.code import CODE_BYTES_MAX
from onecode_server.model.trust_list import Format

from tests.unit.formats.samples import CLAIMS, PLACES

ALLOCATED_BYTES_MAX = 16 * 1024
SIGNATURE = bytes(64)
NATIONAL = CLAIMS[Format.NATIONAL]
JSON_FORMATS = [Format.JWT, Format.PASETO]

TEXTS = {
    "ASCII": lambda n: "x" * n,
    "Chinese": lambda n: "码" * (n // 3),
    "emoji": lambda n: "😀" * (n // 4),
    "ASCII and an emoji": lambda n: "x" * n + "😀",
    "an emoji and ASCII": lambda n: "😀" + "x" * n,
    "wider and wider": lambda n: "x" * (n // 2) + "é" * (n // 8) + "码" + "x" * (n // 4) + "😀",
    "control characters": lambda n: "\x01" * n,
}
VALUES = {
    "integers": lambda n: [10**9 + i for i in range(n)],
    "members": lambda n: {f"k{i:02}": 10**9 + i for i in range(n)},
    "Chinese members": lambda n: {f"码{i:02}": f"绿{i}" for i in range(n)},
    "empty lists": lambda n: [[] for _ in range(n)],
    "empty objects": lambda n: [{} for _ in range(n)],
    "small objects": lambda n: [{f"k{i}": {}} for i in range(n // 3)],
    "small lists": lambda n: [["x"] for _ in range(n // 2)],
    "emoji": lambda n: ["😀"] * n,
    "nothing": lambda _: None,
}
CBOR_VALUES = VALUES | {
    "pairs": lambda n: {1000 + i: 2**40 + i for i in range(n // 2)},
    "small maps": lambda n: [{1000 + i: 2**40} for i in range(n // 3)],
    "dates": lambda n: [cbor2.CBORTag(0, "2020-01-01T00:00:00.123456+08:00")] * (n // 2),
    "tags": lambda n: [cbor2.CBORTag(61, cbor2.CBORTag(18, i)) for i in range(n // 3)],
    "simple values": lambda n: [cbor2.CBORSimpleValue(100 + i % 100) for i in range(n)],
}


def longest(make: Callable[[int], bytes], accepted: Callable[[bytes], bool] = lambda _: True) -> bytes:
    """The longest of the codes that ``make`` makes which is still a code and, as far as asked, still accepted."""
    low, high = 0, CODE_BYTES_MAX
    while low < high:
        middle = (low + high + 1) // 2
        code = make(middle)
        fits = len(code) <= CODE_BYTES_MAX and accepted(code)
        low, high = (middle, high) if fits else (low, middle - 1)
    return make(low)


def check(fmt: Format, code: bytes) -> bool:
    """Take a code as far as it goes; tell whether its claims were decoded."""
    tree = None
    try:
        signed = CODECS[fmt].decode(code)
        tree = CODECS[fmt].read_claims(signed.payload)
        claims.read(tree, PLACES[fmt], fmt)
    except OnecodeError:
        return tree is not None
    return True


def json_code(fmt: Format, payload: bytes, kid: bytes = b'"kid":"key-1"') -> bytes:
    if fmt is Format.JWT:
        parts = b'{"alg":"EdDSA",%b}' % kid, payload, SIGNATURE
        return b".".join(map(base64url.encode, parts))
    return b"v4.public." + base64url.encode(payload + SIGNATURE) + b"." + base64url.encode(b"{%b}" % kid)


def json_payload(fmt: Format, ascii_only: bool = False, **more: object) -> bytes:
    return json.dumps(CLAIMS[fmt] | more, ensure_ascii=ascii_only, separators=(",", ":")).encode()


def cbor_code(payload: dict, protected: dict | None = None, unprotected: dict | None = None) -> bytes:
    header = cbor2.dumps({1: -8, 4: b"key-1"} | (protected or {}))
    return b"NC1:" + base45.encode(cbor2.dumps([header, unprotected or {}, cbor2.dumps(payload), SIGNATURE]))


def hold(fmt: Format, make: Callable[[int], bytes], allocated_bytes) -> None:
    """Measure the longest code there is, and the longest one that the bounds let through."""
    for code in (longest(make), longest(make, lambda code: check(fmt, code))):
        assert allocated_bytes(lambda code=code: check(fmt, code)) <= ALLOCATED_BYTES_MAX


@pytest.mark.parametrize("place", ["x", "level", "sub", "iat"])
@pytest.mark.parametrize("escaped", [False, True], ids=["as it is", "escaped"])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("fmt", JSON_FORMATS)
def test_a_json_code_with_one_long_text(fmt, text, escaped, place, allocated_bytes):
    hold(fmt, lambda n: json_code(fmt, json_payload(fmt, escaped, **{place: TEXTS[text](n)})), allocated_bytes)


@pytest.mark.parametrize("place", ["x", "level"])
@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("fmt", JSON_FORMATS)
def test_a_json_code_with_many_small_values(fmt, values, place, allocated_bytes):
    hold(fmt, lambda n: json_code(fmt, json_payload(fmt, **{place: VALUES[values](n)})), allocated_bytes)


@pytest.mark.parametrize("count", [10, 20, 30])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("fmt", JSON_FORMATS)
def test_a_json_code_with_many_texts_of_some_length(fmt, text, count, allocated_bytes):
    def make(n: int) -> bytes:
        return json_code(fmt, json_payload(fmt, **{f"k{i}": TEXTS[text](n // count) for i in range(count)}))

    hold(fmt, make, allocated_bytes)


@pytest.mark.parametrize("digits", [b"%b", b"0.%b", b"1e%b", b"-%b"])
@pytest.mark.parametrize("place", [b'"x":', b'"level":', b'"iat":'])
@pytest.mark.parametrize("fmt", JSON_FORMATS)
def test_a_json_code_with_a_long_number(fmt, place, digits, allocated_bytes):
    start = json_payload(fmt)[:-1] + b"," + place
    if place != b'"x":':
        start = b'{"sub":"1",' + place
    hold(fmt, lambda n: json_code(fmt, start + digits % (b"9" * n) + b"}"), allocated_bytes)


@pytest.mark.parametrize(
    "kid", [b'"kid":"%b"', '"kid":"😀%b"'.encode(), rb'"kid":"\ud83d\ude00%b"', b'"kid":"k","x":"%b"']
)
@pytest.mark.parametrize("payload_bytes", [0, 500, 1000, 2000])
@pytest.mark.parametrize("fmt", JSON_FORMATS)
def test_a_json_code_with_a_long_header(fmt, payload_bytes, kid, allocated_bytes):
    payload = json_payload(fmt, x="x" * payload_bytes)
    hold(fmt, lambda n: json_code(fmt, payload, kid % (b"k" * n)), allocated_bytes)


@pytest.mark.parametrize("size", [0, 300, 1000, 2000])
@pytest.mark.parametrize("values", CBOR_VALUES)
def test_a_national_code_with_many_small_values_and_some_bytes(values, size, allocated_bytes):
    hold(
        Format.NATIONAL,
        lambda n: cbor_code(NATIONAL | {9: CBOR_VALUES[values](n), 10: bytes(size)}),
        allocated_bytes,
    )


@pytest.mark.parametrize("place", [9, -65538, -65537, 6])
@pytest.mark.parametrize("text", TEXTS)
def test_a_national_code_with_one_long_text(text, place, allocated_bytes):
    hold(Format.NATIONAL, lambda n: cbor_code(NATIONAL | {place: TEXTS[text](n)}), allocated_bytes)


@pytest.mark.parametrize("values", CBOR_VALUES)
def test_a_national_code_with_full_headers_and_claims(values, allocated_bytes):
    def make(n: int) -> bytes:
        headers = {9: CBOR_VALUES[values](n), 10: "x" * 300 + "😀"}
        return cbor_code(NATIONAL | headers | {11: bytes(n)}, headers, headers)

    hold(Format.NATIONAL, make, allocated_bytes)


@pytest.mark.parametrize("level", [9, -65538])
@pytest.mark.parametrize("values", CBOR_VALUES)
def test_a_national_code_whose_level_is_a_heap_of_values(values, level, allocated_bytes):
    half = CBOR_VALUES[values](40)
    hold(Format.NATIONAL, lambda n: cbor_code(NATIONAL | {level: CBOR_VALUES[values](n), 10: half}), allocated_bytes)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_national_code_with_its_payload_in_chunks(size, allocated_bytes):
    start = b"\x84" + cbor2.dumps(cbor2.dumps({1: -8, 4: b"key-1"})) + b"\xa0\x5f"

    def make(n: int) -> bytes:
        chunks = cbor2.dumps(bytes(size)) * (n // size)
        return b"NC1:" + base45.encode(start + chunks + b"\xff" + cbor2.dumps(SIGNATURE))

    hold(Format.NATIONAL, make, allocated_bytes)


@pytest.mark.parametrize("fmt", CODECS)
@pytest.mark.parametrize("filler", [b"0", b"A", b".", b"{", b"\xff", b"Z.", b":::"])
def test_a_code_of_nothing_but_filler(fmt, filler, allocated_bytes):
    code = (CODECS[fmt].PREFIX + filler * CODE_BYTES_MAX)[:CODE_BYTES_MAX]
    assert allocated_bytes(lambda: check(fmt, code)) <= ALLOCATED_BYTES_MAX


@pytest.mark.parametrize("fmt", CODECS)
def test_a_code_of_the_greatest_length_with_few_claims_is_still_accepted(fmt):
    if fmt is Format.NATIONAL:
        code = longest(lambda n: cbor_code(NATIONAL | {9: bytes(n)}))
    else:
        code = longest(lambda n: json_code(fmt, json_payload(fmt, level="green", x="x" * n)))
    assert len(code) > CODE_BYTES_MAX - 4
    assert check(fmt, code)


@pytest.mark.parametrize("fmt", CODECS)
def test_a_code_with_thirty_claims_in_chinese_is_still_accepted(fmt):
    if fmt is Format.NATIONAL:
        assert check(fmt, cbor_code(NATIONAL | {100 + n: "绿码" for n in range(30)}))
    else:
        for escaped in (False, True):
            assert check(fmt, json_code(fmt, json_payload(fmt, escaped, **{f"claim{n}": "绿码" for n in range(25)})))
