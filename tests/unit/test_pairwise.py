"""Cases that stand for a product: none of the pairs, or of the values, is left out."""

from itertools import combinations, product

import pytest

from tests.pairwise import each_value, pairwise

SIZES = [(2, 2, 2), (3, 13, 2), (2, 7, 2, 4), (1, 4, 3), (5, 5, 5, 5), (6, 3)]


@pytest.mark.parametrize("sizes", SIZES)
def test_each_pair_of_values_occurs_in_fewer_rows_than_the_product(sizes: tuple[int, ...]) -> None:
    columns = [[f"{at}-{number}" for number in range(size)] for at, size in enumerate(sizes)]
    rows = pairwise(*columns)
    assert set(rows) <= set(product(*columns))
    assert {pair for row in rows for pair in combinations(row, 2)} == {
        pair for two in combinations(columns, 2) for pair in product(*two)
    }
    assert len(rows) == len(set(rows)) <= 2 * max(one * other for one, other in combinations(sizes, 2))
    assert rows == pairwise(*columns)


@pytest.mark.parametrize("sizes", SIZES)
def test_each_value_occurs_in_as_many_rows_as_the_longest_column_has_values(sizes: tuple[int, ...]) -> None:
    rows = each_value(*(range(size) for size in sizes))
    assert len(rows) == max(sizes)
    assert [set(column) for column in zip(*rows, strict=True)] == [set(range(size)) for size in sizes]
