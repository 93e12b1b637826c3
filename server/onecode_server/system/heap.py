"""The heap of the C library: it keeps freed memory, which is given back here."""

import asyncio
import ctypes
from typing import Final

TRIM_S: Final = 60.0
"""The interval at which free pages are given back. A trim of 20 MiB takes 3 ms, on a thread of its own; one without
free pages 1 ms."""

_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


async def trim() -> None:
    """Give free pages inside the heap back to the operating system (malloc_trim(3), of glibc; else nothing happens).

    gRPC's buffers come and go in all sizes. glibc gives back only the end of the heap by itself, so that a process kept
    more free memory the longer it ran.
    """
    if _malloc_trim is not None:
        await asyncio.to_thread(_malloc_trim, 0)
