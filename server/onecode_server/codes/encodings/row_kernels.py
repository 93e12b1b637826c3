"""Calls of the kernel in C on whole columns."""

from typing import Any

import numpy as np

from onecode_server.codes.layouts import Bytes, Flags


def decode(kernel: Any, encoding: str, text: Bytes, data: Bytes) -> Flags:
    """Decode rows of text, uint8[n, characters], into the memory of ``data``; return which rows are valid: bool[n].

    Each row of ``data`` is contiguous, and long enough for the decoded text.
    """
    count, characters = text.shape
    if not text.size:
        return np.ones(count, bool)  # empty texts
    # The characters of a row must be contiguous; rows need not be.
    text = text if text.strides[1] == 1 and text.strides[0] > 0 else np.ascontiguousarray(text)
    is_good = np.empty(count, np.uint8)
    address = kernel.ffi.from_buffer  # of the first row: an array's own attribute takes 3 us to make
    getattr(kernel.lib, f"onecode_{encoding}_rows")(
        count, characters, address(text[0]), text.strides[0], address(data[0]), data.strides[0], address(is_good)
    )
    return is_good.view(bool)


def fit(kernel: Any, data: Bytes, must: bytes, fixed: bytes) -> Flags:
    """Return in which rows of ``data``, uint8[n, size], the bits of ``must`` are those of ``fixed``: bool[n].

    Each row is contiguous.
    """
    count, size = data.shape
    fits = np.empty(count, np.uint8)
    if count and size:
        address = kernel.ffi.from_buffer
        kernel.lib.onecode_rows_fit(count, size, address(data[0]), data.strides[0], must, fixed, address(fits))
    else:
        fits[:] = 1
    return fits.view(bool)
