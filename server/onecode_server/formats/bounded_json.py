"""JSON (RFC 8259) from strangers: bounded before it is decoded, and strict where the standard library is not.

Bounds keep what one code makes the decoder allocate under 16 KiB; a test measures it. Python holds a whole string in
four bytes a character where one character needs them, hence the smaller bound for text with anything but plain ASCII.
"""

import json
from typing import Any, Final

from onecode_server.errors import Malformed

BYTES_MAX: Final = 3072
WIDE_BYTES_MAX: Final = 1024
VALUES_MAX: Final = 48
DEPTH_MAX: Final = 8


def loads(data: bytes) -> dict[str, Any]:
    """Return the JSON object in ``data``.

    Raises Malformed for anything else: not UTF-8, not an object, duplicate names, NaN, too large, deep or rich.
    """
    plain = data.isascii() and b"\\" not in data
    if len(data) > (BYTES_MAX if plain else WIDE_BYTES_MAX):
        raise Malformed("JSON is too large")
    containers = data.count(b"{") + data.count(b"[")
    if containers + data.count(b",") > VALUES_MAX:
        raise Malformed("JSON has too many values")
    if containers > DEPTH_MAX and _depth(data) > DEPTH_MAX:
        raise Malformed("JSON is too deep")
    try:
        value = _DECODER.decode(data.decode())
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    return value


def dumps(value: Any) -> bytes:
    """Return ``value`` as compact JSON in UTF-8: the same bytes for the same value and order of names."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _depth(data: bytes) -> int:
    """Return an upper bound of the nesting: brackets inside strings count too, which only errs to the safe side."""
    deepest = depth = 0
    for byte in data:
        if byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate name")
    return members


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity, which Python takes and RFC 8259 does not know


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
