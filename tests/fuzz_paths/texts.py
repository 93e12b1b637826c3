"""Words and other text that claims are made of, as bytes: plain, not ASCII, astral, and what is no text at all."""

from collections.abc import Callable
from typing import Any, Final

from onecode_server.errors import Malformed

ASCII: Final = (
    b"",
    b"a",
    b"LILAC",
    b"green",
    b"GREEN",
    b"RED",
    b"true",
    b"0",
    b"2",
    b"a,b",
    b"a{b",
    b"[]",
    b"\x7f",
    b"\x00",
    b"id-0003",
    b"x" * 23,
    b"x" * 24,
    b"x" * 128,
    b"x" * 129,
    b"x" * 255,
    b"x" * 256,
    b"x" * 257,
    b"2027-01-15T08:00:00Z",
    b"420000",
    b"540000",
)
NOT_ASCII: Final = tuple(
    word.encode()
    for word in ("绿", "红", "黄", "绿码", "湖北省", "é", "ü" * 12, "健康" * 20, "𠀋", "a😀b", "\u2028", "\ufeff")
)
NOT_TEXT: Final = (
    b"\xff\xff\xff",
    b"\xe7\xbb",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xed\xb0\x80",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\x80",
    b"a\xe9b",
    b"\xf0\x82\x82\xac",
)
"""Truncated, overlong, lone surrogates, above U+10FFFF, continuation bytes alone, Latin-1 (RFC 3629, section 3)."""

BYTES: Final = (
    b'"{}[],:0123456789+-.eEtTzZ \\/nu\n\x00\x1f\x20\x7f\x80\xa0\xbb\xbf\xc0\xe7\xed\xf0\xf6\xff\x18\x1a\x60\x61\x78'
)
"""Single bytes with a meaning in JSON, in CBOR's heads or in UTF-8."""


def is_read(decode: Callable[[bytes], Any], data: bytes) -> bool:
    """Tell whether a decoder takes what it is given."""
    try:
        decode(data)
    except Malformed:
        return False
    return True
