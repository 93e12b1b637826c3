"""Steps 1 to 3 of the check for whole columns of codes: those of one shape are decoded together, by layouts.

A layout is learned from a code that went through the general path and was authentic, so that no stranger can fill the
book.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from onecode_server.errors import Malformed
from onecode_server.formats import CODECS, jwt_layout, national_layout, paseto_layout
from onecode_server.formats.columns import Bytes, Layout, Layouts, Shape
from onecode_server.formats.national_layout import NationalLayout
from onecode_server.model.trust_list import Format

SHAPES_MAX: Final = 256
"""Shapes of a format's codes in the book: a few for each region's words, and some for each length of a local
identifier. Each format has its own, so that identifiers of all lengths in one take no room from another."""
LAYOUTS_MAX: Final = 8
"""Layouts of one shape: each is tried in turn on what the one before it left. Each Chinese level word has its own."""
ROWS_MIN: Final = 16
"""Fewer codes of a shape are read faster one by one: an operation on columns costs a microsecond however few."""
TRIES_MAX: Final = 256
"""Codes of one shape from which a layout is sought: an issuer whose codes have none is not asked for ever."""
LEARNED_MAX: Final = 64
"""Codes of one batch from which one is sought, over all of which they are spread: 3 ms of the event loop at most. What
is common in the first batch is read in columns from the second on, so that later ones show what is rare."""

LAYOUTS: Final[Mapping[Format, Layouts]] = {
    Format.NATIONAL: national_layout,
    Format.JWT: jwt_layout,
    Format.PASETO: paseto_layout,
}


class Table(NamedTuple):
    """Codes that one layout fits: their rows, uint8[n, size], and where each of them stands in the batch."""

    layout: Layout
    data: Bytes
    places: list[int]


class LayoutBook:
    """The layouts that authentic codes have shown."""

    def __init__(self) -> None:
        self.chapters = [Chapter(CODECS[fmt].PREFIX, layouts) for fmt, layouts in LAYOUTS.items()]
        self._national = self.chapters[0]

    def learn(self, codes: Sequence[bytes]) -> None:
        """Take the layouts of codes that were found authentic, where there are new ones, and room."""
        for code in codes[:: 1 + len(codes) // LEARNED_MAX]:
            for chapter in self.chapters:
                if code.startswith(chapter.prefix):
                    chapter.learn(code)

    def national(self, shape: Shape) -> Sequence[NationalLayout]:
        """Return the layouts of national codes of a shape."""
        return [layout for layout in self._national.layouts.get(shape, ()) if isinstance(layout, NationalLayout)]

    def read(self, codes: Sequence[bytes]) -> list[Table]:
        """Return those codes that a layout fits."""
        return [table for chapter in self.chapters for table in chapter.read(codes)]


class Chapter:
    """The layouts of one format's codes, by their shape."""

    def __init__(self, prefix: bytes, layouts: Layouts) -> None:
        self.prefix = prefix
        self._format = layouts
        self.layouts: dict[Shape, list[Layout]] = {}
        self._tries: Counter[Shape] = Counter()

    def learn(self, code: bytes) -> None:
        """Take the layout of an authentic code of the format; see ``LayoutBook``."""
        shape = self._format.shape(code)
        if shape is None or (shape not in self._tries and len(self._tries) >= SHAPES_MAX):
            return
        known = self.layouts.get(shape, [])
        if len(known) >= LAYOUTS_MAX or self._tries[shape] >= TRIES_MAX:
            return
        self._tries[shape] += 1
        data, _ = self._format.decode([code], shape)
        if any(layout.fits(data)[0] for layout in known):
            return
        try:
            self.layouts[shape] = [*known, self._format.learn(code)]
        except (Malformed, ValueError):
            return

    def read(self, codes: Sequence[bytes]) -> list[Table]:
        """Return those codes that a layout fits."""
        if not self.layouts:
            return []
        shape_of, prefix = self._format.shape, self.prefix
        by_shape: dict[Shape | None, list[int]] = {}
        for place, code in enumerate(codes):
            if code.startswith(prefix):
                by_shape.setdefault(shape_of(code), []).append(place)
        tables = []
        for shape, places in by_shape.items():
            if shape in self.layouts and len(places) >= ROWS_MIN:
                tables += self._tables([codes[place] for place in places], places, shape)
        return tables

    def _tables(self, codes: list[bytes], places: list[int], shape: Shape) -> list[Table]:
        data, is_left = self._format.decode(codes, shape)
        tables = []
        for layout in self.layouts[shape]:
            fits = is_left & layout.fits(data)
            if fits.all():
                return [Table(layout, data, places)]
            rows = np.flatnonzero(fits)
            if rows.size:
                is_left[rows] = False
                tables.append(Table(layout, data[rows], [places[row] for row in rows.tolist()]))
        return tables
