"""A file that lies in memory alone: for libraries that read a secret from a file only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import NamedTemporaryFile


@contextmanager
def memory_file(content: bytes) -> Iterator[str]:
    """Lend the path of a file that this process alone can open, and that is gone afterwards. Raises OSError.

    Where the system has no memfd_create(2), it is a temporary file of mode 0600.
    """
    if not hasattr(os, "memfd_create"):
        with NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name
        return
    descriptor = os.memfd_create("onecode", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
