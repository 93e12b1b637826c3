"""The bounds that the kernel's comments claim, reckoned with integers that cannot overflow."""

from fractions import Fraction

from tests.conformance.edwards import L, P
from tests.unit.crypto.kernel.limbs import LOOSE, MASK, REDUCED, REDUCED8

UNIT = 2**52
BIAS = [512 * (2**51 - (19 if k == 0 else 1)) for k in range(5)]


def test_no_column_of_fe_mul_overflows() -> None:
    a, a_19 = LOOSE, 19 * LOOSE
    assert a_19 < 2**59
    columns = [(k + 1) * a * a + (4 - k) * a * a_19 for k in range(5)]
    assert max(columns) < 2**115
    carry = 0
    for column in columns:
        with_carry = column + carry
        assert with_carry < 2**115
        carry = with_carry >> 51
        assert carry < 2**64
    assert columns[4] < 2**111
    assert carry < 2**60
    low = MASK + 19 * carry
    assert low < 2**64
    assert MASK + (low >> 51) <= REDUCED


def test_no_doubled_limb_of_fe_square_overflows() -> None:
    assert 2 * LOOSE < 2**55
    assert 19 * LOOSE < 2**64


def test_no_limb_of_a_square_of_squares_overflows_and_all_are_reduced() -> None:
    a, a_19 = REDUCED, 19 * REDUCED
    columns = [(k + 1) * a * a + (4 - k) * a * a_19 for k in range(5)]
    carries = [column >> 51 for column in columns]
    assert max(columns) < 2**109
    assert max(carries) < 2**58
    assert carries[4] < 2**54
    once = [MASK + 19 * carries[4], *[MASK + carry for carry in carries[:4]]]
    assert max(once) < 2**60
    assert once[4] < 2**57
    twice = [limb >> 51 for limb in once]
    assert 19 * twice[4] < 2**11
    assert MASK + max(19 * twice[4], *twice[:4]) <= REDUCED


def test_what_the_lanes_of_one_item_give_is_loose() -> None:
    assert 2 * REDUCED8 < 2**53 - 76
    assert REDUCED8 + 4 * MASK <= LOOSE


def test_what_the_point_formulas_multiply_is_loose() -> None:
    four_p = [4 * (MASK - 18), *[4 * MASK] * 4]
    assert sum(limb << 51 * i for i, limb in enumerate(four_p)) == 4 * P
    assert min(four_p) >= 2 * REDUCED  # fe_sub may take a sum of two away
    assert 2 * REDUCED + max(four_p) <= LOOSE  # ... and from one
    assert 3 * REDUCED <= LOOSE  # 2 Z + C
    assert LOOSE * sum(2 ** (51 * i) for i in range(5)) < Fraction("8.1") * P


def column_units(b_most: int) -> list[Fraction]:
    """The ten columns of fe8_product at their largest, in units of 2^52."""
    low = Fraction(2**52 - 1, UNIT)
    high = Fraction(2 * (REDUCED8 * b_most >> 52), UNIT)
    lows = [max(0, min(k, 8 - k) + 1) for k in range(10)]
    highs = [0, *lows[:9]]
    assert lows == [1, 2, 3, 4, 5, 4, 3, 2, 1, 0]
    return [lows[k] * low + highs[k] * high for k in range(10)]


def folded(columns: list[Fraction]) -> list[Fraction]:
    return [columns[k] + 19 * columns[k + 5] for k in range(5)]


def test_columns_of_reduced_elements_are_below_what_the_comment_says() -> None:
    columns = column_units(REDUCED8)
    expected = ["1", "2.6", "4.1", "5.6", "7.1", "6.6", "5.1", "3.6", "2.1", "0.6"]
    assert all(column < Fraction(most) for column, most in zip(columns, expected, strict=True))
    assert max(folded(columns)) < Fraction("126.4")


def test_columns_with_a_factor_below_two_to_the_52_are_below_the_bias() -> None:
    columns = column_units(2**52 - 1)
    assert columns[0] < 1
    assert columns[5] < Fraction("9.1")
    most = max(folded(columns))
    assert most < Fraction("173.9")
    assert most * UNIT < min(BIAS)


def test_the_largest_sum_of_columns_can_be_reduced() -> None:
    largest = max(BIAS) + 2 * max(folded(column_units(REDUCED8))) * UNIT
    assert largest < 2**62
    carry = (2**62 - 1) >> 51
    assert carry < 2**11
    assert 19 * carry < 2**16
    assert MASK + 19 * carry <= REDUCED8


def test_an_opposite_of_a_tables_limb_is_a_factor() -> None:
    assert all(limb // 256 - MASK >= 0 for limb in BIAS[1:])
    assert BIAS[0] // 256 - MASK >= 0
    assert max(BIAS) // 256 < 2**52


def test_a_reduced_element_passes_two_to_the_255_once_at_most() -> None:
    assert REDUCED8 * sum(2 ** (51 * i) for i in range(5)) < 2**255 + 2**221
    assert P > 2**221 + 19  # and what came over is then small


def test_the_last_digit_of_a_scalar_is_in_the_table() -> None:
    for bits, windows in ((7, 35), (12, 20)):
        bias = sum(2 ** (bits * i + bits - 1) for i in range(windows))
        assert (L - 1 + bias) >> bits * windows <= 2 ** (252 - bits * windows)
        assert L - 1 + bias < 2**256
