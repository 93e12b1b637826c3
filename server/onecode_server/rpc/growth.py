"""The growth of the process's memory since it began to serve: the only measure of the message bytes that gRPC holds."""

import os
from contextlib import suppress
from typing import Final

from onecode_server.system import heap

_STATM: Final = "/proc/self/statm"
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class Growth:
    """Reads proc(5). Where that file is missing, the growth is 0."""

    def __init__(self) -> None:
        self._file: int | None = None
        with suppress(OSError):
            self._file = os.open(_STATM, os.O_RDONLY | os.O_CLOEXEC)  # kept open: later there may be no descriptor
        self._first = self._bytes()

    def __call__(self) -> int:
        """Return the growth of the memory that is not backed by files, in bytes."""
        return self._bytes() - self._first

    async def trim(self) -> None:
        """Give back free memory, which counts as used otherwise."""
        await heap.trim_on_thread()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _bytes(self) -> int:
        if self._file is None:
            return 0
        _, resident, shared, *_ = os.pread(self._file, 256, 0).split()
        return (int(resident) - int(shared)) * _PAGE_BYTES
