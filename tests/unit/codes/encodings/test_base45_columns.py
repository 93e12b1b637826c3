"""Columns of base45 are read as ``base45`` reads each text, in C and in NumPy."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes.encodings import base45, base45_columns
from onecode_server.errors import Malformed

BUILT = base45_columns._kernel


@pytest.fixture(params=["c", "numpy"], autouse=True)
def decoder(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "c" and BUILT is None:
        pytest.skip("built without a C compiler")
    base45_columns._kernel = BUILT if request.param == "c" else None  # type: ignore[misc]
    yield
    base45_columns._kernel = BUILT  # type: ignore[misc]


def decode(texts: list[bytes]) -> list[bytes | None]:
    """Return what each text stands for, None where it is not base45; rows may have something before them."""
    rows = np.frombuffer(b"".join(b"NC1:" + text for text in texts), np.uint8).reshape(len(texts), -1)[:, 4:]
    data, is_good = base45_columns.decode(rows)
    assert data.shape[1] % 8 == 0
    size = 2 * (rows.shape[1] // 3) + (rows.shape[1] % 3 == 2)
    assert not data[:, size:].any()
    return [row[:size].tobytes() if good else None for row, good in zip(data, is_good.tolist(), strict=True)]


def alone(text: bytes) -> bytes | None:
    try:
        return base45.decode(text)
    except Malformed:
        return None


@pytest.mark.parametrize("size", range(1, 40))
def test_texts_of_every_length_are_read_as_base45_reads_them(size: int) -> None:
    data = [bytes([n * 37 % 256 for n in range(i, i + size)]) for i in range(50)] + [b"\xff" * size, bytes(size)]
    assert decode([base45.encode(one) for one in data]) == data


@pytest.mark.parametrize("text", [b":::", b"GGX", b"000::", b"0000A:", b"ab!", b"00\xff", b"0", b"0000", b"\0\0\0"])
def test_what_is_not_base45_is_marked_and_its_neighbours_are_read(text: bytes) -> None:
    good = b"0" * len(text)
    assert alone(text) is None
    assert decode([good, text, good]) == [alone(good), None, alone(good)]


@given(rows=st.integers(1, 40).flatmap(lambda n: st.lists(st.binary(min_size=n, max_size=n), min_size=1, max_size=9)))
def test_any_bytes_are_read_as_base45_reads_them(rows: list[bytes]) -> None:
    assert decode(rows) == [alone(row) for row in rows]


def spelled(data: bytes) -> bytes:
    """Return a text of the alphabet, as long as the bytes; Hypothesis makes bytes faster than text."""
    return bytes(base45.ALPHABET[byte % 45] for byte in data)


@given(rows=st.lists(st.binary(min_size=9, max_size=9).map(spelled), min_size=1, max_size=9))
def test_any_text_of_the_alphabet_is_read_as_base45_reads_it(rows: list[bytes]) -> None:
    assert decode(rows) == [alone(row) for row in rows]
