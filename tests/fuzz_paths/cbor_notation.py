"""National codes' claims in CBOR (RFC 8949), written byte by byte: as deterministic encoders do, and in all other ways.

Values and names are bytes already, so that one of them can be exchanged without writing the others again.
"""

import random
import struct
from typing import Final

from onecode_server.codes.encodings import bounded_cbor
from onecode_server.codes.national import codec as national
from onecode_server.model.trust_list import Path

from tests import formats
from tests.fuzz_paths.texts import ASCII, NOT_ASCII, NOT_TEXT, is_read

SECOND: Final = 1_000_000
STYLES: Final = ("plain", "plain", "plain", "plain", "plain", "wide", "indefinite")


def head(major: int, argument: int, width: int = 0) -> bytes:
    """Return a head: as short as it can be, or with an argument of ``width`` bytes (1, 2, 4 or 8)."""
    if not width:
        if argument < 24:
            return bytes((major << 5 | argument,))
        width = next(size for size in (1, 2, 4, 8) if argument < 1 << 8 * size)
    return bytes((major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[width],)) + argument.to_bytes(width)


def integer(value: int, width: int = 0) -> bytes:
    return head(0, value, width) if value >= 0 else head(1, -1 - value, width)


def text(data: bytes, width: int = 0) -> bytes:
    """Return a text string of these bytes, whether they are UTF-8 or not."""
    return head(3, len(data), width) + data


def octets(data: bytes, width: int = 0) -> bytes:
    return head(2, len(data), width) + data


_DEEP: Final = [b"\x81" * depth + b"\x01" for depth in (1, 7, 8, 9)] + [
    b"\xa1\x01" * depth + b"\x01" for depth in (2, 8)
]
_TAGGED: Final = [
    b"\xc0\x74" + b"2027-01-15T08:00:00Z",
    b"\xc0\x63now",
    b"\xc1\x1a\x6b\x49\xd2\x00",
    b"\xc1\xfb\x41\xda\xd2\x74\x80\x00\x00\x00",
    b"\xc2\x49" + b"\x01" * 9,
    b"\xc3\x41\x01",
    b"\xc4\x82\x01\x02",
    b"\xd8\x25\x50" + bytes(16),
    b"\xd9\xd9\xf7\x01",
    b"\xd8\x20\x61a",
    b"\xd8\x1c\x81\x01",
    b"\xd8\x1d\x00",
    b"\xd8\x23\x62((",
]
ODD: Final = (
    *(b"\xf4", b"\xf5", b"\xf6", b"\xf7", b"\xe0", b"\xf8\x20", b"\xff", b"\x1c", b"\x3f", b"\x5f\xff", b"\x7f\xff"),
    *(b"\xf9\x7e\x00", b"\xf9\x7c\x00", b"\xfa\x47\xc3\x50\x00", b"\xfb\x41\xda\xd2\x74\x80\x20\x00\x00"),
    *(integer(n) for n in (0, 7, 23, 24, 255, 256, 65_536, 2**32 - 1, 2**32, 2**63, 2**64 - 1, -1, -24, -(2**63))),
    *(integer(7, width) for width in (1, 2, 4, 8)),
    *(text(data) for data in (*ASCII, *NOT_ASCII, *NOT_TEXT)),
    *(octets(bytes(size)) for size in (0, 1, 15, 16, 17, 32, 128, 129, 255)),
    b"\x7f\x62gr\x63een\xff",
    b"\x5f\x42ab\x41c\xff",
    b"\x7f\x61\xe7\x62\xbb\xbf\xff",
    *(
        b"\x80",
        b"\xa0",
        b"\x82\x01\x02",
        b"\x9f\x01\xff",
        b"\xbf\x01\x02\xff",
        b"\xa2\x01\x02\x01\x03",
        b"\xa1\xf6\x01",
    ),
    *_DEEP,
    *_TAGGED,
)
"""Values of every kind that CBOR has, and some that it has not."""
SOUND: Final = tuple(value for value in ODD if is_read(bounded_cbor.loads, value))
"""Those that may stand where nobody reads them."""


class Cbor:
    """How a national code writes its claims."""

    format: Final = formats.NATIONAL
    styles: Final = STYLES
    odd: Final = ODD
    sound: Final = SOUND
    regular: Final = "seconds"
    forms: Final = ("seconds", "float", "tagged", "long")
    registered: Final = {"exp": national.EXPIRY, "nbf": national.NOT_BEFORE}

    def place(self, path: Path, style: str) -> tuple[bytes, bytes]:
        """Return what stands before and behind the value at ``path``, in the map of claims."""
        steps = [text(step.encode()) if isinstance(step, str) else integer(step) for step in path]
        return b"\xa1".join(steps), b""

    def text(self, data: bytes, style: str) -> bytes:
        return text(data, 2 if style == "wide" else 0)

    def octets(self, data: bytes, style: str) -> bytes:
        return octets(data, 2 if style == "wide" else 0)

    def number(self, value: int) -> bytes:
        return integer(value)

    def time(self, time: int, form: str) -> bytes:
        """Return a time (Unix microseconds) in whole seconds, unless its form is another."""
        match form:
            case "float":
                return b"\xfb" + struct.pack(">d", time / SECOND)
            case "tagged":
                return b"\xc1" + integer(max(time // SECOND, 0))
            case "long":
                return integer(max(time // SECOND, 0), 8)
            case _:
                return integer(max(time // SECOND, 0))

    def join(self, pieces: list[bytes], style: str) -> bytes:
        """Return the map of these pairs."""
        if style == "indefinite":
            return b"\xbf" + b"".join(pieces) + b"\xff"
        return head(5, len(pieces), 1 if style == "wide" else 0) + b"".join(pieces)

    def respelt(self, piece: bytes) -> bytes:
        """Return a pair whose label has a longer head than it needs."""
        major, argument = piece[0] & 0xE0, piece[0] & 31
        return bytes((major | 24, argument)) + piece[1:] if argument < 24 else piece

    def twisted(self, payload: bytes, chance: random.Random) -> bytes:
        """Return claims of which the whole, not one value, is out of the plain."""
        return chance.choice(
            (
                payload + b"\x00",
                payload[:-1],
                b"\xd8\x3d" + payload,
                b"\xd9\xd9\xf7" + payload,
                b"\x81" + payload,
                bytes((payload[0] + 1,)) + payload[1:],
                bytes((payload[0] - 1,)) + payload[1:],
                b"",
            )
        )
