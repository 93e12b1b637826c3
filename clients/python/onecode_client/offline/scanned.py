"""Removal of what scanners add around a code: white space, control characters, a byte-order mark, and an AIM symbology
identifier (ISO/IEC 15424) such as ``]Q1``, as the server removes them."""

import re
from typing import Final

AROUND_BYTES_MAX: Final = 256
"""The most that is removed on each side. Scanners add a few bytes, and some fill a field."""

_ADDED: Final = "".join(map(chr, [*range(0x21), 0x7F, 0x85, 0xA0, 0x1680, 0x180E, *range(0x2000, 0x2010)])) + (
    "\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
_SYMBOLOGY: Final = re.compile(r"\][A-Za-z][0-9A-Za-z](?:\\[0-9]{6})?")


def bare(code: bytes) -> bytes:
    """Return a code without what its scanner added; empty where there was nothing else."""
    head = code[:AROUND_BYTES_MAX].decode(errors="surrogateescape").lstrip(_ADDED)
    if symbology := _SYMBOLOGY.match(head):
        head = head[symbology.end() :].lstrip(_ADDED)
    code = head.encode(errors="surrogateescape") + code[AROUND_BYTES_MAX:]
    tail = code[-AROUND_BYTES_MAX:].decode(errors="surrogateescape").rstrip(_ADDED)
    return code[: max(0, len(code) - AROUND_BYTES_MAX)] + tail.encode(errors="surrogateescape")
