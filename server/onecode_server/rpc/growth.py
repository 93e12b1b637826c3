"""How much memory the process has taken since it began to serve: what gRPC holds of messages shows nowhere else."""

import ctypes
import os
from contextlib import suppress
from typing import Final

_STATM: Final = "/proc/self/statm"
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class Growth:
    """Reads proc(5). Where there is no such file, nothing ever grows."""

    def __init__(self) -> None:
        self._file: int | None = None
        with suppress(OSError):
            self._file = os.open(_STATM, os.O_RDONLY | os.O_CLOEXEC)  # kept: later there may be no descriptor
        self._first = self._bytes()

    def __call__(self) -> int:
        """Return by how many bytes the memory that is no file's has grown."""
        return self._bytes() - self._first

    def trim(self) -> None:
        """Give back what is free; this takes some 40 ms a gigabyte. C's allocator keeps it else, and it looks used."""
        with suppress(AttributeError, OSError):  # glibc has this; where it is missing, what is free may stay
            ctypes.CDLL(None).malloc_trim(0)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _bytes(self) -> int:
        if self._file is None:
            return 0
        _, resident, shared, *_ = os.pread(self._file, 256, 0).split()
        return (int(resident) - int(shared)) * _PAGE_BYTES
