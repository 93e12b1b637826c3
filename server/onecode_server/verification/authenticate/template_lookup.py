"""Finds the templates that codes fit: groups of codes of one shape for columns, or one code."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from onecode_server.codes.codec import CODECS
from onecode_server.codes.layouts import Bytes, Layouts, Shape
from onecode_server.verification.authenticate.template import Template
from onecode_server.verification.authenticate.template_cache import LAYOUTS, TemplateCache

ROWS_MIN: Final = 48
"""Fewer codes of a shape are read faster in rows: an operation on columns costs a microsecond for any number. Columns
pay from 80 national codes on, and from some 30 JWTs or PASETOs: see docs/design/verification.md."""
TOGETHER_MIN: Final = 96
"""From so many codes on, columns pay whatever the codes' shapes: statuses and verdicts are found for all at once."""
_PREFIXES: Final = sorted(
    ((codec.PREFIX if codec.STRUCTURE is None else b"", fmt) for fmt, codec in CODECS.items() if fmt in LAYOUTS),
    key=lambda one: not one[0],
)
"""The prefix of each format, in the order in which they are tested: formats with codes of other beginnings are last."""


class Rows(NamedTuple):
    """Codes that one template fits: their rows, uint8[n, size], and their places in the batch."""

    template: Template
    data: Bytes
    places: list[int]


def read_rows(cache: TemplateCache, codes: Sequence[bytes]) -> tuple[list[Rows], list[int]]:
    """Return the codes that a template fits, for each shape with at least ROWS_MIN codes; and the places of the
    codes of other known shapes, of which there are too few."""
    found: list[Rows] = []
    few: list[int] = []
    left: Iterable[int] = range(len(codes))
    for prefix, fmt in _PREFIXES:
        by_shape, layouts = cache.by_shape(fmt), LAYOUTS[fmt]
        shape_of, others = layouts.shape, []
        places_of: dict[Shape | None, list[int]] = {}
        for place in left:
            code = codes[place]
            if code.startswith(prefix):
                places_of.setdefault(shape_of(code), []).append(place)
            else:
                others.append(place)
        left = others + places_of.pop(None, [])
        for shape, places in places_of.items():
            if shape is None or shape not in by_shape:
                continue
            if len(places) < ROWS_MIN:
                few += places
            else:
                found += _rows([codes[place] for place in places], places, layouts, shape, by_shape[shape])
    return found, few


def are_alike(codes: Sequence[bytes]) -> bool:
    """Return whether at least ROWS_MIN codes may have one shape: they have one length."""
    return max(Counter(map(len, codes)).values(), default=0) >= ROWS_MIN


def find_single(cache: TemplateCache, code: bytes) -> tuple[Template, bytes] | None:
    """Return the template that one code fits, and the code's row; None if there is none."""
    if (latest := cache.latest) is not None and (row := latest.row(code)) is not None:
        return latest, row
    for prefix, shape_of, by_shape in cache.by_prefix:
        if code.startswith(prefix):
            for template in by_shape.get(shape_of(code), ()):
                row = template.row(code)
                if row is not None:
                    cache.latest = template
                    return template, row
    return None


def find_rows(
    cache: TemplateCache, codes: Sequence[bytes], places: Sequence[int]
) -> list[tuple[Template, Sequence[int], list[bytes]]]:
    """Return the templates that few codes fit, each with the places of its codes, in order, and their rows."""
    rows: list[bytes | None] = [None] * len(places)
    if (latest := cache.latest) is not None:  # mostly the template of all
        rows = [latest.row(codes[place]) for place in places]
        fitting = [row for row in rows if row is not None]
        if len(fitting) == len(rows):
            return [(latest, places, fitting)]
    found: dict[Template, tuple[list[int], list[bytes]]] = {}
    for place, row in zip(places, rows, strict=True):
        one = find_single(cache, codes[place]) if latest is None or row is None else (latest, row)
        if one is not None:
            of_template = found.setdefault(one[0], ([], []))
            of_template[0].append(place)
            of_template[1].append(one[1])
    return [(template, at, rows) for template, (at, rows) in found.items()]


def _rows(
    codes: list[bytes], places: list[int], layouts: Layouts, shape: Shape, templates: list[Template]
) -> list[Rows]:
    """Return the codes of a shape by the template that fits them, trying templates with the most recent hits first."""
    data, is_left = layouts.decode(codes, shape)
    found = []
    for template in templates:
        fits = is_left & template.layout.fits(data)
        rows = fits.nonzero()[0]
        template.hits = template.hits // 2 + rows.size
        if rows.size == len(codes):
            return [Rows(template, data, places)]
        if rows.size:
            is_left &= ~fits
            found.append(Rows(template, data[rows], [places[row] for row in rows.tolist()]))
        if not np.count_nonzero(is_left):
            break
    if len(templates) > 1:
        templates.sort(key=lambda template: -template.hits)
    return found
