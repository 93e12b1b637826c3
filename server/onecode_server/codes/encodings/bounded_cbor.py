"""A CBOR decoder (RFC 8949) for untrusted bytes: reads every well-formed item within bounds, and builds only plain
values.

A general decoder interprets tags: it compiles regular expressions, follows references, and fails at dates out of range.
Here a tag that claims do not use is kept with its value, as ``Tagged``. The bounds are on bytes (a code's), levels and
weights. A weight is the memory of a decoded item, in units of 16 bytes, measured with CPython 3.11: strings of any
length weigh the same, since all of a code's text together takes 20 KiB at most.
"""

import struct
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import cbor2

from onecode_server.errors import Malformed
from onecode_server.model.code import CODE_BYTES_MAX

DEPTH_MAX: Final = 32
"""Levels of arrays, maps and tags. Documents about vaccination have some twelve."""
WEIGHT_MAX: Final = 3500
"""The bound on the weight of a code, which is then at most 64 KiB. It suffices for 550 pairs of numbers, 280 of
strings, and arrays of 1,100 numbers, 550 strings, 290 arrays or 140 maps of some items each: more than 4 KiB hold of
values of any length."""

NUMBER_WEIGHT, STRING_WEIGHT, TAG_WEIGHT, ARRAY_WEIGHT, ITEM_WEIGHT, MAP_WEIGHT, FROZEN_WEIGHT = 2, 5, 8, 6, 1, 4, 9
"""Numbers of 0 to 255, ``false``, ``true``, ``null`` and strings of at most one byte weigh nothing: CPython shares
them. ITEM_WEIGHT is that of each place in an array, FROZEN_WEIGHT of each item of a key that is neither number nor
string."""
_GROWTH: Final[dict[int, int]] = {1: 11, 6: 8, 11: 17, 22: 34, 43: 69, 86: 150, 171: 320, 342: 576, 683: 2304}
"""The growth of a map's table at so many pairs; the last time it is in memory twice while it grows."""

_DATE_TEXT, _EPOCH_TIME, _UUID = 0, 1, 37
_TRANSPARENT: Final = (28, 55799)
"""Tags that leave their value unchanged: shareable ones, as cbor2's ``value_sharing`` writes all arrays and maps (a
reference to one, tag 29, stays Tagged), and self-described items."""
_UUID_BYTES: Final = 16
_BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = 2, 3, 4, 5, 6, 7
_INDEFINITE: Final = -1
_BREAK: Final = 0xFF
_TWO_BYTES: Final = 24
_FLOATS: Final = {25: struct.Struct(">e"), 26: struct.Struct(">f"), 27: struct.Struct(">d")}
_DOUBLE: Final = _FLOATS[27]
_KEY_TYPES: Final = frozenset((int, str, bytes))


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value with a tag that has no meaning for claims (RFC 8949, section 3.4)."""

    tag: int
    value: Any


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple value besides false, true and null (RFC 8949, section 3.3): 23 is undefined."""

    number: int


_SIMPLES: Final[list[Any]] = [Simple(number) for number in range(256)]
_SIMPLES[20:23] = False, True, None


def loads(data: bytes) -> Any:
    """Return the one CBOR item that ``data`` contains.

    Integers, bytes, text, lists, dicts, floats, False, True and None are themselves; a time (tags 0 and 1) is its text
    or its number, tag 37 over 16 bytes a UUID; a self-described (55799) or shareable (28) item is itself, and an item
    with any other tag is Tagged. A map's keys are integers, bytes and text; keys of other types, which no claim has,
    are tuples.

    Raises Malformed for anything else: truncated, trailing bytes, duplicate keys, text that is not UTF-8, too many
    items or levels.
    """
    if len(data) > CODE_BYTES_MAX:
        raise Malformed("CBOR is longer than a code")
    reader = _Reader(data)
    try:
        value = reader.item(DEPTH_MAX)
    except (IndexError, struct.error):
        raise Malformed("CBOR is truncated") from None
    except UnicodeDecodeError:
        raise Malformed("CBOR text is not UTF-8") from None
    if reader.at != len(data):
        raise Malformed("bytes after the CBOR item")
    return value


def dumps(value: Any) -> bytes:
    """Return ``value`` in deterministic CBOR (RFC 8949, section 4.2.3: the shorter of two map keys comes first)."""
    return cbor2.dumps(value, canonical=True)


class _Reader:
    """Reads one item after the other. ``at`` is the place of the next one."""

    __slots__ = ("_data", "_left", "at")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = WEIGHT_MAX
        self.at = 0

    def item(self, depth: int) -> Any:
        """Return the next item, which may hold others ``depth`` levels deep."""
        data, at = self._data, self.at
        initial = data[at]
        self.at = at + 1
        major, argument = initial >> 5, initial & 31
        if argument >= _TWO_BYTES:
            if major == _SIMPLE:
                return self._long_simple(argument)
            argument = self._argument(argument)
        if major < _BYTES:
            if argument == _INDEFINITE:
                raise Malformed("a CBOR integer has no indefinite length")
            if major or argument > 0xFF:
                self._weigh(NUMBER_WEIGHT)
            return ~argument if major else argument
        if major <= _TEXT:
            whole = self._chunks(major) if argument == _INDEFINITE else self._chunk(argument)
            if len(whole) > 1:
                self._weigh(STRING_WEIGHT)
            return whole if major == _BYTES else str(whole, "utf-8")
        return _SIMPLES[argument] if major == _SIMPLE else self._composite(major, argument, depth - 1)

    def _composite(self, major: int, argument: int, depth: int) -> Any:
        if depth < 0:
            raise Malformed("CBOR has too many levels")
        if major == _MAP:
            return self._map(argument, depth)
        return self._array(argument, depth) if major == _ARRAY else self._tagged(argument, depth)

    def _argument(self, info: int) -> int:
        """Return the argument that follows a head's first byte, or _INDEFINITE (RFC 8949, section 3)."""
        if info == 31:
            return _INDEFINITE
        if info > 27:
            raise Malformed("CBOR head is reserved")
        at = self.at
        self.at = end = at + (1 << info - _TWO_BYTES)
        if end > len(self._data):
            raise Malformed("CBOR is truncated")
        return int.from_bytes(self._data[at:end])

    def _chunk(self, size: int) -> bytes:
        at = self.at
        self.at = end = at + size
        if end > len(self._data):
            raise Malformed("CBOR is truncated")
        return self._data[at:end]

    def _chunks(self, major: int) -> bytes:
        """Return a string of indefinite length: chunks of its own type and of definite length (section 3.2.3)."""
        whole = bytearray()
        while (initial := self._data[self.at]) != _BREAK:
            self.at += 1
            size = initial & 31
            if initial >> 5 != major or size == 31:
                raise Malformed("CBOR string chunk is wrong")
            chunk = self._chunk(size if size < _TWO_BYTES else self._argument(size))
            if major == _TEXT:
                str(chunk, "utf-8")  # each chunk must be text in itself
            whole += chunk
        self.at += 1
        return bytes(whole)

    def _array(self, count: int, depth: int) -> list[Any]:
        self._weigh(ARRAY_WEIGHT)
        items: list[Any] = []
        while count and not (count < 0 and self._ends()):
            self._weigh(ITEM_WEIGHT)
            items.append(self.item(depth))
            count -= 1
        return items

    def _map(self, count: int, depth: int) -> dict[Any, Any]:
        self._weigh(MAP_WEIGHT)
        members: dict[Any, Any] = {}
        while count and not (count < 0 and self._ends()):
            has_tag = self._data[self.at] >> 5 == _TAG
            key = self.item(depth)
            # Python takes 1, 1.0 and True for the same key, and cannot look up a list; a time is no number here.
            if type(key) not in _KEY_TYPES or has_tag:
                key = self._frozen(key)
            if key in members:
                raise Malformed("duplicate CBOR map key")
            if grown := _GROWTH.get(len(members) + 1):
                self._weigh(grown)
            members[key] = self.item(depth)
            count -= 1
        return members

    def _ends(self) -> bool:
        """Tell whether an array or map of indefinite length ends here, and pass its end."""
        if self._data[self.at] != _BREAK:
            return False
        self.at += 1
        return True

    def _tagged(self, tag: int, depth: int) -> Any:
        if tag == _INDEFINITE:
            raise Malformed("a CBOR tag has no indefinite length")
        value = self.item(depth)
        kind = type(value)
        if tag in _TRANSPARENT or (tag == _DATE_TEXT and kind is str) or (tag == _EPOCH_TIME and kind in (int, float)):
            return value
        self._weigh(TAG_WEIGHT)
        if tag == _UUID and kind is bytes and len(value) == _UUID_BYTES:
            return UUID(bytes=value)
        return Tagged(tag, value)

    def _long_simple(self, info: int) -> Any:
        """Return a float, or a simple value of two bytes (RFC 8949, section 3.3)."""
        at = self.at
        if info == _TWO_BYTES:
            self.at = at + 1
            if self._data[at] < 32:
                raise Malformed("a CBOR simple value is longer than it may be")
            return _SIMPLES[self._data[at]]
        number = _FLOATS.get(info)
        if number is None:
            raise Malformed("CBOR head is reserved or a stray break")
        self._weigh(NUMBER_WEIGHT)
        self.at = at + number.size
        return number.unpack_from(self._data, at)[0]

    def _frozen(self, value: Any) -> tuple[Any, ...]:
        """Return a tuple that is equal for equal values only: with the type, and an array's items and a map's pairs
        likewise."""
        self._weigh(FROZEN_WEIGHT)
        kind = type(value)
        if kind is list:
            return kind, tuple(map(self._frozen, value))
        if kind is dict:
            return kind, frozenset((self._frozen(key), self._frozen(member)) for key, member in value.items())
        if kind is Tagged:
            return kind, value.tag, self._frozen(value.value)
        return kind, _DOUBLE.pack(value) if kind is float else value  # a NaN does not equal itself

    def _weigh(self, weight: int) -> None:
        self._left -= weight
        if self._left < 0:
            raise Malformed("CBOR has too many items")
