"""Reads an operator's JSON: bounded, and without duplicate names, of which the standard library takes the last."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

from onecode_server.errors import Misconfigured

BYTES_MAX: Final = 1024 * 1024
"""Ten times the size of a thousand level words."""


def loads(text: bytes | str) -> Any:
    """Return the value of JSON text. Raises ValueError, which names a duplicate name; RecursionError."""
    return json.loads(text, object_pairs_hook=_unique)


def read(file: Path) -> Any:
    """Return the value of a JSON file. Raises Misconfigured."""
    content = read_bounded(file, BYTES_MAX)
    try:
        return loads(content)
    except DuplicateName as fault:
        raise Misconfigured(f"{file}: {fault}") from None
    except (ValueError, RecursionError):
        raise Misconfigured(f"{file} is not JSON") from None


def read_bounded(file: Path, bytes_max: int) -> bytes:
    """Return the content of a file. Raises Misconfigured where it cannot be read, or is longer than ``bytes_max``."""
    try:
        with file.open("rb") as opened:
            content = opened.read(bytes_max + 1)
    except OSError as fault:
        raise Misconfigured(f"cannot read {file}: {fault.strerror}") from None
    if len(content) > bytes_max:
        raise Misconfigured(f"{file} is larger than {bytes_max:,} bytes")
    return content


class DuplicateName(ValueError):
    """An object that has one name twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        name, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise DuplicateName(f"the name {name!a} occurs twice in one object")
    return members
