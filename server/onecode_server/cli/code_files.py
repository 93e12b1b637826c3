"""Files of codes, one a line, that a command reads for an operator: few of them, to be looked at."""

from pathlib import Path
from typing import Final

from onecode_server.cli import lines
from onecode_server.errors import Misconfigured
from onecode_server.model.scanned import bare

CODES_MAX: Final = 1000
"""Codes of one command: a person reads what is said of each."""


def read(file: Path) -> list[bytes]:
    """Return the codes of a file, ``-`` for standard input, without lines of nothing but what a scanner added.

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
