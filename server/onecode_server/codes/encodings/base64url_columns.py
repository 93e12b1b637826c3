"""Base64url for batches, as strict as ``base64url``: in C where there was a compiler, in NumPy elsewhere."""

from typing import Final

import numpy as np

from onecode_server.codes.encodings import compiled, row_kernels
from onecode_server.codes.layouts import Bytes, Flags

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_OUTSIDE: Final = 64
_VALUES: Final = np.full(256, _OUTSIDE, np.uint8)
_VALUES[np.frombuffer(_ALPHABET, np.uint8)] = np.arange(_OUTSIDE)


def size_of(characters: int) -> int:
    """Return the number of bytes that so many characters encode."""
    return characters * 3 // 4


def decode(text: Bytes, data: Bytes) -> Flags:
    """Decode texts of one length, uint8[n, characters], into ``data``; return which are base64url: bool[n].

    ``data`` is uint8[n, ``size_of(characters)``] with contiguous rows.
    """
    if text.shape[1] % 4 == 1:
        return np.zeros(len(text), bool)
    return _decode(text, data) if _kernel is None else row_kernels.decode(_kernel, "base64url", text, data)


def _decode(text: Bytes, data: Bytes) -> Flags:
    count, characters = text.shape
    values = np.zeros((count, characters + -characters % 4), np.uint8)
    values[:, :characters] = _VALUES.take(text)
    is_good = np.asarray((values < _OUTSIDE).all(axis=1))
    a, b, c, d = (values[:, place::4] for place in range(4))
    three = np.stack((a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d), axis=2).reshape(count, -1)
    size = size_of(characters)
    data[:] = three[:, :size]
    # The characters may encode bits beyond the whole bytes: at most one byte, the rest comes from the zeros that were
    # added.
    return is_good & ~three[:, size:].any(axis=1)


_kernel: Final = compiled.kernel
