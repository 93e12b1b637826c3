"""Calls of the text decoders in C on whole columns."""

from typing import Any

import numpy as np

from onecode_server.codes.layouts import Bytes, Flags


def decode(kernel: Any, encoding: str, text: Bytes, data: Bytes) -> Flags:
    """Decode rows of text, uint8[n, characters], into the memory of ``data``; return which rows are valid: bool[n].

    Each row of ``data`` is contiguous, and long enough for the decoded text.
    """
    is_good = np.empty(len(text), np.uint8)
    lib, ffi = kernel.lib, kernel.ffi
    # The characters of a row must be contiguous; rows need not be.
    text = text if text.strides[1] == 1 and text.strides[0] > 0 else np.ascontiguousarray(text)
    getattr(lib, f"onecode_{encoding}_rows")(
        *text.shape,
        ffi.cast("uint8_t *", text.ctypes.data),
        text.strides[0],
        ffi.cast("uint8_t *", data.ctypes.data),
        data.strides[0],
        ffi.cast("uint8_t *", is_good.ctypes.data),
    )
    return is_good.view(bool)
