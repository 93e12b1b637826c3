"""Cases of a test with several parameters: fewer than their product where values do not work together."""

from collections.abc import Iterable
from itertools import combinations, product
from typing import Any

Rows = list[tuple[Any, ...]]


def pairwise(*columns: Iterable[Any]) -> Rows:
    """Return rows of one value of each column: each two values of different columns are together in some row."""
    values = [list(column) for column in columns]
    cells = [[(at, number) for number in range(len(column))] for at, column in enumerate(values)]
    missing = dict.fromkeys(frozenset(pair) for two in combinations(cells, 2) for pair in product(*two))
    rows = []
    while missing:
        row = dict(next(iter(missing)))
        for at, column in enumerate(cells):
            if at not in row:
                _, row[at] = max(column, key=lambda cell: sum(frozenset((cell, c)) in missing for c in row.items()))
        for pair in combinations(row.items(), 2):
            missing.pop(frozenset(pair), None)
        rows.append(tuple(column[row[at]] for at, column in enumerate(values)))
    return rows


def each_value(*columns: Iterable[Any]) -> Rows:
    """Return rows of one value of each column: each value is in some row. This suits values that do not interact."""
    values = [list(column) for column in columns]
    return [tuple(column[row % len(column)] for column in values) for row in range(max(map(len, values)))]
