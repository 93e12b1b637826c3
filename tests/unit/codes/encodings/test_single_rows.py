"""One row is decoded, compared and cut alike in C and in Python."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes.encodings import base45, single_rows
from onecode_server.codes.encodings.fixed_bits import FixedBits
from onecode_server.codes.encodings.single_rows import Part, PythonBase45Rows, PythonRowCutter
from onecode_server.errors import Malformed

PREFIX = b"CN1:"
BUILT = single_rows.RowCutter is not PythonRowCutter
needs_c = pytest.mark.skipif(not BUILT, reason="built without a C compiler")

Types = tuple[type[PythonBase45Rows], type[PythonRowCutter]]


@pytest.fixture(params=[pytest.param("c", marks=needs_c), "python"])
def types(request: pytest.FixtureRequest) -> Types:
    if request.param == "c":
        return single_rows.Base45Rows, single_rows.RowCutter
    return PythonBase45Rows, PythonRowCutter


def places(size: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, size), st.integers(0, size)).map(sorted).map(tuple)  # type: ignore[arg-type]


@st.composite
def rows_and_parts(draw: st.DrawFn) -> tuple[bytes, tuple[Part, ...]]:
    row = draw(st.binary(min_size=4, max_size=300))
    pieces = st.lists(st.binary(max_size=9) | places(len(row)), min_size=1, max_size=4).map(tuple)
    parts = st.lists(pieces | st.integers(0, len(row) - 4), max_size=6).map(tuple)
    return row, draw(parts)


def cut_by_hand(row: bytes, part: Part) -> bytes | int:
    if isinstance(part, int):
        return int.from_bytes(row[part : part + 4]) * 1_000_000
    return b"".join(piece if isinstance(piece, bytes) else row[piece[0] : piece[1]] for piece in part)


@pytest.mark.parametrize("implementation", [pytest.param("c", marks=needs_c), "python"])
@given(case=rows_and_parts(), after=st.binary(max_size=8))
def test_parts_are_joined_pieces_and_times_and_what_comes_after_counts_for_nothing(
    implementation: str, case: tuple[bytes, tuple[Part, ...]], after: bytes
) -> None:
    row, parts = case
    cutter = (single_rows.RowCutter if implementation == "c" else PythonRowCutter)(parts)
    expected = tuple(cut_by_hand(row, part) for part in parts)
    assert cutter.cut(row) == cutter.cut(row + after) == expected


def test_a_row_without_all_the_bytes_is_refused(types: Types) -> None:
    _, cutter = types
    for part in (6, ((3, 10),), ((0, 1), b"some", (9, 10))):
        assert cutter((part,)).cut(bytes(10))
        for size in range(10):
            with pytest.raises(ValueError, match="at least 10 bytes"):
                cutter((part,)).cut(bytes(size))


def test_the_largest_time_of_four_bytes_is_read(types: Types) -> None:
    _, cutter = types
    assert cutter((1,)).cut(b"\0\xff\xff\xff\xff") == ((2**32 - 1) * 1_000_000,)


@pytest.mark.parametrize("part", [-1, ((-1, 2),), ((3, 2),), ((0, -1),)])
def test_parts_that_no_row_has_are_refused(types: Types, part: Any) -> None:
    with pytest.raises(ValueError, match="no row has these bytes"):
        types[1]((part,))


@needs_c
@pytest.mark.parametrize(
    "given",
    [0, [4], ((),), ("text",), ((1,),), ((("a", 2),),), ((None,),), (2.5,), (2**80,), (2**63 - 3,), (((0, 2**70),),)],
)
def test_c_refuses_what_is_no_description_of_parts(given: Any) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        single_rows.RowCutter(given)


@needs_c
@pytest.mark.parametrize("other", ["text", bytearray(20), memoryview(bytes(20)), None, 7])
def test_c_reads_bytes_only(other: Any) -> None:
    with pytest.raises(TypeError):
        single_rows.RowCutter((0,)).cut(other)
    with pytest.raises(TypeError):
        single_rows.Base45Rows(PREFIX, b"\0", b"\0").read(other)
    with pytest.raises(TypeError):
        single_rows.Base45Rows(PREFIX, other, b"\0")


def test_bits_and_their_mask_are_equally_many(types: Types) -> None:
    with pytest.raises(ValueError, match="differ in size"):
        types[0](PREFIX, b"\0\0", b"\0")


@pytest.mark.parametrize("implementation", [pytest.param("c", marks=needs_c), "python"])
@given(data=st.data(), size=st.integers(0, 70))
def test_a_text_is_read_where_its_bytes_have_the_bits(implementation: str, data: st.DataObject, size: int) -> None:
    must, row, other = (data.draw(st.binary(min_size=size, max_size=size)) for _ in range(3))
    bits = FixedBits(must, row)
    rows = (single_rows.Base45Rows if implementation == "c" else PythonBase45Rows)(PREFIX, must, bits.fixed)
    merged = bytes(one & must_ | free & ~must_ & 0xFF for one, must_, free in zip(row, must, other, strict=True))
    for one in (row, other, merged, row[:-1], row + b"a"):
        fits = len(one) == size and bits.are_in(one)
        assert rows.read(PREFIX + base45.encode(one)) == (one if fits else None)
    code = bytearray(PREFIX + base45.encode(row))
    code[data.draw(st.integers(0, len(code) - 1))] = data.draw(st.integers(0, 255))
    assert rows.read(bytes(code)) == read_by_hand(bytes(code), bits)
    assert rows.read(PREFIX + base45.encode(row)) == row  # nothing is left of the text before


def read_by_hand(code: bytes, bits: FixedBits) -> bytes | None:
    if not code.startswith(PREFIX):
        return None
    try:
        row = base45.decode(code[len(PREFIX) :])
    except Malformed:
        return None
    return row if bits.are_in(row) else None
