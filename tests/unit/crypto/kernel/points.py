"""Points as the kernel has them, and the ones on which a formula might stumble."""

from typing import Any, Final

from tests.conformance.edwards import BASE, IDENTITY, D, L, P, Point, torsion
from tests.unit.crypto.kernel.limbs import limbs_of, value
from tests.unit.crypto.kernel.opened import ffi

SAMPLES: Final = [
    IDENTITY,
    BASE,
    -BASE,
    *torsion()[1:],
    *(number * BASE + torsion()[number % 8] for number in (2, 7, 8, 9, 2**200 + 5, L - 1, L // 2)),
]
"""The neutral element, opposites, all of small order, with and without torsion."""


def kernel_point(point: Point) -> Any:
    """Return the struct of a point, its Z and all as they are."""
    names = ("x", "y", "z", "t")
    return ffi.new("point *", {name: {"limb": limbs_of(getattr(point, name))} for name in names})


def integer_point(point: Any) -> Point:
    """Return a struct's coordinates modulo p. Raises AssertionError where they are not a point's."""
    found = Point(*(value(fe) % P for fe in (point.x, point.y, point.z, point.t)))
    assert found.z
    assert found.x * found.y % P == found.z * found.t % P
    assert is_on_curve(found)
    return found


def is_on_curve(point: Point) -> bool:
    x2, y2, z2 = point.x**2, point.y**2, point.z**2
    return (z2 * (y2 - x2) - z2 * z2 - D * x2 * y2) % P == 0


def same(a: Point, b: Point) -> bool:
    return (a.x * b.z - b.x * a.z) % P == 0 and (a.y * b.z - b.y * a.z) % P == 0


def scaled(point: Point, z: int) -> Point:
    """Return the same point with another Z."""
    return Point(point.x * z % P, point.y * z % P, point.z * z % P, point.t * z % P)


def multiple_of(point: Point) -> Any:
    """Return a point as a table has it."""
    inverse = pow(point.z, -1, P)
    x, y = point.x * inverse % P, point.y * inverse % P
    parts = {"y_plus_x": (y + x) % P, "y_minus_x": (y - x) % P, "xy_2d": 2 * D * x * y % P}
    return ffi.new("multiple *", {name: {"limb": limbs_of(part)} for name, part in parts.items()})
