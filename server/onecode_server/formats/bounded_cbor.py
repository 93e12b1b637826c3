"""CBOR (RFC 8949) from strangers: walked and bounded before cbor2 decodes it.

cbor2 builds whatever the bytes ask for: regular expressions, fractions, shared references, four hundred levels of
lists. The walk here allows what a CWT is made of and counts it first, so that decoding stays under 16 KiB a code.
"""

from typing import Any, Final

import cbor2

from onecode_server.errors import Malformed

DEPTH_MAX: Final = 8
COST_BYTES_MAX: Final = 9_728
"""What is left of 16 KiB beside the signed message, its parts (6 KiB) and what Python needs itself."""

_ITEM_BYTES: Final = 112  # a map in a map, the largest for its length: measured, with CPython 3.11
_BYTES_FACTOR: Final = 2  # chunks are joined, and ASCII text is read before it is decoded
_WIDE_TEXT_FACTOR: Final = 7  # Python holds text in up to four bytes a character, and widens it on the way

TAGS: Final = frozenset({0, 1, 18, 61})
"""Date text, epoch time (RFC 8949, section 3.4), COSE_Sign1 (RFC 9052), CWT (RFC 8392)."""

_UINT, _NEGINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_INDEFINITE: Final = -1
_BREAK: Final = 0xFF


def loads(data: bytes) -> Any:
    """Return the one CBOR item that ``data`` is. Maps have unique keys, each an integer or a string.

    Raises Malformed for anything else: truncated, trailing bytes, duplicate keys, unexpected tags, too large or deep.
    """
    pairs = _Walk(data).pairs()
    try:
        value = cbor2.loads(data)
    except Exception:  # a boundary: cbor2 lets ValueError, OverflowError, decimal's and datetime's own errors through
        raise Malformed("not CBOR") from None
    if pairs and _pairs(value) != pairs:
        raise Malformed("duplicate CBOR map key")
    return value


def dumps(value: Any) -> bytes:
    """Return ``value`` in deterministic CBOR (RFC 8949, section 4.2.3: of two map keys the shorter first)."""
    return cbor2.dumps(value, canonical=True)


def _pairs(value: Any) -> int:
    """Count the map pairs that are left after decoding; a duplicate key has swallowed one."""
    if isinstance(value, dict):
        return len(value) + sum(map(_pairs, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_pairs, value))
    if isinstance(value, cbor2.CBORTag):
        return _pairs(value.value)
    return 0


class _Walk:
    """One pass over the heads of the items, without building any of them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._cost_bytes = 0
        self._pairs = 0

    def pairs(self) -> int:
        """Return how many map pairs there are in all. Raises Malformed."""
        try:
            self._item(DEPTH_MAX, key=False)
        except IndexError:
            raise Malformed("CBOR is truncated") from None
        if self._at != len(self._data):
            raise Malformed("bytes after the CBOR item")
        return self._pairs

    def _item(self, depth: int, *, key: bool) -> None:
        if depth < 0:
            raise Malformed("CBOR has too many levels")
        self._pay(_ITEM_BYTES)
        major, value = self._head()
        if key and major > _TEXT:
            raise Malformed("CBOR map key is neither integer nor string")
        if major in (_BYTES, _TEXT):
            self._string(major, value)
        elif major == _ARRAY:
            self._children(depth, value, in_map=False)
        elif major == _MAP:
            self._children(depth, value, in_map=True)
        elif major == _TAG:
            if value not in TAGS:
                raise Malformed("unexpected CBOR tag")
            self._item(depth - 1, key=False)

    def _head(self) -> tuple[int, int]:
        """Read a head; return its major type and its argument, or _INDEFINITE (RFC 8949, section 3)."""
        initial = self._data[self._at]
        self._at += 1
        major, info = initial >> 5, initial & 31
        if info < 24:
            return major, info
        if info < 28:
            end = self._at + (1 << info - 24)
            if end > len(self._data):
                raise Malformed("CBOR is truncated")
            value = int.from_bytes(self._data[self._at : end])
            self._at = end
            return major, value
        if info == 31 and _BYTES <= major <= _MAP:
            return major, _INDEFINITE
        raise Malformed("CBOR head is reserved or a stray break")

    def _string(self, major: int, length: int) -> None:
        if length == _INDEFINITE:
            while self._data[self._at] != _BREAK:
                self._pay(_ITEM_BYTES)
                chunk, length = self._head()
                if chunk != major or length == _INDEFINITE:
                    raise Malformed("CBOR string chunk is wrong")
                self._string(major, length)
            self._at += 1
            return
        end = self._at + length
        if end > len(self._data):
            raise Malformed("CBOR is truncated")
        is_wide = major == _TEXT and not self._data[self._at : end].isascii()
        self._pay(length * (_WIDE_TEXT_FACTOR if is_wide else _BYTES_FACTOR))
        self._at = end

    def _children(self, depth: int, count: int, *, in_map: bool) -> None:
        left = count
        while left != 0:
            if count == _INDEFINITE and self._data[self._at] == _BREAK:
                self._at += 1
                return
            if in_map:
                self._pairs += 1
                self._item(depth - 1, key=True)
            self._item(depth - 1, key=False)
            left -= 1

    def _pay(self, cost_bytes: int) -> None:
        """Add what an item will take once it is built."""
        self._cost_bytes += cost_bytes
        if self._cost_bytes > COST_BYTES_MAX:
            raise Malformed("CBOR has too many items or too long strings")
