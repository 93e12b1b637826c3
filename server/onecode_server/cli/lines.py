"""Reads files of one item a line, by programs or people: with a byte-order mark, blank lines and any line ends."""

import io
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any, Final

from onecode_server.errors import Misconfigured
from onecode_server.model.scanned import without_mark

LINE_BYTES_MAX: Final = 64 * 1024
"""Sixteen times the longest code, or a record with such a code."""
STANDARD_INPUT: Final = Path("-")
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")  # PowerShell writes this


def read(file: Path, too_long: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file, or of standard input for ``-``, that are not blank: each with its number, in UTF-8,
    without a byte-order mark and without its line end.

    Raises Misconfigured where the file cannot be read, or, with the message ``too_long``, where a line has more than
    LINE_BYTES_MAX.
    """
    try:
        is_input = file == STANDARD_INPUT
        with nullcontext(sys.stdin.buffer) if is_input else file.open("rb") as stream:
            for number, line in enumerate(_lines(stream), 1):
                if len(line) > LINE_BYTES_MAX:
                    raise Misconfigured(f"{file}, line {number}: {too_long}")
                content = without_mark(line).rstrip(b"\n")
                if content and not content.isspace():
                    yield number, content
    except UnicodeError:
        raise Misconfigured(f"{file} begins as UTF-16, but is not UTF-16") from None
    except OSError as fault:
        raise Misconfigured(f"cannot read {file}: {fault.strerror}") from None


def _lines(stream: IO[Any]) -> Iterator[bytes]:
    """Yield lines, and of an overlong line just enough to notice it. A CR alone ends a line too, as many scanners
    send."""
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[type-var]
    # Latin-1 has one character for each byte: only line ends are interpreted.
    encoding, back = ("utf-16", "utf-8") if buffered.peek(2)[:2] in _UTF_16 else ("latin-1", "latin-1")
    text = io.TextIOWrapper(buffered, encoding)
    try:
        yield from (line.encode(back) for line in iter(lambda: text.readline(LINE_BYTES_MAX + 1), ""))
    finally:
        text.detach()
