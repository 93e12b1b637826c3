"""Claims of JWT and PASETO codes in JSON (RFC 8259), written byte by byte, in all the ways that JSON can be spelt."""

import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from onecode_server.codes.encodings import bounded_json
from onecode_server.model.trust_list import Format, Path

from tests import formats
from tests.fuzz_paths.texts import ASCII, NOT_ASCII, NOT_TEXT, is_read

SECOND: Final = 1_000_000
STYLES: Final = ("plain", "plain", "plain", "plain", "spaced", "lines")
_COMMA: Final = {"plain": b",", "spaced": b", ", "lines": b" ,\r\n\t"}
_COLON: Final = {"plain": b":", "spaced": b": ", "lines": b"\n:\t"}
_ESCAPES: Final = {ord('"'): b'\\"', ord("\\"): b"\\\\"} | {byte: b"\\u%04x" % byte for byte in range(32)}
_PLUS_8: Final = timezone(timedelta(hours=8))


def text(data: bytes) -> bytes:
    """Return a string of these bytes, whether they are UTF-8 or not."""
    if b'"' in data or b"\\" in data or any(byte < 32 for byte in data):
        data = b"".join(_ESCAPES.get(byte, bytes((byte,))) for byte in data)
    return b'"' + data + b'"'


ODD: Final = (
    *(text(data) for data in (*ASCII, *NOT_ASCII, *NOT_TEXT)),
    *(b"true", b"false", b"null", b"True", b"NaN", b"Infinity", b"-Infinity", b"", b"nul", b"'a'"),
    *(
        b"0",
        b"-0",
        b"7",
        b"-7",
        b"01",
        b"1.0",
        b"1.5",
        b"1e3",
        b"1E+3",
        b"1e999",
        b"-1e999",
        b"1e-999",
        b"+1",
        b".5",
        b"1.",
    ),
    *(b"%d" % n for n in (10**9, 99_999_999_999, 253_402_300_799, 253_402_300_800, 10**18, 10**19 - 1, 10**19, 2**63)),
    *(b"%d" % n for n in (2**64 - 1, 2**64, 10**40, 10**200, -(2**63), -(2**63) - 1)),
    b"1" * 4301,
    *(
        rb'"\u7eff"',
        rb'"gr\u0065en"',
        rb'"\ud83d\ude00"',
        rb'"\ud800"',
        rb'"\udc00a"',
        rb'"a\/b"',
        rb'"\n"',
        rb'"\x41"',
    ),
    *(b'"\n"', b'"\x1f"', b'"\x7f"', rb'"\u0000"', rb'"\u00"', b'"open', rb'"\"', rb'"\\"'),
    *(b"[]", b"{}", b'["x"]', b'{"x":"y"}', b'{"a":1,"a":2}', b'{"":0}', b"[1,]", b"[,1]", b'{"a":}', b"[1 2]"),
    *(b"[" * depth + b"]" * depth for depth in (2, 7, 8, 9)),
    *(b'{"a":' * depth + b"1" + b"}" * depth for depth in (2, 7, 9)),
    *(b'"%s"' % time for time in (b"now", b"1960-01-01T12:00:00Z", b"2026-02-30T12:00:00Z", b"2026-02-28T24:00:00Z")),
    *(b'"%s"' % time for time in (b"2026-02-28T23:59:60Z", b"9999-12-31T23:59:59-01:00", b"1970-01-01T00:00:00+01:00")),
    *(b'"%s"' % time for time in (b"2027-01-15t08:00:00z", b"2027-01-15 08:00:00Z", b"2027-01-15T08:00:00.1234567Z")),
    *(b'"%s"' % time for time in (b"2027-01-15T08:00:00.5+0000", b"2027-01-15T08:00:00", b"2027-01-15T08:00:00+25:00")),
)
"""Values of every kind that JSON has, and some that it has not."""
SOUND: Final = tuple(value for value in ODD if is_read(bounded_json.loads, b'{"a":' + value + b"}"))
"""Those that may stand where nobody reads them."""


class Json:
    """How a JWT or a PASETO writes its claims."""

    styles: Final = STYLES
    odd: Final = ODD
    sound: Final = SOUND
    forms: Final = ("seconds", "float", "Z", "fraction", "+08:00", "+0800")
    registered: Final = {"exp": "exp", "nbf": "nbf"}

    def __init__(self, fmt: Format) -> None:
        self.format = fmt
        self.regular = "+08:00" if fmt == formats.PASETO else "seconds"

    def place(self, path: Path, style: str) -> tuple[bytes, bytes]:
        """Return what stands before and behind the value at ``path``, in the object of claims."""
        colon = _COLON[style]
        return (colon + b"{").join(text(str(step).encode()) for step in path) + colon, b"}" * (len(path) - 1)

    def text(self, data: bytes, style: str) -> bytes:
        return text(data)

    def octets(self, data: bytes, style: str) -> bytes:
        return text(data.hex().encode())

    def number(self, value: int) -> bytes:
        return b"%d" % value

    def time(self, time: int, form: str) -> bytes:
        """Return a time (Unix microseconds): in whole seconds, as a fraction, or as RFC 3339 text."""
        match form:
            case "seconds":
                return b"%d" % (time // SECOND)
            case "float":
                return b"%.3f" % (time / SECOND)
            case "Z":
                return _moment(time, UTC).replace(b"+00:00", b"Z")
            case "fraction":
                return _moment(time, UTC).replace(b"+00:00", b".%06dZ" % (time % SECOND))
            case "+08:00":
                return _moment(time, _PLUS_8)
            case _:
                return _moment(time, _PLUS_8).replace(b"+08:00", b"+0800")

    def join(self, pieces: list[bytes], style: str) -> bytes:
        """Return the object of these members."""
        return b"{" + _COMMA[style].join(pieces) + b"}"

    def respelt(self, piece: bytes) -> bytes:
        """Return a member whose name begins with an escape."""
        return b'"\\u%04x' % piece[1] + piece[2:] if 0x20 < piece[1] < 0x7F else piece

    def twisted(self, payload: bytes, chance: random.Random) -> bytes:
        """Return claims of which the whole, not one value, is out of the plain."""
        return chance.choice(
            (
                payload + b" ",
                b"\n" + payload,
                b"\xef\xbb\xbf" + payload,
                payload + b"\x00",
                payload[:-1],
                payload[:-1] + b",}",
                b"[" + payload + b"]",
                payload.replace(b'":', b'" :', 1),
                payload.decode("latin-1").encode("utf-16"),
                b"",
            )
        )


def _moment(time: int, zone: timezone) -> bytes:
    moment = datetime.fromtimestamp(min(max(time, 0) // SECOND, 253_402_214_400), zone)
    return b'"' + moment.isoformat().encode() + b'"'
