"""The bits that all rows of a layout have in common: compared in C where there was a compiler, in Python elsewhere."""

from typing import Final

import numpy as np

from onecode_server.codes.encodings import base45, compiled, row_kernels
from onecode_server.codes.layouts import Bytes, Flags
from onecode_server.errors import Malformed


class FixedBits:
    """The bits of ``row`` that ``must`` marks, which is as long; in the rows of a layout they begin at ``start``."""

    def __init__(self, must: bytes, row: bytes, start: int = 0) -> None:
        self._size = len(must)
        self._characters = base45.characters(self._size)
        self._must, self._start, self._end = must, start, start + len(must)
        self._mask = int.from_bytes(must)
        self._number = int.from_bytes(row) & self._mask
        self._fixed = self._number.to_bytes(self._size)
        self._decoded = None
        if _kernel is not None:
            # Kept for the next text: to make one takes a third of the time of decoding. One thread at a time decodes.
            self._decoded = _kernel.ffi.new("char[]", self._size)
            self._decode, self._unpack = _kernel.lib.onecode_base45_fits, _kernel.ffi.unpack

    def are_in(self, row: bytes) -> bool:
        """Tell whether one row has these bits; a row without these bytes does not."""
        part = row[self._start : self._end]
        if len(part) != self._size:  # C would read on
            return False
        if _kernel is None:
            return int.from_bytes(part) & self._mask == self._number
        return bool(_kernel.lib.onecode_fits(self._size, part, self._must, self._fixed))

    def of_base45(self, text: bytes) -> bytes | None:
        """Return the bytes of a base45 text that have these bits, and are as many; None for every other text.

        Only for bits that begin at 0, and on one thread at a time.
        """
        if len(text) != self._characters:  # C would write on
            return None
        if self._decoded is None:
            try:
                row = base45.decode(text)
            except Malformed:
                return None
            return row if self.are_in(row) else None
        if not self._decode(self._characters, text, self._decoded, self._must, self._fixed):
            return None
        found: bytes = self._unpack(self._decoded, self._size)
        return found

    def are_in_rows(self, data: Bytes) -> Flags:
        """Tell which rows, uint8[n, m] with contiguous rows, have these bits: bool[n]."""
        data = data[:, self._start : self._end]
        if _kernel is not None:
            return row_kernels.fit(_kernel, data, self._must, self._fixed)
        must, fixed = np.frombuffer(self._must, np.uint8), np.frombuffer(self._fixed, np.uint8)
        return np.asarray(((data & must) == fixed).all(axis=1))


_kernel: Final = compiled.kernel
