"""Files of codes, one a line, that a command reads for an operator: few of them, to be looked at."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from onecode_server.errors import Misconfigured

CODES_MAX: Final = 1000
"""Codes of one command: a person reads what is said of each."""
LINE_BYTES_MAX: Final = 64 * 1024
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def read(file: Path) -> list[bytes]:
    """Return the codes of a file, ``-`` for standard input, without blank lines. Raises Misconfigured."""
    codes: list[bytes] = []
    try:
        with ExitStack() as stack:
            lines = sys.stdin.buffer if str(file) == "-" else stack.enter_context(file.open("rb"))
            for number, line in enumerate(iter(lambda: lines.readline(LINE_BYTES_MAX + 1), b""), 1):
                if len(line) > LINE_BYTES_MAX:
                    raise Misconfigured(f"{file}, line {number}: more than {LINE_BYTES_MAX:,} bytes are no code")
                code = line.removeprefix(_BYTE_ORDER_MARK if number == 1 else b"").rstrip(b"\r\n")
                if len(codes) == CODES_MAX:
                    raise Misconfigured(f"{file} has more than {CODES_MAX:,} codes")
                codes += [code] if code.strip() else []
    except OSError as fault:
        raise Misconfigured(f"cannot read {file}: {fault.strerror}") from None
    if not codes:
        raise Misconfigured(f"{file} has no codes")
    return codes
