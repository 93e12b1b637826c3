"""What a code of 4 KiB can make the decoder allocate: 64 KiB, whatever it holds."""

import json
from collections.abc import Callable

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onecode_server.codes import claims
from onecode_server.codes.codec import CODECS
from onecode_server.codes.encodings import base45, base64url
from onecode_server.codes.national import codec as national
from onecode_server.errors import OnecodeError
from onecode_server.model.code import CODE_BYTES_MAX
from onecode_server.model.trust_list import Format

from tests import formats
from tests.pairwise import each_value, pairwise
from tests.unit.codes.samples import CLAIMS, PLACES, Tree

ALLOCATED_BYTES_MAX = 64 * 1024
SIGNATURE = bytes(64)
NATIONAL = CLAIMS[formats.NATIONAL]
JSON_FORMATS = [formats.JWT, formats.PASETO]

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
    if fmt == formats.JWT:
        parts = b'{"alg":"EdDSA",%b}' % kid, payload, SIGNATURE
        return b".".join(map(base64url.encode, parts))
    return b"v4.public." + base64url.encode(payload + SIGNATURE) + b"." + base64url.encode(b"{%b}" % kid)


def json_payload(fmt: Format, ascii_only: bool = False, /, **more: object) -> bytes:
    return json.dumps(CLAIMS[fmt] | more, ensure_ascii=ascii_only, separators=(",", ":")).encode()


def cbor_code(payload: Tree, protected: Tree | None = None, unprotected: Tree | None = None) -> bytes:
    header = cbor2.dumps({1: -8, 4: b"key-1"} | (protected or {}))
    return b"NC1:" + base45.encode(cbor2.dumps([header, unprotected or {}, cbor2.dumps(payload), SIGNATURE]))


def hold(fmt: Format, make: Callable[[int], bytes], allocated_bytes) -> None:
    """Measure the longest code there is, and the longest one that the bounds let through."""
    for code in (longest(make), longest(make, lambda code: check(fmt, code))):
        assert allocated_bytes(lambda code=code: check(fmt, code)) <= ALLOCATED_BYTES_MAX


@pytest.mark.parametrize(
    ("fmt", "text", "escaped", "place"), pairwise(JSON_FORMATS, TEXTS, [False, True], ["x", "level", "sub", "iat"])
)
def test_a_json_code_with_one_long_text(fmt, text, escaped, place, allocated_bytes):
    hold(fmt, lambda n: json_code(fmt, json_payload(fmt, escaped, **{place: TEXTS[text](n)})), allocated_bytes)


@pytest.mark.parametrize(("fmt", "values", "place"), pairwise(JSON_FORMATS, VALUES, ["x", "level"]))
def test_a_json_code_with_many_small_values(fmt, values, place, allocated_bytes):
    hold(fmt, lambda n: json_code(fmt, json_payload(fmt, **{place: VALUES[values](n)})), allocated_bytes)


@pytest.mark.parametrize(("fmt", "text", "count"), pairwise(JSON_FORMATS, TEXTS, [10, 20, 30]))
def test_a_json_code_with_many_texts_of_some_length(fmt, text, count, allocated_bytes):
    def make(n: int) -> bytes:
        return json_code(fmt, json_payload(fmt, **{f"k{i}": TEXTS[text](n // count) for i in range(count)}))

    hold(fmt, make, allocated_bytes)


@pytest.mark.parametrize(
    ("fmt", "place", "digits"),
    pairwise(JSON_FORMATS, [b'"x":', b'"level":', b'"iat":'], [b"%b", b"0.%b", b"1e%b", b"-%b"]),
)
def test_a_json_code_with_a_long_number(fmt, place, digits, allocated_bytes):
    start = json_payload(fmt)[:-1] + b"," + place
    if place != b'"x":':
        start = b'{"sub":"1",' + place
    hold(fmt, lambda n: json_code(fmt, start + digits % (b"9" * n) + b"}"), allocated_bytes)


@pytest.mark.parametrize(
    ("fmt", "payload_bytes", "kid"),
    pairwise(
        JSON_FORMATS,
        [0, 500, 1000, 2000],
        [b'"kid":"%b"', '"kid":"😀%b"'.encode(), rb'"kid":"\ud83d\ude00%b"', b'"kid":"k","x":"%b"'],
    ),
)
def test_a_json_code_with_a_long_header(fmt, payload_bytes, kid, allocated_bytes):
    payload = json_payload(fmt, x="x" * payload_bytes)
    hold(fmt, lambda n: json_code(fmt, payload, kid % (b"k" * n)), allocated_bytes)


@pytest.mark.parametrize(("values", "size"), each_value(CBOR_VALUES, [0, 300, 1000, 2000]))
def test_a_national_code_with_many_small_values_and_some_bytes(values, size, allocated_bytes):
    hold(
        formats.NATIONAL,
        lambda n: cbor_code(NATIONAL | {9: CBOR_VALUES[values](n), 10: bytes(size)}),
        allocated_bytes,
    )


@pytest.mark.parametrize("place", [9, -65538, -65537, 6])
@pytest.mark.parametrize("text", TEXTS)
def test_a_national_code_with_one_long_text(text, place, allocated_bytes):
    hold(formats.NATIONAL, lambda n: cbor_code(NATIONAL | {place: TEXTS[text](n)}), allocated_bytes)


@pytest.mark.parametrize("values", CBOR_VALUES)
def test_a_national_code_with_full_headers_and_claims(values, allocated_bytes):
    def make(n: int) -> bytes:
        headers = {9: CBOR_VALUES[values](n), 10: "x" * 300 + "😀"}
        return cbor_code(NATIONAL | headers | {11: bytes(n)}, headers, headers)

    hold(formats.NATIONAL, make, allocated_bytes)


@pytest.mark.parametrize("level", [9, -65538])
@pytest.mark.parametrize("values", CBOR_VALUES)
def test_a_national_code_whose_level_is_a_heap_of_values(values, level, allocated_bytes):
    half = CBOR_VALUES[values](40)
    hold(formats.NATIONAL, lambda n: cbor_code(NATIONAL | {level: CBOR_VALUES[values](n), 10: half}), allocated_bytes)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_national_code_with_its_payload_in_chunks(size, allocated_bytes):
    start = b"\x84" + cbor2.dumps(cbor2.dumps({1: -8, 4: b"key-1"})) + b"\xa0\x5f"

    def make(n: int) -> bytes:
        chunks = cbor2.dumps(bytes(size)) * (n // size)
        return b"NC1:" + base45.encode(start + chunks + b"\xff" + cbor2.dumps(SIGNATURE))

    hold(formats.NATIONAL, make, allocated_bytes)


@pytest.mark.parametrize("fmt", CODECS)
@pytest.mark.parametrize("filler", [b"0", b"A", b".", b"{", b"\xff", b"Z.", b":::"])
def test_a_code_of_nothing_but_filler(fmt, filler, allocated_bytes):
    code = (CODECS[fmt].PREFIX + filler * CODE_BYTES_MAX)[:CODE_BYTES_MAX]
    assert allocated_bytes(lambda: check(fmt, code)) <= ALLOCATED_BYTES_MAX


@pytest.mark.parametrize("fmt", CODECS)
def test_a_code_of_the_greatest_length_with_few_claims_is_still_accepted(fmt):
    if fmt == formats.NATIONAL:
        code = longest(lambda n: cbor_code(NATIONAL | {9: bytes(n)}))
    else:
        code = longest(lambda n: json_code(fmt, json_payload(fmt, level="green", x="x" * n)))
    assert len(code) > CODE_BYTES_MAX - 4
    assert check(fmt, code)


# The dearest for their length that a search over mixtures found, measured with CPython 3.11: small maps whose tables
# have just grown; nested arrays; texts of one character of two bytes; numbers that Python does not keep; wide text.
WIDE = [chr(0x100 + n % 0x600) for n in range(CODE_BYTES_MAX + 1)]
DEAR_JSON = {
    "names": lambda n: {WIDE[i]: 999 for i in range(n)},
    "names and texts": lambda n: {WIDE[i]: WIDE[i] for i in range(n)},
    "texts": lambda n: WIDE[:n],
    "texts and wide text": lambda n: ["😀x"] * 50 + WIDE[:n],
    "wide names and texts": lambda n: {chr(0x1F300 + i): "😀" + WIDE[i] for i in range(n)},
    "numbers and towers": lambda n: [json.loads("[" * 20 + "]" * 20)] * (n // 60) + [-9] * n,
    "numbers, towers and wide text": lambda n: ["😀x"] * 20 + [json.loads("[" * 20 + "]" * 20)] * (n // 80) + [-9] * n,
    "texts with colons": lambda n: [":" + text for text in WIDE[:n]],
    "objects that have grown": lambda n: [dict.fromkeys("abcdef", 1)] * n,
    "escapes": lambda n: {WIDE[i]: "\n" + WIDE[i] + "\u0101" for i in range(n)},
}
DEAR_CBOR = {
    "texts": lambda n: WIDE[:n],
    "pairs of texts": lambda n: {WIDE[i]: WIDE[i] for i in range(n)},
    "pairs of numbers": lambda n: {1000 + i: -100 for i in range(n)},
    "numbers of one byte": lambda n: [-20] * n,
    "numbers of two bytes": lambda n: [-100] * n,
    "arrays that have grown": lambda n: [[0] * 9] * n,
    "maps of six": lambda n: [dict.fromkeys(range(6), 0)] * n,
    "maps of eleven": lambda n: [dict.fromkeys(range(11), 0)] * n,
    "maps of 86": lambda n: [dict.fromkeys(range(-100, -14), 0)] * (n // 86),
    "one large map": lambda n: dict.fromkeys(range(-24, n), 0),
    "tags": lambda n: [cbor2.CBORTag(6, 0)] * n,
    "UUIDs": lambda n: [cbor2.CBORTag(37, bytes(16))] * n,
    "odd keys": lambda n: [{False: 0, None: 0, 1.5: 0}] * n,
}


@pytest.mark.parametrize("values", DEAR_JSON)
@pytest.mark.parametrize("fmt", JSON_FORMATS)
def test_a_json_code_with_the_dearest_values_for_their_length(fmt, values, allocated_bytes):
    hold(fmt, lambda n: json_code(fmt, json_payload(fmt, x=DEAR_JSON[values](n))), allocated_bytes)


@pytest.mark.parametrize("values", DEAR_CBOR)
def test_a_national_code_with_the_dearest_values_for_their_length(values, allocated_bytes):
    hold(formats.NATIONAL, lambda n: cbor_code(NATIONAL | {9: DEAR_CBOR[values](n)}), allocated_bytes)


@pytest.mark.parametrize("values", DEAR_CBOR)
def test_a_national_code_with_the_dearest_values_in_a_header(values, allocated_bytes):
    hold(formats.NATIONAL, lambda n: cbor_code(NATIONAL, unprotected={9: DEAR_CBOR[values](n)}), allocated_bytes)
    hold(formats.NATIONAL, lambda n: cbor_code(NATIONAL, protected={9: DEAR_CBOR[values](n)}), allocated_bytes)


SHARES = st.tuples(*[st.integers(0, 12)] * 3)


@given(kinds=st.permutations(sorted(DEAR_CBOR)), shares=SHARES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_national_code_with_a_mixture_of_them(kinds, shares, allocated_bytes):
    def make(n: int) -> bytes:
        parts = [DEAR_CBOR[kind](share * n // 36) for kind, share in zip(kinds, shares, strict=False)]
        return cbor_code(NATIONAL | dict(enumerate(parts, 9)))

    hold(formats.NATIONAL, make, allocated_bytes)


@given(fmt=st.sampled_from(JSON_FORMATS), kinds=st.permutations(sorted(DEAR_JSON)), shares=SHARES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_json_code_with_a_mixture_of_them(fmt, kinds, shares, allocated_bytes):
    def make(n: int) -> bytes:
        parts = [DEAR_JSON[kind](share * n // 36) for kind, share in zip(kinds, shares, strict=False)]
        return json_code(fmt, json_payload(fmt, **{f"x{i}": part for i, part in enumerate(parts)}))

    hold(fmt, make, allocated_bytes)


def test_headers_of_strangers_take_no_more_than_their_bound():
    """Of a code's protected header, which a stranger chooses, only a short one is kept."""
    national._protected_key_id.cache_clear()
    for size in (100, 1000):
        assert check(formats.NATIONAL, cbor_code(NATIONAL, {9: bytes(size)}))
    assert national._protected_key_id.cache_info().currsize == 1
