"""Reads files of codes, one a line, for commands that show a person each code."""

from pathlib import Path
from typing import Final

from onecode_server.cli import lines
from onecode_server.errors import Misconfigured
from onecode_server.model.scanned import bare

CODES_MAX: Final = 1000
"""The bound on codes of one command: a person reads the result of each."""


def read(file: Path) -> list[bytes]:
    """Return the codes of a file, ``-`` for standard input, without empty lines and the characters that a scanner
    added.

    Raises Misconfigured.
    """
    codes: list[bytes] = []
    for _, line in lines.read(file, f"more than {lines.LINE_BYTES_MAX:,} bytes are no code"):
        if not bare(line):
            continue
        if len(codes) == CODES_MAX:
            raise Misconfigured(f"{file} has more than {CODES_MAX:,} codes")
        codes.append(line)
    if not codes:
        raise Misconfigured(f"{file} has no codes")
    return codes
