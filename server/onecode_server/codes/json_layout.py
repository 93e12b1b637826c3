"""The layout of JSON claims of one length: the bytes that are fixed, and the places of the values that may differ.

A layout is learned from claims that the general path has read, and then reads others that differ from them only in the
characters of plain ASCII strings, and the digits of whole numbers and of RFC 3339 times. All else is fixed: names,
their order, white space, escapes, arrays, and text that is not ASCII. Claims that do not fit are left to the general
path. So both give the same answers, which a property test checks.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from onecode_server.codes.encodings.fixed_bits import FixedBits
from onecode_server.codes.encodings.rfc3339_columns import TimeText
from onecode_server.codes.encodings.single_rows import RowCutter
from onecode_server.codes.json_fields import fields_of
from onecode_server.codes.layouts import SECOND_US, TIME_DIGITS_MAX, Bytes, Cut, Field, Flags, Kind, Times
from onecode_server.codes.times import read_time
from onecode_server.errors import Malformed
from onecode_server.model.trust_list import Path

_PLAIN, _DIGIT, _NONZERO = 1, 2, 4
_CLASSES: Final = np.zeros(256, np.uint8)
_CLASSES[0x20:0x7F] = _PLAIN
_CLASSES[np.frombuffer(b'"\\', np.uint8)] = 0  # these end a string, or escape
_CLASSES[ord("0") : ord("9") + 1] |= _DIGIT
_CLASSES[ord("1") : ord("9") + 1] |= _NONZERO
_MEMBERS: Final = {one: bytes(np.flatnonzero(_CLASSES & one).tolist()) for one in (_PLAIN, _DIGIT, _NONZERO)}
"""The bytes of each class."""


class JsonLayout:
    """The layout of claims that start at byte ``start`` of a row, a multiple of eight. A format says how one is
    decoded."""

    def __init__(self, payload: bytes, start: int) -> None:
        """Learn the layout of claims that ``bounded_json`` reads. Raises ValueError where they have none."""
        self._times: dict[Field, TimeText] = {}
        claims: dict[Path, Field] = {}
        free: dict[int, int] = {}
        for path, (kind, begin, end) in fields_of(payload).items():
            value, field = payload[begin:end], Field(kind, start + begin, start + end)
            if kind is Kind.NUMBER:
                free |= dict.fromkeys(range(field.start, field.end), _DIGIT)
                free[field.start] = _DIGIT if len(value) == 1 else _NONZERO
            elif kind is Kind.TEXT and (time := _time(value, field.start)):
                field = Field(Kind.TIME, field.start, field.end)
                self._times[field] = time
                free |= dict.fromkeys(time.digits.tolist(), _DIGIT)
            elif kind is Kind.TEXT and all(_CLASSES[byte] & _PLAIN for byte in value):
                free |= dict.fromkeys(range(field.start, field.end), _PLAIN)
            claims[path] = field
        self.claims: Mapping[Path, Field] = claims
        self._free, self._classes = np.array([*free], np.int64), np.array([*free.values()], np.uint8)
        must = np.full(len(payload), 0xFF, np.uint8)
        must[self._free - start] = 0
        self._fixed = FixedBits(must.tobytes(), payload, start)
        self._runs = _runs(free)

    def fits(self, data: Bytes) -> Flags:
        """Tell which rows, uint8[n, m], have this layout: bool[n]."""
        fits = self._fixed.are_in_rows(data)
        if fits.any():  # mostly all of them or none
            fits &= ((_CLASSES.take(data[:, self._free]) & self._classes) == self._classes).all(axis=1)
            for time in self._times.values():
                fits &= time.fits(data)
        return fits

    def is_alike(self, code: bytes) -> bool:
        """Tell whether a code has the prefix and the shape of the layout."""
        raise NotImplementedError

    @staticmethod
    def decode_one(code: bytes) -> bytes:
        """Return the row of one code that has a shape. Raises Malformed."""
        raise NotImplementedError

    def row(self, code: bytes) -> bytes | None:
        """Return the row of one code, or None where it does not have this layout."""
        if not self.is_alike(code):
            return None
        try:
            row = self.decode_one(code)
        except Malformed:
            return None
        return row if self.fits_one(row) else None

    def fits_one(self, row: bytes) -> bool:
        """Tell whether one row has this layout, but for the digits of its times, which are read later."""
        if not self._fixed.are_in(row):
            return False
        return not any(row[start:end].translate(None, members) for start, end, members in self._runs)

    def cutter(self, parts: Sequence[Sequence[Field]], times: Sequence[Field]) -> Cut:
        """Return the function that cuts one row that fits: see ``codes.layouts.Layout``."""
        cut = RowCutter(tuple(tuple(field.place for field in part) for part in parts)).cut
        read = [(_read_text if kind is Kind.TIME else _read_number, start, end) for kind, start, end in times]
        return lambda row: (*cut(row), *[time(row[start:end]) for time, start, end in read])

    def text(self, field: Field, octets: bytes) -> str:
        """Return the value of a field as text; a value that is no string as its JSON text."""
        return octets.decode()

    def is_time(self, field: Field) -> bool:
        """Tell whether a field is RFC 3339 text, or a number of so few digits that it is seconds before the end of the
        year 9999."""
        return field.kind is Kind.TIME or (field.kind is Kind.NUMBER and field.end - field.start <= TIME_DIGITS_MAX)

    def times(self, data: Bytes, field: Field) -> Times:
        """Return the times in a field of rows that fit, in Unix microseconds: int64[n]."""
        if field.kind is Kind.TIME:
            return self._times[field].times(data)
        powers = 10 ** np.arange(field.end - field.start - 1, -1, -1)
        digits = data[:, field.start : field.end] - np.uint8(ord("0"))
        times: Times = digits @ powers * SECOND_US
        return times


def _read_text(value: bytes) -> int:
    return read_time(value.decode())


def _read_number(value: bytes) -> int:
    return int(value) * SECOND_US


def _runs(free: Mapping[int, int]) -> list[tuple[int, int, bytes]]:
    """Return the runs of places with one class, as start, end and the bytes of the class."""
    runs: list[tuple[int, int, bytes]] = []
    for place, of_class in free.items():
        if runs and runs[-1][1:] == (place, _MEMBERS[of_class]):
            runs[-1] = (runs[-1][0], place + 1, _MEMBERS[of_class])
        else:
            runs.append((place, place + 1, _MEMBERS[of_class]))
    return runs


def _time(value: bytes, start: int) -> TimeText | None:
    try:
        return TimeText(value, start)
    except ValueError:
        return None
