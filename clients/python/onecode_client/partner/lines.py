"""Lines of a file as bytes, and batches of them."""

import errno
import os
from collections.abc import Iterator
from stat import S_ISDIR
from typing import Final

from onecode_client.batches import BATCH_BYTES_MAX, BATCH_CODES_MAX
from onecode_client.partner.faults import Unusable

LINE_BYTES_MAX: Final = 4 * 1024 * 1024
"""What a server takes as the codes of one call: a longer line is not from a list of codes, and a shorter one that is no
code is the server's to refuse."""
_READ_BYTES: Final = 64 * 1024
STANDARD_INPUT: Final = "-"


def read_lines(name: str, bytes_max: int = LINE_BYTES_MAX) -> Iterator[tuple[int, bytes]]:
    """Return the lines of a file, or of standard input, with their numbers from 1, without LF or CR LF.

    The last line needs no line feed. The file is opened now. The descriptor is read as it is: a thread that waits in
    Python's buffer for standard input would hold up the end of the program. Raises Unusable, after the lines before,
    also for a line of more than ``bytes_max`` bytes.
    """
    shown = "standard input" if name == STANDARD_INPUT else name
    try:
        handle = os.dup(0) if name == STANDARD_INPUT else os.open(name, os.O_RDONLY)
        if S_ISDIR(os.fstat(handle).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as fault:
        raise Unusable(f"cannot read {shown}: {fault.strerror}") from None
    return _lines(handle, bytes_max, shown)


def _lines(handle: int, bytes_max: int, shown: str) -> Iterator[tuple[int, bytes]]:
    number, rest = 0, b""
    try:
        while chunk := os.read(handle, _READ_BYTES):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                number += 1
                yield number, _bounded(line.removesuffix(b"\r"), bytes_max, shown, number)
            _bounded(rest[:-1], bytes_max, shown, number + 1)  # its last byte may be the CR of a line end
    except OSError as fault:
        raise Unusable(f"cannot read {shown}: {fault.strerror}") from None
    finally:
        os.close(handle)
    if rest:
        yield number + 1, _bounded(rest, bytes_max, shown, number + 1)


def batches(lines: Iterator[tuple[int, bytes]]) -> Iterator[list[bytes]]:
    """Group lines for calls, at most 4,096 and 4 MiB to each. A fault of the file comes after the lines before it."""
    batch: list[bytes] = []
    size = 0
    fault: Unusable | None = None
    while True:
        try:
            _, line = next(lines)
        except StopIteration:
            break
        except Unusable as unusable:
            fault = unusable
            break
        if batch and (len(batch) == BATCH_CODES_MAX or size + len(line) > BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch
    if fault is not None:
        raise fault


def _bounded(line: bytes, bytes_max: int, shown: str, number: int) -> bytes:
    if len(line) > bytes_max:
        raise Unusable(f"{shown}, line {number}: more than {bytes_max} bytes")
    return line
