"""Steps 1 to 3 of the check for whole columns of codes: those of one shape are decoded together, by layouts.

A layout is learned from a code that went through the general path and was authentic, so that no stranger can fill the
book.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from onecode_server.errors import Malformed
from onecode_server.formats import national, national_layout
from onecode_server.formats.columns import Bytes, Layout
from onecode_server.formats.national_layout import NationalLayout

LENGTHS_MAX: Final = 256
"""Lengths of codes in the book: a few for each region's words, and some for each length of a local identifier."""
LAYOUTS_MAX: Final = 4
"""Layouts of one length: each is tried in turn on what the one before it left."""
ROWS_MIN: Final = 16
"""Fewer codes of a length are read faster one by one: an operation on columns costs a microsecond however few."""
TRIES_MAX: Final = 32
"""Codes of one length from which a layout is sought: an issuer whose codes have none is not asked for ever."""


class Table(NamedTuple):
    """Codes that one layout fits: their rows, uint8[n, size], and where each of them stands in the batch."""

    layout: Layout
    data: Bytes
    places: list[int]


class LayoutBook:
    """The layouts that authentic codes have shown, by the length of the code."""

    def __init__(self) -> None:
        self._layouts: dict[int, list[NationalLayout]] = {}
        self._tries: Counter[int] = Counter()

    def learn(self, code: bytes) -> None:
        """Take the layout of a code that was found authentic, if it is national, has a new one, and there is room."""
        length = len(code)
        if not code.startswith(national.PREFIX) or (length not in self._tries and len(self._tries) >= LENGTHS_MAX):
            return
        known = self._layouts.get(length, [])
        if len(known) >= LAYOUTS_MAX or self._tries[length] >= TRIES_MAX:
            return
        self._tries[length] += 1
        try:
            layout = NationalLayout(code)
        except (Malformed, ValueError):
            return
        data, _ = national_layout.decode([code])
        if not any(other.fits(data)[0] for other in known):
            self._layouts[length] = [*known, layout]

    def of_length(self, length: int) -> Sequence[NationalLayout]:
        """Return the layouts of national codes of one length."""
        return self._layouts.get(length, ())

    def read(self, codes: Sequence[bytes]) -> list[Table]:
        """Return those codes that a layout fits."""
        by_length: dict[int, list[int]] = {}
        for place, code in enumerate(codes):
            if code.startswith(national.PREFIX):
                by_length.setdefault(len(code), []).append(place)
        tables = []
        for length, places in by_length.items():
            if length in self._layouts and len(places) >= ROWS_MIN:
                tables += self._tables([codes[place] for place in places], places, self._layouts[length])
        return tables

    def _tables(self, codes: list[bytes], places: list[int], layouts: Sequence[Layout]) -> list[Table]:
        data, is_left = national_layout.decode(codes)
        tables = []
        for layout in layouts:
            fits = is_left & layout.fits(data)
            if fits.all():
                return [Table(layout, data, places)]
            rows = np.flatnonzero(fits)
            if rows.size:
                is_left[rows] = False
                tables.append(Table(layout, data[rows], [places[row] for row in rows.tolist()]))
        return tables
