"""Small files that are complete after a power failure: keys, lists, drafts.

fsync(2) of a file puts its content on the disk; its name is on the disk only once its directory is synced too. A
replacement is renamed over the old file, so that readers find either the old content or the new.
"""

import errno
import os
from pathlib import Path
from typing import Final

_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
"""What link(2) says on a file system without hard links. A file is then written under its own name."""


def create(path: Path, content: bytes, mode: int) -> None:
    """Write a new file, with ``mode`` less the umask. It gets its name once it is whole: a server may look for it.

    Raises FileExistsError where the file exists, OSError.
    """
    beside = _beside(path)
    try:
        beside.unlink(missing_ok=True)
        _write(beside, content, mode)
        try:
            os.link(beside, path)  # unlike a renaming, it replaces nothing
        except FileExistsError as fault:  # which names the other file
            raise FileExistsError(fault.errno, fault.strerror, str(path)) from None
        except OSError as fault:
            if fault.errno not in _NO_LINKS:
                raise
            _write(path, content, mode)
    finally:
        beside.unlink(missing_ok=True)
    sync_directory(path.parent)


def replace(path: Path, content: bytes) -> None:
    """Write a file's new content, whether the file exists or not.

    Raises OSError: the file then has its old content or, where only its name could not be synced, the new one.
    """
    beside = _beside(path)
    try:
        beside.unlink(missing_ok=True)  # left by a killed process with the same process id
        _write(beside, content, 0o666)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def make_directories(path: Path, mode: int) -> None:
    """Make a directory, and its missing parents. An existing one stays as it is. Raises OSError."""
    missing = [directory for directory in (path, *path.parents) if not directory.exists()]
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    for directory in missing:
        sync_directory(directory.parent)


def sync_directory(path: Path) -> None:
    """Write the names in a directory to disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as fault:
        if fault.errno != errno.EINVAL:  # a file system that does not support it, as some network ones
            raise
    finally:
        os.close(handle)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def _write(path: Path, content: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
