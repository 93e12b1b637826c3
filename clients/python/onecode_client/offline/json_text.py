"""JSON (RFC 8259) of a code or its header, with the server's bounds, so that both read the same codes."""

import json
import re
from typing import Any, Final

from onecode_client.offline.faults import Malformed

TEXT_BYTES_MAX: Final = 4096
"""No code is longer, nor what is inside of it."""
DEPTH_MAX: Final = 32
"""Levels of arrays and objects."""
WEIGHT_MAX: Final = 2540
"""The bound on what a server decodes: 310 members with numbers, or 220 arrays. It keeps a code below 64 KiB there; here
it keeps the two from disagreeing about a code with more."""
_STRING_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[\[\]{}]")
_NAME, _NAME_AGAIN, _STRING, _CONTAINER, _COMMA = 7, 2, 5, 10, 1


def read_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object in ``data``. Raises Malformed for anything else: not UTF-8, duplicate names, NaN, too many
    values or levels."""
    if len(data) > TEXT_BYTES_MAX:
        raise Malformed("JSON is longer than a code")
    _expect_few_levels(data)
    try:
        value = _DECODER.decode(data.decode())
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    names: set[str] = set()
    if _weight(value, names, DEPTH_MAX) + (_NAME - _NAME_AGAIN) * len(names) > WEIGHT_MAX:
        raise Malformed("JSON has too many values")
    return value


def read_key_id(header: dict[str, Any]) -> bytes:
    """Return the ``kid`` of a header or footer, empty where there is none. Raises Malformed."""
    kid = header.get("kid", "")
    if not isinstance(kid, str):
        raise Malformed("key id is not text")
    return kid.encode(errors="replace")  # a lone surrogate, which no key id of a trust list has


def _expect_few_levels(data: bytes) -> None:
    """Raise Malformed for too many levels, before the decoder sees them: it takes a frame of C for each, and a thread's
    stack may be as small as 128 KiB (musl), which a thousand fill."""
    if data.count(b"[") + data.count(b"{") <= DEPTH_MAX:
        return
    depth = 0
    for bracket in _BRACKETS.findall(_STRING_TEXT.sub(b"", data)):
        depth += 1 if bracket in (b"[", b"{") else -1
        if depth > DEPTH_MAX:
            raise Malformed("JSON has too many levels")


def _weight(value: Any, names: set[str], depth: int) -> int:
    """Return the weight of a value, each name in it weighed as one that was met before; ``names`` gets them."""
    if isinstance(value, str):
        return _STRING
    if not isinstance(value, dict | list):
        return 0
    if not depth:
        raise Malformed("JSON has too many levels")
    weight = _CONTAINER + _COMMA * max(len(value) - 1, 0)
    if isinstance(value, dict):
        names.update(value)
        weight += _NAME_AGAIN * len(value)
    for one in value.values() if isinstance(value, dict) else value:
        weight += _weight(one, names, depth - 1)
    return weight


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate name")
    return members


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity, which Python accepts and RFC 8259 does not


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse)
