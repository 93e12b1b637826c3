"""Small files that are there, whole, after the power has failed: keys, lists, drafts.

A file that is synced is on the disk; its name is only once its directory is synced too (fsync(2)). What replaces a file
is renamed over it, so that whoever reads it finds the old content or the new.
"""

import errno
import os
from pathlib import Path


def create(path: Path, content: bytes, mode: int) -> None:
    """Write a new file, with ``mode`` less the umask. Raises FileExistsError where there is one, OSError."""
    try:
        _write(path, content, mode)
    except FileExistsError:
        raise
    except OSError:
        path.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def replace(path: Path, content: bytes) -> None:
    """Put content in the place of a file's, or where there is none.

    Raises OSError: the file has its old content then or, where only its name could not be synced, the new one.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.unlink(missing_ok=True)  # of a process that was killed, whose number is ours now
        _write(beside, content, 0o666)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def make_directories(path: Path, mode: int) -> None:
    """Make a directory, and those above it that are missing. One that is there stays as it is. Raises OSError."""
    missing = [directory for directory in (path, *path.parents) if not directory.exists()]
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    for directory in missing:
        sync_directory(directory.parent)


def sync_directory(path: Path) -> None:
    """Have the names in a directory written down. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as fault:
        if fault.errno != errno.EINVAL:  # a file system that has no such thing, as some over networks
            raise
    finally:
        os.close(handle)


def _write(path: Path, content: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
