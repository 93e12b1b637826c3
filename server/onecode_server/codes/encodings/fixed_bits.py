"""The bits that all rows of a layout have in common: compared in C where there was a compiler, in Python elsewhere."""

from typing import Final

import numpy as np

from onecode_server.codes.encodings import compiled, row_kernels
from onecode_server.codes.layouts import Bytes, Flags


class FixedBits:
    """The bits of ``row`` that ``must`` marks, which is as long; in the rows of a layout they begin at ``start``."""

    def __init__(self, must: bytes, row: bytes, start: int = 0) -> None:
        self._size = len(must)
        self._must, self._start, self._end = must, start, start + len(must)
        self._mask = int.from_bytes(must)
        self._number = int.from_bytes(row) & self._mask
        self.fixed = self._number.to_bytes(self._size)

    def are_in(self, row: bytes) -> bool:
        """Tell whether one row has these bits; a row without these bytes does not."""
        part = row[self._start : self._end]
        if len(part) != self._size:  # C would read on
            return False
        if _kernel is None:
            return int.from_bytes(part) & self._mask == self._number
        return bool(_kernel.lib.onecode_fits(self._size, part, self._must, self.fixed))

    def are_in_rows(self, data: Bytes) -> Flags:
        """Tell which rows, uint8[n, m] with contiguous rows, have these bits: bool[n]."""
        data = data[:, self._start : self._end]
        if _kernel is not None:
            return row_kernels.fit(_kernel, data, self._must, self.fixed)
        must, fixed = np.frombuffer(self._must, np.uint8), np.frombuffer(self.fixed, np.uint8)
        return np.asarray(((data & must) == fixed).all(axis=1))


_kernel: Final = compiled.kernel
