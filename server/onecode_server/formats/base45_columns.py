"""Base45 (RFC 9285) by the batch, strict as ``base45`` is: in C where there was a compiler, in NumPy elsewhere."""

from importlib.util import find_spec
from typing import Any, Final

import numpy as np

from onecode_server.formats import base45
from onecode_server.formats.columns import Bytes, Flags

_VALUES: Final = np.frombuffer(base45.VALUES, np.uint8)
_OUTSIDE: Final = 45


def decode(text: Bytes) -> tuple[Bytes, Flags]:
    """Return the bytes that texts of one length stand for, and which rows are base45: uint8[n, m], bool[n].

    ``text`` is uint8[n, characters]. Rows are padded with zeros to a multiple of eight bytes.
    """
    count, characters = text.shape
    size = 2 * (characters // 3) + (characters % 3 == 2)
    data = np.zeros((count, size + -size % 8), np.uint8)
    if characters % 3 == 1:
        return data, np.zeros(count, bool)
    is_good = _decode_in_c(text, data) if _kernel is not None else _decode(text, data)
    return data, is_good


def _decode_in_c(text: Bytes, data: Bytes) -> Flags:
    is_good = np.empty(len(text), np.uint8)
    lib, ffi = _kernel.lib, _kernel.ffi
    # A row's characters lie one behind the other; rows may have something between them.
    text = text if text.strides[1] == 1 and text.strides[0] > 0 else np.ascontiguousarray(text)
    lib.onecode_base45_rows(
        *text.shape,
        ffi.cast("uint8_t *", text.ctypes.data),
        text.strides[0],
        ffi.cast("uint8_t *", data.ctypes.data),
        data.strides[0],
        ffi.cast("uint8_t *", is_good.ctypes.data),
    )
    return is_good.view(bool)


def _decode(text: Bytes, data: Bytes) -> Flags:
    count, characters = text.shape
    values = _VALUES.take(text)
    is_good = np.asarray((values < _OUTSIDE).all(axis=1))
    whole = characters // 3
    groups = values[:, : 3 * whole].reshape(count, whole, 3)
    numbers = groups[:, :, 0] + groups[:, :, 1] * np.uint32(45) + groups[:, :, 2] * np.uint32(2025)
    is_good &= (numbers < 65_536).all(axis=1)
    data[:, : 2 * whole] = numbers.astype(">u2").view(np.uint8)
    if characters % 3:  # two characters are left, for one byte
        last = values[:, -2] + values[:, -1] * np.uint32(45)
        is_good &= last < 256
        data[:, 2 * whole] = last.astype(np.uint8)
    return is_good


def _load() -> Any:
    if find_spec("onecode_server.formats._columns") is None:
        return None
    from onecode_server.formats import _columns  # noqa: PLC0415 - it may not have been built

    return _columns


_kernel: Final = _load()
