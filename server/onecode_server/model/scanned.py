"""Removal of the bytes that scanners add around a code. All calls and commands use this module, so that they agree.

Scanners add white space, line ends and other control characters (some end with GS, RS or EOT), a byte-order mark, and
an AIM symbology identifier (ISO/IEC 15424): ``]``, a letter and a modifier, such as ``]Q1`` for a QR code, followed by
the character set if the scanner names it (``\\000026``). None of them is part of a code, since codes of no format begin
or end with them. A base45 text never ends with a space, the 37th of its characters: the last of three characters
stands for at most 32, the last of two for at most 5 (RFC 9285). A region's prefix never begins with ``]`` or white
space.
"""

import re
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from onecode_server.model.code import CODE_BYTES_MAX

AROUND_BYTES_MAX: Final = 256
"""The most bytes that are removed on each side. Scanners add a few bytes, and some fill a field; if more were added,
the rest is not a code."""
SCAN_BYTES_MAX: Final = CODE_BYTES_MAX + 2 * AROUND_BYTES_MAX
"""A longer scan is longer than a code even after the removal."""

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_SPACE: Final = "".join(map(chr, range(0x21))) + (
    "\x7f\x85\xa0\u1680\u180e\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d"
    "\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
"""Control characters, the space, and Unicode's other white space and zero-width characters, among them the byte-order
mark."""
_SYMBOLOGY: Final = re.compile(r"\][A-Za-z][0-9A-Za-z](?:\\[0-9]{6})?")
_PLAIN: Final = bytes(set(range(0x21, 0x7F)) - set(b"]"))
"""Nothing was added to a code that begins and ends with one of these bytes."""
_first, _last = itemgetter(0), itemgetter(-1)


def bare(code: bytes) -> bytes:
    """Return a code without the bytes that its scanner added; empty if there were no others."""
    if code and code[0] in _PLAIN and code[-1] in _PLAIN:
        return code
    head = code[:AROUND_BYTES_MAX]
    begins = _text(head).lstrip(_SPACE)
    symbology = _SYMBOLOGY.match(begins)
    if symbology is not None:
        begins = begins[symbology.end() :].lstrip(_SPACE)
    code = code[len(head) - len(_bytes(begins)) :]
    tail = code[-AROUND_BYTES_MAX:]
    return code[: len(code) - len(tail)] + _bytes(_text(tail).rstrip(_SPACE))


def enough(scan: bytes) -> bytes:
    """Return as many bytes of a scan as a check needs: a longer scan is cut to SCAN_BYTES_MAX + 1, still too long."""
    return scan if len(scan) <= SCAN_BYTES_MAX else scan[: SCAN_BYTES_MAX + 1]


def without_mark(line: bytes) -> bytes:
    """Return the bytes of a line of text without a byte-order mark at its beginning."""
    return line.removeprefix(BYTE_ORDER_MARK)


def all_bare(codes: Sequence[bytes]) -> Sequence[bytes]:
    """Return codes without the bytes that scanners added; if there are none, the same sequence, at 75 ns a code."""
    try:
        if not (bytes(map(_first, codes)) + bytes(map(_last, codes))).translate(None, _PLAIN):
            return codes
    except IndexError:  # one code is empty
        pass
    return [bare(code) for code in codes]


def _text(part: bytes) -> str:
    return part.decode(errors="surrogateescape")  # a part may begin or end inside a character, or not be text


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
