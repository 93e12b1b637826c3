"""Reads one row at a time: decodes and compares it, and cuts fields out of it. In C where there was a compiler.

Both implementations have the same constructors and methods, and a property test holds them to the same answers.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final, TypeAlias

from onecode_server.codes.encodings import base45
from onecode_server.codes.layouts import SECOND_US
from onecode_server.errors import Malformed

TIME_BYTES: Final = 4
"""The size of a time: seconds since 1970, up to the year 2106."""

Piece: TypeAlias = bytes | tuple[int, int]
"""Bytes, or those of a row from a start to an end."""
Part: TypeAlias = int | tuple[Piece, ...]
"""The start of a time in a row, or pieces that are joined."""


class PythonBase45Rows:
    """Texts in base45 after ``prefix``, whose bytes are as many as those of ``must`` and have in its bits those of
    ``fixed``, which has no others. Raises ValueError where these two differ in size."""

    def __init__(self, prefix: bytes, must: bytes, fixed: bytes) -> None:
        if len(must) != len(fixed):
            raise ValueError("the bits and their mask differ in size")
        self._prefix = prefix
        self._size, self._mask, self._number = len(must), int.from_bytes(must), int.from_bytes(fixed)
        self._length = len(prefix) + base45.characters(len(must))

    def read(self, code: bytes) -> bytes | None:
        """Return the bytes of such a text; None for every other one."""
        if len(code) != self._length or not code.startswith(self._prefix):
            return None
        try:
            row = base45.decode(code[len(self._prefix) :])
        except Malformed:
            return None
        return row if int.from_bytes(row) & self._mask == self._number else None


class PythonRowCutter:
    """Cuts ``parts`` out of rows. Raises ValueError where no row has one."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        places = [place for part in parts for place in _places(part)]
        if any(start < 0 or end < start for start, end in places):
            raise ValueError("no row has these bytes")
        self._row_bytes = max((end for _, end in places), default=0)
        self._readers = [_time(part) if isinstance(part, int) else _joined(part) for part in parts]

    def cut(self, row: bytes) -> tuple[bytes | int, ...]:
        """Return each part of a row: bytes, or a time in Unix microseconds. Raises ValueError where it is too short."""
        if len(row) < self._row_bytes:
            raise ValueError(f"a row has at least {self._row_bytes} bytes")
        return tuple(read(row) for read in self._readers)


def _places(part: Part) -> list[tuple[int, int]]:
    if isinstance(part, int):
        return [(part, part + TIME_BYTES)]
    return [piece for piece in part if not isinstance(piece, bytes)]


def _time(start: int) -> Callable[[bytes], int]:
    return lambda row: int.from_bytes(row[start : start + TIME_BYTES]) * SECOND_US


def _joined(pieces: tuple[Piece, ...]) -> Callable[[bytes], bytes]:
    return lambda row: b"".join(piece if isinstance(piece, bytes) else row[slice(*piece)] for piece in pieces)


def _open() -> Any:
    if find_spec("onecode_server.codes.encodings._rows") is None:
        return PythonBase45Rows, PythonRowCutter
    from onecode_server.codes.encodings import _rows  # noqa: PLC0415 - it may not be there

    return _rows.Base45Rows, _rows.RowCutter


Base45Rows: type[PythonBase45Rows]
RowCutter: type[PythonRowCutter]
Base45Rows, RowCutter = _open()
