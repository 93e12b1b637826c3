"""Columns of base64url are read as ``base64url`` reads each text, in C and in NumPy."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecode_server.codes.encodings import base64url, base64url_columns
from onecode_server.errors import Malformed

BUILT = base64url_columns._kernel
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture(params=["c", "numpy"], autouse=True)
def decoder(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "c" and BUILT is None:
        pytest.skip("built without a C compiler")
    base64url_columns._kernel = BUILT if request.param == "c" else None  # type: ignore[misc]
    yield
    base64url_columns._kernel = BUILT  # type: ignore[misc]


def decode(texts: list[bytes]) -> list[bytes | None]:
    """Return what each text stands for, None where it is not base64url; rows have something before and behind them."""
    rows = np.frombuffer(b"".join(b"<<<" + text + b">" for text in texts), np.uint8).reshape(len(texts), -1)[:, 3:-1]
    size = base64url_columns.size_of(rows.shape[1])
    data = np.full((len(texts), size + 5), 0xEE, np.uint8)
    is_good = base64url_columns.decode(rows, data[:, 2 : 2 + size])
    assert (data[:, :2] == 0xEE).all()
    assert (data[:, 2 + size :] == 0xEE).all()
    return [row[2 : 2 + size].tobytes() if good else None for row, good in zip(data, is_good.tolist(), strict=True)]


def alone(text: bytes) -> bytes | None:
    try:
        return base64url.decode(text)
    except Malformed:
        return None


@pytest.mark.parametrize("size", range(40))
def test_texts_of_every_length_are_read_as_base64url_reads_them(size: int) -> None:
    data = [bytes([n * 37 % 256 for n in range(i, i + size)]) for i in range(50)] + [b"\xff" * size, bytes(size)]
    assert decode([base64url.encode(one) for one in data]) == data


@pytest.mark.parametrize("text", [b"A", b"AB", b"AAB", b"A+==", b"A/AA", b"AA=", b"AA\xff", b"AAAAA", b"\0\0", b"A.AA"])
def test_what_is_not_base64url_is_marked_and_its_neighbours_are_read(text: bytes) -> None:
    good = b"A" * len(text)
    assert alone(text) is None
    assert decode([good, text, good]) == [alone(good), None, alone(good)]


@pytest.mark.parametrize("before", [b"", b"A", b"AA", b"AAAA", b"AAAAAA"])
def test_every_character_counts_as_base64url_counts_it(before: bytes) -> None:
    texts = [before + bytes([character]) + after for character in range(256) for after in (b"", b"A", b"AA")]
    for length in {*map(len, texts)}:
        rows = [text for text in texts if len(text) == length]
        assert decode(rows) == [alone(row) for row in rows]


@given(rows=st.integers(1, 40).flatmap(lambda n: st.lists(st.binary(min_size=n, max_size=n), min_size=1, max_size=9)))
def test_any_bytes_are_read_as_base64url_reads_them(rows: list[bytes]) -> None:
    assert decode(rows) == [alone(row) for row in rows]


def spelled(data: bytes) -> bytes:
    """Return a text of the alphabet, as long as the bytes; Hypothesis makes bytes faster than text."""
    return bytes(ALPHABET[byte % len(ALPHABET)] for byte in data)


@given(
    rows=st.integers(1, 12).flatmap(
        lambda n: st.lists(st.binary(min_size=n, max_size=n).map(spelled), min_size=1, max_size=9)
    )
)
def test_any_text_of_the_alphabet_is_read_as_base64url_reads_it(rows: list[bytes]) -> None:
    assert decode(rows) == [alone(row) for row in rows]
