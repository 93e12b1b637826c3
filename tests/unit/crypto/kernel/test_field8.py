"""field8.h and transpose8.h against Python's integers, eight at a time."""

from fractions import Fraction
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.edwards import P
from tests.unit.crypto.kernel.limbs import REDUCED8, Limbs, corners, elements, from_lanes, lanes, limbs_of, value
from tests.unit.crypto.kernel.opened import ffi

FACTOR = 2**52 - 1  # the largest limb that fe8_product takes as b
COLUMN = 2**62 - 1  # the largest column that fe8_reduce takes
UNIT = 2**52

Eights = list[Limbs]


def eights(most: int) -> st.SearchStrategy[Eights]:
    return st.lists(elements(most), min_size=8, max_size=8)


def by_eight(pairs: list[tuple[Limbs, Limbs]]) -> list[tuple[Eights, Eights]]:
    """Deal pairs into lanes; the last eight are filled up with the first pair."""
    full = pairs + pairs[:1] * (-len(pairs) % 8)
    return [([a for a, _ in full[i : i + 8]], [b for _, b in full[i : i + 8]]) for i in range(0, len(full), 8)]


def assert_products(kernel8: Any, a: Eights, b: Eights, most_units: Fraction) -> None:
    out = ffi.new("uint64_t[5][8]")
    for biased in (0, 1):
        kernel8.open_fe8_product(out, lanes(a), lanes(b), biased)
        bias = [biased * kernel8.open_bias8(k) for k in range(5)]
        for left, right, columns in zip(a, b, from_lanes(out), strict=True):
            plain = [column - less for column, less in zip(columns, bias, strict=True)]
            assert value(plain) % P == value(left) * value(right) % P
            assert value(columns) % P == value(left) * value(right) % P
            assert all(0 <= column < most_units * UNIT for column in plain), plain
    kernel8.open_fe8_mul(out, lanes(a), lanes(b))
    for left, right, limbs in zip(a, b, from_lanes(out), strict=True):
        assert value(limbs) % P == value(left) * value(right) % P
        assert max(limbs) <= REDUCED8


def test_products_of_all_pairs_of_corners(kernel8: Any) -> None:
    for a, b in by_eight(list(product(corners(REDUCED8), corners(REDUCED8)))):
        assert_products(kernel8, a, b, Fraction("126.4"))


def test_products_with_any_second_factor_below_two_to_the_52(kernel8: Any) -> None:
    for a, b in by_eight(list(product(corners(REDUCED8), corners(FACTOR)))):
        assert_products(kernel8, a, b, Fraction("173.9"))


@given(a=eights(REDUCED8), b=eights(FACTOR))
def test_products_of_reduced_elements(kernel8: Any, a: Eights, b: Eights) -> None:
    assert_products(kernel8, a, b, Fraction("173.9"))


def assert_reduces(kernel8: Any, columns: Eights) -> None:
    out = ffi.new("uint64_t[5][8]")
    kernel8.open_fe8_reduce(out, lanes(columns))
    for before, after in zip(columns, from_lanes(out), strict=True):
        assert value(after) % P == value(before) % P
        assert max(after) <= REDUCED8


def test_corners_of_columns_are_reduced(kernel8: Any) -> None:
    there = corners(COLUMN)
    for columns, _ in by_eight([(columns, columns) for columns in there]):
        assert_reduces(kernel8, columns)


@given(columns=eights(COLUMN))
def test_columns_are_reduced(kernel8: Any, columns: Eights) -> None:
    assert_reduces(kernel8, columns)


def test_the_bias_is_nothing_modulo_p(kernel8: Any) -> None:
    bias = [kernel8.open_bias8(k) for k in range(5)]
    assert value(bias) == 512 * P
    assert value([column // 256 for column in bias]) == 2 * P
    assert not any(column % 256 for column in bias)


def assert_frozen(kernel8: Any, a: Eights) -> None:
    out = ffi.new("uint64_t[5][8]")
    kernel8.open_fe8_freeze(out, lanes(a))
    for before, after in zip(a, from_lanes(out), strict=True):
        assert after == limbs_of(value(before) % P), before


def test_corners_are_frozen_to_the_one_form(kernel8: Any) -> None:
    for a, _ in by_eight([(a, a) for a in corners(REDUCED8)]):
        assert_frozen(kernel8, a)


@given(a=eights(REDUCED8))
def test_reduced_elements_are_frozen_to_the_one_form(kernel8: Any, a: Eights) -> None:
    assert_frozen(kernel8, a)


def test_what_is_just_above_p_and_two_to_the_255_is_frozen(kernel8: Any) -> None:
    """Every way to write a number near p with a limb 4 that carries, or does not."""
    near = [number for base in (0, P, 2**255) for number in range(max(base - 20, 0), base + 40)]
    for a, _ in by_eight([((*limbs_of(n)[:4], n >> 204), limbs_of(0)) for n in near]):
        assert_frozen(kernel8, a)


def test_inverses(kernel8: Any) -> None:
    """Of all but 0, which no Z is: one of it in a lane would make all lanes 0."""
    out = ffi.new("uint64_t[5][8]")
    for a, _ in by_eight([(a, a) for a in corners(REDUCED8) if value(a) % P]):
        kernel8.open_invert_lanes(out, lanes(a))
        for before, after in zip(a, from_lanes(out), strict=True):
            assert value(after) % P == pow(value(before), P - 2, P)
            assert max(after) <= REDUCED8


def test_rows_become_columns(kernel8: Any) -> None:
    rows = ffi.new("uint64_t[8][8]", [[10 * row + column for column in range(8)] for row in range(8)])
    kernel8.open_transpose8(rows)
    assert [list(row) for row in rows] == [[10 * row + column for row in range(8)] for column in range(8)]
