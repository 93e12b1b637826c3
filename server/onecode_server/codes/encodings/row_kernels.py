"""Calls of the text decoders in C on whole columns."""

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
