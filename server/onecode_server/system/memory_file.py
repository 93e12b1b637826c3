"""A file that lies in memory alone: for libraries that read a secret from a file only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

_DESCRIPTORS: Final = Path("/proc/self/fd")


@contextmanager
def memory_file(content: bytes) -> Iterator[str]:
    """Lend the path of a file that this process alone can open, and that is gone afterwards. Raises OSError.

    Where the system has no memfd_create(2), forbids it, or has no /proc, it is a temporary file of mode 0600.
    """
    descriptor = _in_memory()
    if descriptor is None:
        with NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield file.name
        return
    try:
        with open(descriptor, "wb", closefd=False) as opened:
            opened.write(content)
        yield str(_DESCRIPTORS / str(descriptor))
    finally:
        os.close(descriptor)


def _in_memory() -> int | None:
    if not _DESCRIPTORS.is_dir():
        return None
    try:
        return os.memfd_create("onecode", os.MFD_CLOEXEC)
    except (AttributeError, OSError):
        return None
