"""A watched file that others replace: it is checked repeatedly, and read when it has changed.

Each check opens the file and compares the stamp of the opened file. So it also finds out whether the file can be
opened; and on a network file system, an open makes the client fetch the file's present state from the server.
"""

import hashlib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from onecode_server.system.descriptors import Spare
from onecode_server.system.private_files import is_private

SETTLING_S: Final = 3.0
"""The time after a change for which the file is read at every check, whatever its stamp. File systems record times in
steps of up to 2 s (FAT): a write in the same step as the read leaves the times unchanged."""

_CHUNK_BYTES: Final = 1024 * 1024


class Stamp(NamedTuple):
    """The state of a file; a changed file has another stamp. ``changed_at_ns`` is the time of the last change to the
    file or its metadata (ctime, inode(7)). Programs cannot set it, so it reveals a rewrite that kept size and time."""

    device: int
    inode: int
    size: int
    modified_at_ns: int
    changed_at_ns: int


class Reading(NamedTuple):
    """The content of a file, and the time from which its stamp is reliable (monotonic seconds). ``mode`` has the
    permission bits of the file that was read, and ``is_private`` tells whether it is as ``private_files`` demands of
    secrets: to change its mode, owner or group changes its stamp."""

    stamp: Stamp
    content: bytes
    digest: bytes
    settled_at_s: float
    mode: int
    is_private: bool


class WatchedFile:
    """Watches one file. ``monotonic`` returns seconds that never run backwards."""

    def __init__(self, path: Path, bytes_max: int, monotonic: Callable[[], float]) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._monotonic = monotonic
        self._spare = Spare()
        self._kept: Reading | None = None
        self._checking = threading.Lock()

    def check(self) -> Reading | None:
        """Return the file's content, at most one byte more than ``bytes_max``, or None if it is the kept one.

        Any change of the stamp counts, even if the content is the same. Raises OSError if the whole file cannot be
        read. It runs on a thread and changes no state, so an abandoned check has no effect.
        """
        with self._checking:
            began_s, kept = self._monotonic(), self._kept
            handle = self._spare.open(self._path)
            try:
                stamp = _stamp(handle)
                is_same = kept is not None and stamp == kept.stamp
                if kept is not None and is_same and began_s >= kept.settled_at_s:
                    return None
                content = self._read(handle)
                if _stamp(handle) != stamp or len(content) < min(stamp.size, self._bytes_max):
                    raise OSError(0, "it changed while it was read")
                found = os.fstat(handle)
            finally:
                os.close(handle)
                self._spare.refill()
        digest = hashlib.sha256(content).digest()
        if kept is not None and is_same and digest == kept.digest:
            return None
        return Reading(stamp, content, digest, began_s + SETTLING_S, stat.S_IMODE(found.st_mode), is_private(found))

    def keep(self, reading: Reading) -> None:
        """Keep a reading: the file is not read again until it changes."""
        self._kept = reading._replace(content=b"")

    def close(self) -> None:
        """Close the spare file descriptor."""
        self._spare.close()

    def _read(self, handle: int) -> bytes:
        parts, left = [], self._bytes_max + 1
        while left and (part := os.read(handle, min(left, _CHUNK_BYTES))):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)


def _stamp(handle: int) -> Stamp:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise OSError(0, "it is no regular file")
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
