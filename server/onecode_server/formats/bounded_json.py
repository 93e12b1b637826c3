"""JSON (RFC 8259) from strangers: bounded before it is decoded, and strict where the standard library is not.

The bound is on what decoding allocates, reckoned from above: a code stays under 16 KiB, and a test measures it.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from onecode_server.errors import Malformed
from onecode_server.model.code import CODE_BYTES_MAX

DEPTH_MAX: Final = 8
COST_BYTES_MAX: Final = 14_848
"""What is left of 16 KiB beside a key id, a signature and what Python needs itself."""
HEADER_CHARACTERS_MAX: Final = 1536
"""Of a JWT's header or a PASETO's footer, in base64url: a certificate fits. They stay, in the signed message."""
KEY_ID_BYTES_MAX: Final = 255
"""No key id of a trust list is longer."""

_VALUE_BYTES: Final = 256  # a member of an object: measured, with CPython 3.11
_ASTRAL: Final = re.compile(rb"[\xf0-\xff]")  # characters above U+FFFF, in UTF-8


def loads(data: bytes) -> dict[str, Any]:
    """Return the JSON object in ``data``.

    Raises Malformed for anything else: not UTF-8, not an object, duplicate names, NaN, too large, deep or rich.
    """
    containers = data.count(b"{") + data.count(b"[")
    values = containers + data.count(b",")
    message_bytes = min(CODE_BYTES_MAX, HEADER_CHARACTERS_MAX + 4 * len(data) // 3)
    if message_bytes + _string_bytes(data) + _VALUE_BYTES * values > COST_BYTES_MAX:
        raise Malformed("JSON is too large")
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


def key_id(header: Mapping[str, Any]) -> bytes:
    """Return the ``kid`` of a header or footer, empty where there is none. Raises Malformed."""
    kid = header.get("kid", "")
    if not isinstance(kid, str):
        raise Malformed("key id is not text")
    # A lone surrogate can be written in JSON and in no key id of the trust list.
    name = kid.encode(errors="replace")
    if len(name) > KEY_ID_BYTES_MAX:
        raise Malformed("key id is too long")
    return name


def _string_bytes(data: bytes) -> int:
    """Return what ``data``, its text and the strings in it take together, from above.

    One character above U+00FF makes Python hold a whole string in two bytes a character, one above U+FFFF in four. A
    string with escapes is built piece by piece, and moved where it becomes wider.
    """
    text = strings = 1 if data.isascii() else 4 if _ASTRAL.search(data) else 2
    if b"\\" in data:
        escaped = 1 if b"\\u" not in data else 4 if b"\\ud" in data.lower() else 2
        strings = 2 * max(text, escaped)
    return len(data) * (1 + text + strings)


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
