"""point.h and point.c against points in plain integers."""

from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.edwards import BASE, IDENTITY, SIGN, P, decode, lift, torsion
from tests.conformance.made_cases import odd_encodings, small_encodings
from tests.unit.crypto.kernel.limbs import MASK, REDUCED, REDUCED8, from_lanes, lanes, limbs_of, value
from tests.unit.crypto.kernel.opened import ffi
from tests.unit.crypto.kernel.points import SAMPLES, integer_point, kernel_point, multiple_of, same, scaled

ENCODINGS = [
    *(point.encode() for point in SAMPLES),
    *odd_encodings(),
    *small_encodings(),
    *(y.to_bytes(32, "little") for y in range(40)),
    *((y | SIGN).to_bytes(32, "little") for y in range(40)),
    b"\xff" * 32,
]


def assert_reduced(point: Any) -> None:
    for fe in (point.x, point.y, point.z, point.t):
        assert max(fe.limb) <= REDUCED


def test_constants(kernel: Any) -> None:
    assert same(integer_point(kernel.POINT_BASE), BASE)
    assert same(integer_point(kernel.POINT_NEUTRAL), IDENTITY)
    neutral = multiple_of(IDENTITY)
    for name in ("y_plus_x", "y_minus_x", "xy_2d"):
        assert list(getattr(kernel.MULTIPLE_NEUTRAL, name).limb) == list(getattr(neutral, name).limb)


def test_sums_of_all_pairs_of_points(kernel: Any) -> None:
    for p, q in product(SAMPLES, repeat=2):
        out = kernel.point_add(kernel_point(scaled(p, 7)), kernel_point(q))
        assert same(integer_point(out), p + q)
        assert_reduced(out)


def test_sums_and_differences_with_a_tables_multiples(kernel: Any) -> None:
    out = ffi.new("point *")
    for p, q in product(SAMPLES, repeat=2):
        for negative, right in ((0, q), (1, -q)):
            kernel.open_point_add_multiple(out, kernel_point(scaled(p, P - 3)), multiple_of(q), negative)
            assert same(integer_point(out), p + right)
            assert_reduced(out)


def in_lanes(points: list[Any]) -> Any:
    """Return eight points as vectors have them: Y + X, Y - X, Z and T."""
    coordinates = [
        [p.y + p.x for p in points],
        [p.y - p.x for p in points],
        [p.z for p in points],
        [p.t for p in points],
    ]
    return ffi.new(
        "uint64_t[4][5][8]", [[list(row) for row in lanes([limbs_of(n % P) for n in c])] for c in coordinates]
    )


def assert_in_lanes(out: Any, expected: list[Any]) -> None:
    found = [from_lanes(rows) for rows in out]
    for lane, point in enumerate(expected):
        plus, minus, z, t = (value(found[i][lane]) for i in range(4))
        assert (plus - minus) * point.z % P == 2 * z * point.x % P
        assert (plus + minus) * point.z % P == 2 * z * point.y % P
        assert (plus - minus) * (plus + minus) % P == 4 * z * t % P
        assert all(max(found[i][lane]) <= REDUCED8 for i in range(4))


def test_sums_and_differences_in_eight_lanes(kernel8: Any) -> None:
    out = ffi.new("uint64_t[4][5][8]")
    pairs = list(product(SAMPLES, repeat=2))
    for first in range(0, len(pairs) - 7, 8):
        eight = pairs[first : first + 8]
        sums = in_lanes([scaled(p, 5 + first) for p, _ in eight])
        multiples = [multiple_of(q) for _, q in eight]
        kernel8.open_add_multiples(out, sums, ffi.new("multiple *[8]", multiples), 0b10110010)
        assert_in_lanes(out, [p + (-q if 0b10110010 >> lane & 1 else q) for lane, (p, q) in enumerate(eight)])


def test_sums_of_all_pairs_of_points_in_eight_lanes(kernel8: Any) -> None:
    out = ffi.new("uint64_t[4][5][8]")
    pairs = list(product(SAMPLES, repeat=2))
    for first in range(0, len(pairs) - 7, 8):
        eight = pairs[first : first + 8]
        left, right = in_lanes([scaled(p, 5 + first) for p, _ in eight]), in_lanes([scaled(q, 9) for _, q in eight])
        kernel8.open_point8_add(out, left, right)
        assert_in_lanes(out, [p + q for p, q in eight])


def test_opposites_and_small_orders(kernel: Any) -> None:
    for p in SAMPLES:
        negated = kernel.point_negate(kernel_point(scaled(p, 11)))
        assert same(integer_point(negated), -p)
        assert_reduced(negated)
        assert kernel.point_is_small(kernel_point(scaled(p, 11))) == p.is_small()
    assert sum(p.is_small() for p in SAMPLES) == 8


def assert_decoded(kernel: Any, encoded: bytes) -> None:
    out, expected = ffi.new("point *"), decode(encoded)
    assert kernel.point_decode(out, encoded) == (expected is not None), encoded.hex()
    if expected is not None:
        assert same(integer_point(out), expected)
        assert_reduced(out)


def test_encodings_at_every_corner_are_read_or_refused(kernel: Any) -> None:
    for encoded in ENCODINGS:
        assert_decoded(kernel, encoded)


@given(encoded=st.binary(min_size=32, max_size=32))
def test_encodings_are_read_or_refused(kernel: Any, encoded: bytes) -> None:
    assert_decoded(kernel, encoded)


def test_encodings_of_small_order_are_known(kernel: Any) -> None:
    """All eight; and besides, the two that are canonical but for the sign of an x that is 0."""
    small = {point.encode() for point in torsion()} | {(y | SIGN).to_bytes(32, "little") for y in (1, P - 1)}
    assert len(small) == 10
    for encoded in {*ENCODINGS, *small}:
        assert kernel.point_encoding_is_small(encoded) == (encoded in small), encoded.hex()
    for encoded in small:
        for bit in range(255):
            other = (int.from_bytes(encoded, "little") ^ 1 << bit).to_bytes(32, "little")
            assert kernel.point_encoding_is_small(other) == (other in small)


def test_a_point_is_encoded_by_its_canonical_bytes_alone(kernel: Any) -> None:
    for p in SAMPLES:
        z = 2**200 + 3
        struct, inverse = kernel_point(scaled(p, z)), ffi.new("fe *", {"limb": limbs_of(pow(p.z * z, -1, P))})
        right = p.encode()
        same_point = {e for e in ENCODINGS if (point := lift(e)) is not None and same(point, p)}
        others = {(int.from_bytes(right, "little") ^ 1 << bit).to_bytes(32, "little") for bit in range(256)}
        for encoded in {right, *same_point, *others, *ENCODINGS}:
            assert kernel.point_is_encoded(struct, inverse, encoded) == (encoded == right)


def test_a_tables_entry_is_canonical(kernel: Any) -> None:
    for p in SAMPLES:
        out = kernel.point_to_multiple(
            kernel_point(scaled(p, 9)), ffi.new("fe *", {"limb": limbs_of(pow(9 * p.z, -1, P))})
        )
        expected = multiple_of(p)
        for name in ("y_plus_x", "y_minus_x", "xy_2d"):
            assert list(getattr(out, name).limb) == list(getattr(expected, name).limb)
            assert max(getattr(out, name).limb) <= MASK


def test_inverses_of_many_by_one_inversion(kernel: Any) -> None:
    for count in (1, 2, 3, 63, 64):
        points = ffi.new("point[]", [kernel_point(scaled(BASE, 3 + i))[0] for i in range(count)])
        out = ffi.new("fe[]", count)
        kernel.point_invert_z(out, points, count)
        for i in range(count):
            assert value(out[i]) * value(points[i].z) % P == 1
            assert max(out[i].limb) <= REDUCED
