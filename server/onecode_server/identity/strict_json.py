"""JSON of tokens and key sets (RFC 8259), stricter than the standard library: each member once, no NaN, UTF-8 alone.

The caller bounds the length, and with it all else: nesting ends at the interpreter's own limit.
"""

import json
from typing import Any, Final

from onecode_server.errors import Malformed


def loads(data: bytes) -> dict[str, Any]:
    """Return the JSON object in ``data``. Raises Malformed for anything else; the text quotes nothing of it."""
    try:
        value = _DECODER.decode(data.decode("utf-8"))
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed("it is no JSON") from None
    if not isinstance(value, dict):
        raise Malformed("it is no JSON object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("it has a JSON object that names a member twice")
    return members


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity, which Python accepts and RFC 8259 does not


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse)
