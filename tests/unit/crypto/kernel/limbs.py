"""Elements as the kernel has them, five limbs of 51 bits and some, and the corners of what functions may be given."""

from typing import Any, Final

from hypothesis import strategies as st

from tests.conformance.edwards import P
from tests.unit.crypto.kernel.opened import ffi

MASK: Final = 2**51 - 1
REDUCED: Final = 2**51 + 2**13 - 1
LOOSE: Final = 2**54 - 1
REDUCED8: Final = 2**51 + 2**16 - 1

NUMBERS: Final = (0, 1, 2, 18, 19, 20, (P - 1) // 2, (P + 1) // 2, 2**254, 2**255 - 20, P - 1, P, P + 1, 2**255 - 1)
"""Around 0, p (2^255 - 20 is p - 1) and 2^255."""

Limbs = tuple[int, ...]


def limbs_of(number: int) -> Limbs:
    """Return a number below 2^255 as five limbs below 2^51."""
    return tuple(number >> 51 * i & MASK for i in range(5))


def value(limbs: Any) -> int:
    """Return what five limbs, or a struct of them, come to: not modulo p."""
    return sum(int(limb) << 51 * i for i, limb in enumerate(getattr(limbs, "limb", limbs)))


def corners(most: int) -> list[Limbs]:
    """Return the elements where something may overflow, if every limb may be up to ``most``."""
    full = (most,) * 5
    alone = [tuple(most * (i == j) for j in range(5)) for i in range(5)]
    without = [tuple(most * (i != j) for j in range(5)) for i in range(5)]
    carrying = [
        (2**51, *full[1:]),
        (MASK + 1,) * 5,
        (MASK - 18, MASK, MASK, MASK, MASK + 1),
        (most, MASK, MASK, MASK, MASK),
    ]
    return [*map(limbs_of, NUMBERS), full, *alone, *without, *carrying]


def elements(most: int) -> st.SearchStrategy[Limbs]:
    """Any five limbs up to ``most``, the corners among them more often."""
    limb = st.one_of(st.integers(0, most), st.sampled_from((0, 1, MASK, MASK + 1, most)))
    return st.one_of(st.tuples(*[limb] * 5), st.sampled_from(corners(most)))


def element(limbs: Limbs) -> Any:
    """Return the struct of five limbs."""
    return ffi.new("fe *", {"limb": list(limbs)})


def lanes(eight: list[Limbs]) -> Any:
    """Return eight elements as five rows of eight lanes."""
    return ffi.new("uint64_t[5][8]", [[one[i] for one in eight] for i in range(5)])


def from_lanes(rows: Any) -> list[Limbs]:
    """Return five rows of eight lanes as eight elements."""
    return [tuple(rows[i][lane] for i in range(5)) for lane in range(8)]
