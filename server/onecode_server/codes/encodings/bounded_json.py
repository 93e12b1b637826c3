"""A JSON decoder (RFC 8259) for untrusted text: bounded before it is decoded, and stricter than the standard library.

The bounds are on names, strings, arrays and objects, and levels, counted outside of strings. The content of strings
does not count, since all of a code's text together takes 30 KiB at most. A weight is the memory of a decoded value, in
units of some 20 bytes, measured with CPython 3.11; numbers weigh nothing, since 4 KiB hold only so many.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from onecode_server.errors import Malformed
from onecode_server.model.code import CODE_BYTES_MAX

DEPTH_MAX: Final = 32
"""Levels of arrays and objects. Documents about vaccination have some twelve."""
WEIGHT_MAX: Final = 2540
"""The bound on the weight of a code, which is then at most 64 KiB. It suffices for 310 members with numbers, 190 with
strings, 410 strings, 220 arrays and objects, and all the numbers that 4 KiB hold."""
NAME_WEIGHT, AGAIN_WEIGHT, STRING_WEIGHT, CONTAINER_WEIGHT, COMMA_WEIGHT = 7, 2, 5, 10, 1
"""AGAIN_WEIGHT is that of a name that occurs in another object already. COMMA_WEIGHT is that of a number, and of the
place of any value."""

HEADER_CHARACTERS_MAX: Final = 1536
"""The bound on a JWT's header or a PASETO's footer, in base64url, that is read in columns and kept. Longer ones, with
certificates in them, are read one by one."""
KEY_ID_BYTES_MAX: Final = 255
"""No key id of a trust list is longer."""

_STRING: Final = re.compile(r'"[^"]*"?')  # an unclosed one too: it is matched once, not again from each place in it
_NAME: Final = re.compile(rf"({_STRING.pattern})([ \t\n\r]*:)?")
_CONTAINERS: Final = frozenset((dict, list))


def loads(data: bytes) -> dict[str, Any]:
    """Return the JSON object in ``data``.

    Raises Malformed for anything else: not UTF-8, not an object, duplicate names, NaN, too many values or levels.
    """
    if len(data) > CODE_BYTES_MAX:
        raise Malformed("JSON is longer than a code")
    names = _bound(data)
    try:
        value = _DECODER.decode(data.decode())
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    # Fewer members than colons: a name occurs twice, of which Python keeps the last, or there are colons in strings.
    kept = _members(value)
    if kept != names and kept != _outside(data).count(":"):
        raise Malformed("duplicate JSON name")
    return value


def dumps(value: Any) -> bytes:
    """Return ``value`` as compact JSON in UTF-8: the same bytes for the same value and order of names."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def key_id(header: Mapping[str, Any]) -> bytes:
    """Return the ``kid`` of a header or footer, empty where there is none. Raises Malformed."""
    kid = header.get("kid", "")
    if not isinstance(kid, str):
        raise Malformed("key id is not text")
    # JSON can contain a lone surrogate, but no key id of the trust list has one.
    return kid.encode(errors="replace")


def _bound(data: bytes) -> int:
    """Return the number of colons in ``data``, at least one for each name. Raises Malformed above the bounds."""
    containers = data.count(b"[") + data.count(b"{")
    names, strings, commas = data.count(b":"), data.count(b'"') // 2, data.count(b",")
    if containers > DEPTH_MAX or _weight(names, strings, containers, commas) > WEIGHT_MAX // 2:
        # The counts include strings, which do not count.
        outside = _outside(data)
        containers = outside.count("[") + outside.count("{")
        names, strings, commas = outside.count(":"), outside.count('"') // 2, outside.count(",")
        weight = _weight(names, strings, containers, commas)
        if weight > WEIGHT_MAX:  # a name of many objects is in memory once
            weight -= (NAME_WEIGHT - AGAIN_WEIGHT) * (names - _distinct_names(data))
        if weight > WEIGHT_MAX:
            raise Malformed("JSON has too many values")
        if containers > DEPTH_MAX and _depth(outside) > DEPTH_MAX:
            raise Malformed("JSON has too many levels")
    return names


def _weight(names: int, strings: int, containers: int, commas: int) -> int:
    """Return the weight of values; ``strings`` counts the names too."""
    values = STRING_WEIGHT * max(strings - names, 0) + CONTAINER_WEIGHT * containers
    return NAME_WEIGHT * names + values + COMMA_WEIGHT * commas


def _distinct_names(data: bytes) -> int:
    """Return the number of different spellings of names, counted no further than the bound."""
    names: dict[str, None] = {}
    for match in _NAME.finditer(_without_escapes(data)):
        if match[2] is not None:
            names[match[1]] = None
            if NAME_WEIGHT * len(names) > WEIGHT_MAX:
                break
    return len(names)


def _outside(data: bytes) -> str:
    """Return ``data`` with empty strings in place of its strings."""
    return _STRING.sub('""', _without_escapes(data))


def _without_escapes(data: bytes) -> str:
    """Return ``data`` with control characters, which JSON does not contain, for escaped backslashes and quotes."""
    # As text of one byte a character: joining so many bytes objects would take 80 bytes for each of them. A pattern
    # with escapes would take a hundred for each.
    return data.decode("latin-1").replace(r"\\", "\0").replace(r"\"", "\1")


def _depth(outside: str) -> int:
    deepest = depth = 0
    for bracket in outside:
        if bracket in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in "]}":
            depth -= 1
    return deepest


def _members(value: Any) -> int:
    """Count the members of all objects; the decoder has dropped duplicate names."""
    count, items = (len(value), value.values()) if type(value) is dict else (0, value)
    for item in items:
        if type(item) in _CONTAINERS:
            count += _members(item)
    return count


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity, which Python accepts and RFC 8259 does not


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)
