"""field.h and field.c against Python's integers: congruent, and within the bound that the next function needs."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given

from tests.conformance.edwards import SQRT_OF_MINUS_ONE, D, P
from tests.unit.crypto.kernel.limbs import (
    LOOSE,
    MASK,
    NUMBERS,
    REDUCED,
    Limbs,
    corners,
    element,
    elements,
    limbs_of,
    value,
)
from tests.unit.crypto.kernel.opened import ffi

SUMMAND = 2**53 - 77  # the largest limb that fe_sub takes


def assert_reduced(out: Any) -> None:
    assert all(limb <= REDUCED for limb in out.limb), list(out.limb)


def assert_product(kernel: Any, a: Limbs, b: Limbs) -> None:
    out = ffi.new("fe *")
    kernel.open_fe_mul(out, element(a), element(b))
    assert value(out) % P == value(a) * value(b) % P
    assert_reduced(out)


def assert_square(kernel: Any, a: Limbs) -> None:
    out = ffi.new("fe *")
    kernel.open_fe_square(out, element(a))
    assert value(out) % P == value(a) ** 2 % P
    assert_reduced(out)


def test_constants_are_what_their_comments_say(kernel: Any) -> None:
    assert value(kernel.FE_ZERO) == 0
    assert value(kernel.FE_ONE) == 1
    assert value(kernel.FE_HALF) == (P + 1) // 2
    assert value(kernel.FE_D) == D
    assert value(kernel.FE_2D) == 2 * D % P
    assert value(kernel.FE_SQRT_MINUS_ONE) == SQRT_OF_MINUS_ONE
    for constant in (kernel.FE_HALF, kernel.FE_D, kernel.FE_2D, kernel.FE_SQRT_MINUS_ONE):
        assert all(limb <= MASK for limb in constant.limb)


def test_products_of_all_pairs_of_corners(kernel: Any) -> None:
    for a, b in product(corners(LOOSE), repeat=2):
        assert_product(kernel, a, b)


def test_squares_of_corners(kernel: Any) -> None:
    for a in corners(LOOSE):
        assert_square(kernel, a)


@given(a=elements(LOOSE), b=elements(LOOSE))
def test_products_and_squares_of_loose_elements(kernel: Any, a: Limbs, b: Limbs) -> None:
    assert_product(kernel, a, b)
    assert_square(kernel, a)


@given(a=elements(REDUCED), b=elements(REDUCED))
def test_the_sum_of_reduced_elements_is_loose(kernel: Any, a: Limbs, b: Limbs) -> None:
    out = ffi.new("fe *")
    kernel.open_fe_add(out, element(a), element(b))
    assert value(out) == value(a) + value(b)
    assert max(out.limb) < 2**52 + 2**14


def assert_difference(kernel: Any, a: Limbs, b: Limbs) -> None:
    out = ffi.new("fe *")
    kernel.open_fe_sub(out, element(a), element(b))
    assert value(out) == value(a) - value(b) + 4 * P  # exactly: no limb fell below 0
    assert max(out.limb) <= LOOSE


def test_differences_of_all_pairs_of_corners(kernel: Any) -> None:
    for a, b in product(corners(SUMMAND), repeat=2):
        assert_difference(kernel, a, b)


@given(a=elements(SUMMAND), b=elements(SUMMAND))
def test_the_difference_of_two_sums_is_loose(kernel: Any, a: Limbs, b: Limbs) -> None:
    assert_difference(kernel, a, b)


def assert_frozen(kernel: Any, a: Limbs) -> None:
    assert tuple(kernel.fe_freeze(element(a)).limb) == limbs_of(value(a) % P)


def test_corners_are_frozen_to_the_one_form(kernel: Any) -> None:
    for a in corners(LOOSE):
        assert_frozen(kernel, a)


@given(a=elements(LOOSE))
def test_loose_elements_are_frozen_to_the_one_form(kernel: Any, a: Limbs) -> None:
    assert_frozen(kernel, a)


@pytest.mark.parametrize("times", range(9))
def test_multiples_of_p_and_their_neighbours_are_frozen(kernel: Any, times: int) -> None:
    for number in range(times * P - 20, times * P + 40):
        low = limbs_of(max(number, 0) % 2**204)[:4]
        top = max(number, 0) >> 204
        if top <= LOOSE:
            assert_frozen(kernel, (*low, top))


def test_inverses_and_powers(kernel: Any) -> None:
    for a in corners(LOOSE):
        for out, exponent in (
            (kernel.fe_invert(element(a)), P - 2),
            (kernel.fe_power_p58(element(a)), (P - 5) // 8),
        ):
            assert value(out) % P == pow(value(a), exponent, P)
            assert_reduced(out)


def test_the_lower_255_bits_are_loaded(kernel: Any) -> None:
    for number in [*NUMBERS, *(1 << bit for bit in range(256)), 2**256 - 1, *(2**255 + number for number in NUMBERS)]:
        assert tuple(kernel.fe_load(number.to_bytes(32, "little")).limb) == limbs_of(number % 2**255)


def test_elements_are_equal_exactly_modulo_p(kernel: Any) -> None:
    elements_there = corners(LOOSE)
    for a, b in product(elements_there, repeat=2):
        assert kernel.fe_equal(element(a), element(b)) == (value(a) % P == value(b) % P)
