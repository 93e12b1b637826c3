"""scalar.c against Python's integers modulo L."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.edwards import L
from tests.unit.crypto.kernel.opened import ffi

WORDS = st.sampled_from((0, 1, 2**63, 2**64 - 1)) | st.integers(0, 2**64 - 1)
NEAR = sorted(
    {0, 1, 2**252 - 1, 2**252, 2**253 - 1, 2**255, 2**256 - 1}
    | {times * L + d for times in range(1, 16) for d in (-1, 0, 1)}
)
"""Where a comparison with L, or a quotient by it, changes: 15 L is the largest multiple below 2^256."""


def scalar(number: int) -> Any:
    return ffi.new("scalar *", {"word": [number >> 64 * i & 2**64 - 1 for i in range(4)]})


def number_of(words: Any) -> int:
    return sum(word << 64 * i for i, word in enumerate(words))


def assert_reduces(kernel: Any, number: int) -> None:
    wide = ffi.new("uint64_t[8]", [number >> 64 * i & 2**64 - 1 for i in range(8)])
    assert number_of(kernel.scalar_reduce(wide).word) == number % L


def test_the_wide_values_next_to_multiples_of_the_order_are_reduced(kernel: Any) -> None:
    quotients = {0, 1, 2, 3, 2**64, 2**128 - 1, 2**192, 2**255, 2**259, 2**512 // L - 1, 2**512 // L}
    for quotient in quotients:
        for near in range(-3, 4):
            number = quotient * L + near
            if 0 <= number < 2**512:
                assert_reduces(kernel, number)
    for bit in range(512):
        assert_reduces(kernel, 1 << bit)
        assert_reduces(kernel, (1 << bit) - 1)
    assert_reduces(kernel, 2**512 - 1)


@given(words=st.lists(WORDS, min_size=8, max_size=8))
def test_wide_values_are_reduced(kernel: Any, words: list[int]) -> None:
    assert_reduces(kernel, number_of(words))


@given(quotient=st.integers(0, 2**512 // L - 1), rest=st.sampled_from((0, 1, L - 1)) | st.integers(0, L - 1))
def test_the_quotients_error_is_made_good(kernel: Any, quotient: int, rest: int) -> None:
    assert_reduces(kernel, quotient * L + rest)


def test_a_value_is_reduced_exactly_below_the_order(kernel: Any) -> None:
    for number in NEAR:
        assert kernel.scalar_is_reduced(scalar(number)) == (number < L)


@given(words=st.lists(WORDS, min_size=4, max_size=4))
def test_any_value_is_reduced_exactly_below_the_order(kernel: Any, words: list[int]) -> None:
    number = number_of(words)
    loaded = kernel.scalar_load(number.to_bytes(32, "little"))
    assert number_of(loaded.word) == number
    assert kernel.scalar_is_reduced(ffi.new("scalar *", loaded)) == (number < L)


@given(a=st.lists(WORDS, min_size=4, max_size=4), b=st.lists(WORDS, min_size=4, max_size=4))
def test_sums_carry_through_all_words(kernel: Any, a: list[int], b: list[int]) -> None:
    total = number_of(a) + number_of(b)
    assert number_of(kernel.scalar_add(scalar(number_of(a)), scalar(number_of(b))).word) == total % 2**256
