"""table.h and table.c: every entry is the multiple that it stands for, and digits name the right entries."""

import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.edwards import BASE, SIGN, D, L, P, Point, torsion
from tests.unit.crypto.kernel.limbs import MASK, value
from tests.unit.crypto.kernel.opened import KEY_TABLE_BYTES, STEPS, buffer, ffi
from tests.unit.crypto.kernel.test_scalar import number_of, scalar

KEY_BITS, KEY_WINDOWS = 7, 35
BASE_BITS, BASE_WINDOWS = 12, 20
HONEST = (2**251 + 12345) * BASE
MIXED = HONEST + torsion()[3]


def windows(point: Point, bits: int, count: int) -> Iterator[list[Point]]:
    """Yield what each window holds: 1, 2, ... times 2^(bits i) times the point."""
    for i in range(count + 1):
        size = 1 << (bits - 1) if i < count else 1 << (252 - bits * count)
        multiples = [point]
        for _ in range(size - 1):
            multiples.append(multiples[-1] + point)
        yield multiples
        point = multiples[-1] + multiples[-1]


def assert_entry(entry: tuple[int, ...], point: Point) -> None:
    """The entry is y + x, y - x, 2 d x y in limbs below 2^51, each below p: compared without an inversion."""
    plus, minus, xy_2d = (value(entry[i : i + 5]) for i in (0, 5, 10))
    assert max(entry) <= MASK
    assert max(plus, minus, xy_2d) < P
    assert (plus * point.z - point.y - point.x) % P == 0
    assert (minus * point.z - point.y + point.x) % P == 0
    assert (xy_2d * point.z - 2 * D * point.t) % P == 0
    assert entry[15] == 0


def assert_table(table: Any, point: Point, bits: int, count: int) -> None:
    entries = struct.iter_unpack("<16Q", ffi.buffer(table)[128:])
    assert_entry(next(entries), 0 * point)
    for multiples in windows(point, bits, count):
        for multiple in multiples:
            assert_entry(next(entries), multiple)
    assert next(entries, None) is None


@pytest.mark.parametrize("key", [HONEST, MIXED], ids=["honest", "mixed"])
def test_every_entry_of_a_keys_table(kernel: Any, key: Point) -> None:
    table = ffi.new("uint8_t[]", KEY_TABLE_BYTES)
    assert kernel.onecode_make_key_table(table, key.encode()) == 1
    assert bytes(ffi.buffer(table)[:32]) == key.encode()
    assert_table(table, -key, KEY_BITS, KEY_WINDOWS)


def test_every_entry_of_the_base_table(base_table: Any) -> None:
    assert_table(base_table, BASE, BASE_BITS, BASE_WINDOWS)


def test_a_key_that_verifies_nothing_leaves_the_table_as_it_was(kernel: Any) -> None:
    before = b"\xa5" * KEY_TABLE_BYTES
    table = buffer(before)
    nowhere = (2).to_bytes(32, "little")
    not_canonical = (P + 3 | SIGN).to_bytes(32, "little")
    for key in (nowhere, not_canonical, *(point.encode() for point in torsion())):
        assert kernel.onecode_make_key_table(table, key) == 0
    assert bytes(ffi.buffer(table)) == before


def test_biases_are_half_of_every_window(kernel: Any) -> None:
    for bias, bits, count in ((kernel.KEY_BIAS, KEY_BITS, KEY_WINDOWS), (kernel.BASE_BIAS, BASE_BITS, BASE_WINDOWS)):
        assert number_of(bias.word) == sum(1 << bits * i + bits - 1 for i in range(count))
        assert 2**64 - 1 not in bias.word  # upon which the carries in check_ifma.c rest


def scalar_of_digits(entries: list[int], negative: list[int], bits: int, count: int) -> int:
    """Return the scalar that a plan's steps sum up to; every entry must lie in its own window."""
    total = 0
    for i, (entry, sign) in enumerate(zip(entries, negative, strict=True)):
        row, size = i << (bits - 1), 1 << (bits - 1) if i < count else 1 << (252 - bits * count)
        if entry:
            assert row < entry <= row + size
            assert not (sign and i == count)
            total += (-1 if sign else 1) * (entry - row) << bits * i
    return total


def assert_plan(entries: list[int], negative: list[int], s: int, k: int) -> None:
    of_base = BASE_WINDOWS + 1
    assert scalar_of_digits(entries[:of_base], negative[:of_base], BASE_BITS, BASE_WINDOWS) == s
    assert scalar_of_digits(entries[of_base:], negative[of_base:], KEY_BITS, KEY_WINDOWS) == k


def corners() -> list[int]:
    """Scalars whose digits are at their ends, whose windows carry all the way up, and next to L."""
    found = {0, 1, L - 1, L - 2, 2**252 - 1, 2**252, 2**128 - 1, 2**192, L // 2}
    for bits, count in ((KEY_BITS, KEY_WINDOWS), (BASE_BITS, BASE_WINDOWS)):
        half = sum(1 << bits * i + bits - 1 for i in range(count))
        found |= {half, half - 1, 2 * half, 2**252 - half, 2**252 - half - 1}
        found |= {((1 << bits * i) - half) % L for i in range(count)}
    return sorted(number for number in found if number < L)


SCALARS = st.sampled_from(corners()) | st.integers(0, L - 1)


def assert_portable_plan(kernel: Any, base_table: Any, s: int, k: int) -> None:
    entries, negative = ffi.new("int64_t[]", STEPS), ffi.new("uint8_t[]", STEPS)
    assert kernel.open_plan(entries, negative, base_table, base_table, scalar(s), scalar(k)) == STEPS
    assert_plan(list(entries), list(negative), s, k)


def test_the_digits_of_corners_name_the_right_entries(kernel: Any, base_table: Any) -> None:
    for number in corners():
        assert_portable_plan(kernel, base_table, number, number)


@given(s=SCALARS, k=SCALARS)
def test_digits_name_the_right_entries(kernel: Any, base_table: Any, s: int, k: int) -> None:
    assert_portable_plan(kernel, base_table, s, k)


def assert_eight_plans(kernel8: Any, base_table: Any, pairs: list[tuple[int, int]]) -> None:
    entries, negative = ffi.new("int64_t[][8]", STEPS), ffi.new("uint8_t[]", STEPS)
    s = ffi.new("scalar[8]", [scalar(s)[0] for s, _ in pairs])
    k = ffi.new("scalar[8]", [scalar(k)[0] for _, k in pairs])
    keys = ffi.new("void *[8]", [base_table] * 8)
    assert kernel8.open_plan8(entries, negative, base_table, keys, s, k) == STEPS
    for lane, pair in enumerate(pairs):
        assert_plan([row[lane] for row in entries], [signs >> lane & 1 for signs in negative], *pair)


def test_the_digits_of_corners_in_eight_lanes(kernel8: Any, base_table: Any) -> None:
    there = corners()
    for i in range(len(there)):
        assert_eight_plans(kernel8, base_table, [(there[i - lane], there[lane - i]) for lane in range(8)])


@given(pairs=st.lists(st.tuples(SCALARS, SCALARS), min_size=8, max_size=8))
def test_digits_in_eight_lanes(kernel8: Any, base_table: Any, pairs: list[tuple[int, int]]) -> None:
    assert_eight_plans(kernel8, base_table, pairs)
