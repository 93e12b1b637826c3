"""The bits that rows have in common are compared alike in C and in Python, for one row and for many."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes.encodings import fixed_bits
from onecode_server.codes.encodings.fixed_bits import FixedBits

BUILT = fixed_bits._kernel


@pytest.fixture(params=["c", "python"], autouse=True)
def comparison(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "c" and BUILT is None:
        pytest.skip("built without a C compiler")
    fixed_bits._kernel = BUILT if request.param == "c" else None  # type: ignore[misc]
    yield
    fixed_bits._kernel = BUILT  # type: ignore[misc]


def found(bits: FixedBits, rows: list[bytes]) -> list[bool]:
    """Return which rows have the bits, all at once; asserts that each has the same answer alone."""
    data = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), -1)
    answers: list[bool] = bits.are_in_rows(data).tolist()
    assert [bits.are_in(row) for row in rows] == answers
    return answers


def test_every_bit_that_must_be_there_counts_and_no_other() -> None:
    must, row = b"\xff\x80\x00\x01", b"\x12\x34\x56\x78"
    rows = [(int.from_bytes(row) ^ 1 << bit).to_bytes(4) for bit in range(32)]
    expected = [not int.from_bytes(must) >> bit & 1 for bit in range(32)]
    assert found(FixedBits(must, row), rows) == expected
    assert found(FixedBits(must, row), [row]) == [True]


def test_bytes_before_and_after_have_no_part_in_it() -> None:
    bits = FixedBits(b"\xff\xff", b"ab", 8)
    rows = [b"before--ab------", b"ab------ab!!!!!!", b"ab------aX!!!!!!", b"--------b-------"]
    assert found(bits, rows) == [True, True, False, False]


def test_a_row_that_is_too_short_has_no_such_bits() -> None:
    assert not FixedBits(b"\0\0", b"ab", 8).are_in(b"12345678a")


def test_no_rows_and_rows_without_bytes() -> None:
    assert FixedBits(b"\xff", b"a").are_in_rows(np.empty((0, 8), np.uint8)).tolist() == []
    assert FixedBits(b"", b"").are_in_rows(np.empty((3, 8), np.uint8)).tolist() == [True] * 3


@given(data=st.data(), size=st.integers(1, 70), start=st.sampled_from([0, 8, 16]))
def test_any_bits_are_compared_as_integers_are(data: st.DataObject, size: int, start: int) -> None:
    must, row = data.draw(st.binary(min_size=size, max_size=size)), data.draw(st.binary(min_size=size, max_size=size))
    others = data.draw(st.lists(st.binary(min_size=size, max_size=size), max_size=5))
    mask = int.from_bytes(must)
    rows = [
        row,
        *others,
        (int.from_bytes(row) & mask).to_bytes(size),
        bytes(a ^ b for a, b in zip(row, must, strict=True)),
    ]
    expected = [int.from_bytes(one) & mask == int.from_bytes(row) & mask for one in rows]
    assert found(FixedBits(must, row, start), [b"x" * start + one + b"end" for one in rows]) == expected
