"""Times that are RFC 3339 text, for batches: the form of one time that was read is the form of the others.

Separators and the offset are fixed; the digits may differ. So the offset is calculated once, and the calendar is
NumPy's, which is the same proleptic Gregorian one as Python's.
"""

import re
from typing import Final

import numpy as np
import numpy.typing as npt

from onecode_server.codes.layouts import SECOND_US, Bytes, Flags, Times
from onecode_server.codes.times import read_time
from onecode_server.errors import Malformed

# Python cuts off fractions after six digits. Small letters, and a space for the T, are left to ``times``.
_TEXT: Final = re.compile(
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.([0-9]{1,6}))?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
)
_DIGITS: Final = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)
_FRACTION: Final = 20
# The bounds on centuries, years in them, months, days, hours, minutes and seconds.
_LEAST: Final = np.array([0, 0, 1, 1, 0, 0, 0])
_MOST: Final = np.array([99, 99, 12, 31, 23, 59, 59])
_YEARS: Final = (1971, 9998)
"""No offset leads from these out of the years 1970 to 9999, outside of which a time is refused."""


class TimeText:
    """The form of the times at one place of a row."""

    def __init__(self, text: bytes, start: int) -> None:
        """Learn from a time that starts at ``start``. Raises ValueError where it is not a time of this form."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError("not a time of fixed offsets")
        fraction = match[1] or b""
        self.digits = np.array([start + at for at in (*_DIGITS, *range(_FRACTION, _FRACTION + len(fraction)))])
        self._weights = 10 ** np.arange(5, 5 - len(fraction), -1)
        self._offset = 0
        row = np.zeros((1, start + len(text)), np.uint8)
        row[0, start:] = np.frombuffer(text, np.uint8)
        try:
            time = read_time(text.decode())
        except Malformed:
            raise ValueError("not a time") from None
        if not self.fits(row)[0]:
            raise ValueError("not a time of these years")
        self._offset = int(self.times(row)[0]) - time

    def fits(self, data: Bytes) -> Flags:
        """Tell in which rows the digits are those of a valid time: bool[n]. The bytes must be digits."""
        pairs = self._pairs(data)
        year, (begins, ends) = pairs[:, 0] * 100 + pairs[:, 1], _month(pairs)
        is_in_range = ((pairs >= _LEAST) & (pairs <= _MOST)).all(axis=1) & (year >= _YEARS[0]) & (year <= _YEARS[1])
        return np.asarray(is_in_range & (pairs[:, 3] <= ends - begins))

    def times(self, data: Bytes) -> Times:
        """Return the times of rows that fit, in Unix microseconds: int64[n]."""
        pairs = self._pairs(data)
        days = _month(pairs)[0] + pairs[:, 3] - 1
        seconds = ((days * 24 + pairs[:, 4]) * 60 + pairs[:, 5]) * 60 + pairs[:, 6]
        times: Times = seconds * SECOND_US - self._offset
        if self._weights.size:
            times += (data[:, self.digits[len(_DIGITS) :]] - np.uint8(48)) @ self._weights
        return times

    def _pairs(self, data: Bytes) -> npt.NDArray[np.int64]:
        """Return the two-digit numbers of each row, the year as two of them: int64[n, 7]."""
        digits = (data[:, self.digits[: len(_DIGITS)]] - np.uint8(48)).astype(np.int64)
        return digits[:, 0::2] * 10 + digits[:, 1::2]


def _month(pairs: npt.NDArray[np.int64]) -> tuple[Times, Times]:
    """Return the days since 1970 on which the month of each row begins, and the next one: int64[n] each."""
    months = ((pairs[:, 0] * 100 + pairs[:, 1]) - 1970) * 12 + pairs[:, 2] - 1
    begins, ends = (part.astype("M8[M]").astype("M8[D]").astype(np.int64) for part in (months, months + 1))
    return begins, ends
