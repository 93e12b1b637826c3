"""CBOR (RFC 8949) of a national code, with the server's bounds, so that both read the same codes.

A general decoder interprets what a stranger tagged (regular expressions, references, dates) and keeps the last of two
equal keys. Here an item with a tag that no claim has stays ``Tagged``, and equal keys are a fault.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from onecode_client.offline.faults import Malformed

ITEM_BYTES_MAX: Final = 4096
DEPTH_MAX: Final = 32
"""Levels of arrays, maps and tags."""
WEIGHT_MAX: Final = 3500
"""The bound on what a server decodes, in units of 16 bytes of its memory: 550 pairs of numbers, or 290 arrays."""
_NUMBER, _STRING, _TAG, _ARRAY, _ITEM, _MAP, _ODD_KEY = 2, 5, 8, 6, 1, 4, 9
_TABLES: Final = {1: 11, 6: 8, 11: 17, 22: 34, 43: 69, 86: 150, 171: 320, 342: 576, 683: 2304}
"""The weight by which a map grows when it gets so many pairs."""
_FLOATS: Final = {25: ">e", 26: ">f", 27: ">d"}
_OPEN: Final = -1
"""The argument of an item of indefinite length (section 3.2)."""


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value with a tag that no claim has."""

    tag: int
    value: Any


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple value besides false, true and null (section 3.3)."""

    number: int


def read_item(data: bytes) -> Any:
    """Return the one item in ``data``: int, bytes, str, list, dict, float, bool, None, UUID (tag 37), Tagged or Simple.

    Times (tags 0 and 1), shareable (28) and self-described (55799) items are what they contain. Raises Malformed.
    """
    if len(data) > ITEM_BYTES_MAX:
        raise Malformed("CBOR is longer than a code")
    reader = _Reader(data)
    try:
        value = reader.item(DEPTH_MAX)
    except UnicodeDecodeError:
        raise Malformed("CBOR text is not UTF-8") from None
    if reader.at != len(data):
        raise Malformed("bytes after the CBOR item")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = WEIGHT_MAX
        self.at = 0

    def item(self, depth: int) -> Any:
        """Return the next item, which may contain others ``depth`` levels deep."""
        first = self._take(1)[0]
        major, info = first >> 5, first & 31
        if major == 7:
            return self._simple(info)
        argument = self._argument(info)
        match major:
            case 0 | 1:
                return self._integer(major, argument)
            case 2 | 3:
                whole = self._chunks(major) if argument == _OPEN else self._take(argument)
                self._weigh(_STRING if len(whole) > 1 else 0)
                return whole if major == 2 else whole.decode()
        if not depth:
            raise Malformed("CBOR has too many levels")
        if major == 4:
            return self._array(argument, depth - 1)
        return self._map(argument, depth - 1) if major == 5 else self._tagged(argument, depth - 1)

    def _take(self, size: int) -> bytes:
        part = self._data[self.at : self.at + size]
        if len(part) != size:
            raise Malformed("CBOR is truncated")
        self.at += size
        return part

    def _argument(self, info: int) -> int:
        if info < 24:
            return info
        if info == 31:
            return _OPEN
        if info > 27:
            raise Malformed("CBOR head is reserved")
        return int.from_bytes(self._take(1 << info - 24))

    def _weigh(self, weight: int) -> None:
        self._left -= weight
        if self._left < 0:
            raise Malformed("CBOR has too many items")

    def _integer(self, major: int, argument: int) -> int:
        if argument == _OPEN:
            raise Malformed("a CBOR integer has no indefinite length")
        self._weigh(_NUMBER if major or argument > 0xFF else 0)
        return -1 - argument if major else argument

    def _simple(self, info: int) -> Any:
        if info in _FLOATS:
            self._weigh(_NUMBER)
            return struct.unpack(_FLOATS[info], self._take(1 << info - 24))[0]
        if info > 24:
            raise Malformed("CBOR head is reserved or a stray break")
        number = self._take(1)[0] if info == 24 else info
        if info == 24 and number < 32:
            raise Malformed("a CBOR simple value is longer than it may be")
        return {20: False, 21: True, 22: None}.get(number, Simple(number))

    def _chunks(self, major: int) -> bytes:
        whole = b""
        while not self._ends():
            first = self._take(1)[0]
            if first >> 5 != major or first & 31 == 31:
                raise Malformed("CBOR string chunk is wrong")
            chunk = self._take(self._argument(first & 31))
            if major == 3:
                chunk.decode()  # each chunk is text in itself
            whole += chunk
        return whole

    def _ends(self) -> bool:
        """Tell whether an item of indefinite length ends here, and pass its end."""
        if self._take(1) == b"\xff":
            return True
        self.at -= 1
        return False

    def _places(self, count: int) -> Iterator[None]:
        """Yield once before each item of an array, or pair of a map."""
        if count == _OPEN:
            while not self._ends():
                yield
            return
        for _ in range(count):  # ends with the data: each item takes a byte
            yield

    def _array(self, count: int, depth: int) -> list[Any]:
        self._weigh(_ARRAY)
        items = []
        for _ in self._places(count):
            self._weigh(_ITEM)
            items.append(self.item(depth))
        return items

    def _map(self, count: int, depth: int) -> dict[Any, Any]:
        self._weigh(_MAP)
        members: dict[Any, Any] = {}
        for _ in self._places(count):
            is_tagged = self._data[self.at : self.at + 1] >= b"\xc0" and self._data[self.at] < 0xE0
            key = self.item(depth)
            if type(key) not in (int, str, bytes) or is_tagged:
                key = self._odd_key(key)
            if key in members:
                raise Malformed("duplicate CBOR map key")
            self._weigh(_TABLES.get(len(members) + 1, 0))
            members[key] = self.item(depth)
        return members

    def _odd_key(self, value: Any) -> tuple[Any, ...]:
        """Return a tuple for a key that no claim has, equal for equal items only: to Python, 1, 1.0 and True are."""
        self._weigh(_ODD_KEY)
        match value:
            case list():
                return list, tuple(map(self._odd_key, value))
            case dict():
                return dict, frozenset((self._odd_key(key), self._odd_key(one)) for key, one in value.items())
            case Tagged():
                return Tagged, value.tag, self._odd_key(value.value)
            case float():
                return float, struct.pack(">d", value)  # a NaN does not equal itself
        return type(value), value

    def _tagged(self, tag: int, depth: int) -> Any:
        if tag == _OPEN:
            raise Malformed("a CBOR tag has no indefinite length")
        value = self.item(depth)
        is_time = (tag == 0 and isinstance(value, str)) or (tag == 1 and type(value) in (int, float))
        if is_time or tag in (28, 55799):
            return value
        self._weigh(_TAG)
        if tag == 37 and isinstance(value, bytes) and len(value) == 16:
            return UUID(bytes=value)
        return Tagged(tag, value)
