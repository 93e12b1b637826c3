"""Base45 (RFC 9285) for batches, as strict as ``base45``: in C where there was a compiler, in NumPy elsewhere."""

from typing import Final

import numpy as np

from onecode_server.codes.encodings import base45, compiled, row_kernels
from onecode_server.codes.layouts import Bytes, Flags

_VALUES: Final = np.frombuffer(base45.VALUES, np.uint8)
_OUTSIDE: Final = 45


def decode(text: Bytes) -> tuple[Bytes, Flags]:
    """Return the bytes of texts of one length, and which rows are base45: uint8[n, m], bool[n].

    ``text`` is uint8[n, characters]. Rows are padded with zeros to a multiple of eight bytes.
    """
    count, characters = text.shape
    size = 2 * (characters // 3) + (characters % 3 == 2)
    data = np.zeros((count, size + -size % 8), np.uint8)
    if characters % 3 == 1:
        return data, np.zeros(count, bool)
    if _kernel is None:
        return data, _decode(text, data)
    return data, row_kernels.decode(_kernel, "base45", text, data)


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


_kernel: Final = compiled.kernel
