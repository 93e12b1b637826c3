"""Finds the places of the values of a CBOR map in its bytes (RFC 8949): the claims of a national code, or its header.

Only items that a layout can have are walked: maps of integer and text labels, strings of definite length, whole numbers
and the words true, false and null. Any other item raises Irregular, and the code is left to ``national.codec``.
"""

from typing import Final

from onecode_server.codes.layouts import FIELDS_MAX, Field, Kind
from onecode_server.model.trust_list import Path

_UINT, _NEGINT, _BYTES, _TEXT, _ARRAY, _MAP = range(6)
_WORDS: Final = {b"\xf4": "false", b"\xf5": "true", b"\xf6": "null"}
_KINDS: Final = {_BYTES: Kind.BYTES, _TEXT: Kind.TEXT}
_DEPTH_MAX: Final = 4
"""The bound on nested maps. A region's path of claims has at most six steps; codes with deeper maps are read one by
one."""


class Irregular(Exception):
    """Raised for a code that cannot be read by columns."""


def fields_of(cbor: bytes, inside: Field) -> dict[Path, Field]:
    """Return the place of each value of the map that fills a byte string, by its path. Raises Irregular, IndexError."""
    found: dict[Path, Field] = {}
    if _members(cbor, inside.start, (), found) != inside.end:
        raise Irregular
    return found


def bytes_at(cbor: bytes, at: int) -> Field:
    """Return the place of the bytes of the byte string whose head is at ``at``. Raises Irregular, IndexError."""
    return _string(cbor, at, _BYTES)


def number(octets: bytes) -> str:
    """Return the JSON text of a number, or of true, false or null, from its CBOR with the head."""
    if octets in _WORDS:
        return _WORDS[octets]
    major = octets[0] >> 5
    value, _ = _argument(octets, 0, major)
    return str(-1 - value if major == _NEGINT else value)


def _members(cbor: bytes, at: int, path: Path, found: dict[Path, Field]) -> int:
    """Note the places of the values of a map that begins at ``at``, and return its end."""
    count, at = _argument(cbor, at, _MAP)
    if len(path) > _DEPTH_MAX:
        raise Irregular
    for _ in range(count):
        if len(found) >= FIELDS_MAX:
            raise Irregular
        label, at = _label(cbor, at)
        here = (*path, label)
        if here in found:
            raise Irregular
        if cbor[at] >> 5 == _MAP:
            found[here] = Field(Kind.OTHER, at, at)
            at = _members(cbor, at, here, found)
        else:
            found[here] = field = _value(cbor, at)
            at = field.end
    return at


def _label(cbor: bytes, at: int) -> tuple[str | int, int]:
    """Return a label, and its end."""
    major = cbor[at] >> 5
    if major == _TEXT:
        text = _string(cbor, at, _TEXT)
        try:
            return cbor[text.start : text.end].decode(), text.end
        except UnicodeDecodeError:
            raise Irregular from None
    if major not in (_UINT, _NEGINT):
        raise Irregular
    value, end = _argument(cbor, at, major)
    return -1 - value if major == _NEGINT else value, end


def _value(cbor: bytes, at: int) -> Field:
    """Return the place of a value: of a string, or of a number of four or eight bytes, the bytes after its head.

    A shorter or a negative number is part of the layout, with its head: few such values differ between codes, except
    levels, each of which has a layout of its own.
    """
    major, info = cbor[at] >> 5, cbor[at] & 31
    if major in (_BYTES, _TEXT):
        return _string(cbor, at, major)
    if major in (_UINT, _NEGINT):
        _, end = _argument(cbor, at, major)
        return Field(Kind.NUMBER, at + 1, end) if major == _UINT and info in (26, 27) else Field(Kind.LITERAL, at, end)
    if cbor[at : at + 1] in _WORDS:
        return Field(Kind.LITERAL, at, at + 1)
    raise Irregular


def _string(cbor: bytes, at: int, major: int) -> Field:
    """Return the place of the bytes of a string."""
    length, start = _argument(cbor, at, major)
    if start + length > len(cbor):
        raise Irregular
    return Field(_KINDS[major], start, start + length)


def _argument(cbor: bytes, at: int, major: int) -> tuple[int, int]:
    """Return the argument of a head, and its end (RFC 8949, section 3)."""
    info = cbor[at] & 31
    if cbor[at] >> 5 != major or info > 27:
        raise Irregular
    size = 0 if info < 24 else 1 << (info - 24)
    end = at + 1 + size
    if end > len(cbor):
        raise Irregular
    return (int.from_bytes(cbor[at + 1 : end]) if size else info), end
