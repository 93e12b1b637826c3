"""Base45 (RFC 9285), strict: each byte string has exactly one text, so that a changed text is never the same code."""

from array import array
from typing import Any, Final

from onecode_server.codes.encodings import compiled
from onecode_server.errors import Malformed

ALPHABET: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

_PIECE: Final = 192
_OUTSIDE: Final = 255
VALUES: Final = bytes(ALPHABET.index(c) if c in ALPHABET else _OUTSIDE for c in range(256))
_PAIRS: Final = [bytes((ALPHABET[n % 45], ALPHABET[n // 45])) for n in range(45 * 45)]
_SWAP: Final = array("H", b"\1\0")[0] == 1  # this machine is little-endian; base45 is not


def decode(text: bytes) -> bytes:
    """Return the bytes of ``text``. Raises Malformed where it is not base45."""
    return _decode(text) if compiled.kernel is None else _decode_in_c(text, compiled.kernel)


def _decode_in_c(text: bytes, kernel: Any) -> bytes:
    characters = len(text)
    if characters % 3 == 1:
        raise Malformed("not base45")
    size = 2 * (characters // 3) + (characters % 3 == 2)
    to = kernel.ffi.new("char[]", size)
    if not kernel.lib.onecode_base45(characters, text, to):
        raise Malformed("not base45")
    data: bytes = kernel.ffi.unpack(to, size)
    return data


def _decode(text: bytes) -> bytes:
    values = text.translate(VALUES)
    if _OUTSIDE in values or len(values) % 3 == 1:
        raise Malformed("not base45")
    words = array("H")
    try:
        # In pieces: a list of all these numbers would be twenty times the size of the result.
        for start in range(0, len(values), _PIECE):
            rest = iter(values[start : start + _PIECE])
            words.fromlist([a + 45 * b + 2025 * c for a, b, c in zip(rest, rest, rest, strict=False)])
        tail = bytes((values[-2] + 45 * values[-1],)) if len(values) % 3 else b""
    except (OverflowError, ValueError):  # a group above 65,535, or a last pair above 255
        raise Malformed("not base45") from None
    if _SWAP:
        words.byteswap()
    return b"".join((words, tail))


def characters(size: int) -> int:
    """Return the number of characters that so many bytes are encoded as."""
    return size // 2 * 3 + size % 2 * 2


def encode(data: bytes) -> bytes:
    """Return ``data`` as base45 text."""
    parts = []
    for i in range(0, len(data) - 1, 2):
        high, low = divmod(data[i] << 8 | data[i + 1], 2025)
        parts.append(_PAIRS[low] + ALPHABET[high : high + 1])
    if len(data) % 2:
        parts.append(_PAIRS[data[-1]])
    return b"".join(parts)
