"""A file that others replace while it is watched: looked at again and again, and read when it is not what it was.

The file is opened at each look, and what is compared is the opened file's own. That it can be opened now is half of
what a look finds out; and on a network file system an open is when the server is asked anew what the file is.
"""

import hashlib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from onecode_server.descriptors import Spare

SETTLING_S: Final = 3.0
"""How long a file is read at every look after it changed, whatever its times say. File systems write down times in
steps, of up to 2 s (FAT): what is written in the step in which the file was read has the times of what was read."""

_CHUNK_BYTES: Final = 1024 * 1024


class Stamp(NamedTuple):
    """What tells one state of a file from another. Nobody can set ``changed_at_ns``, the time of the last change to
    the file or to what is known of it (ctime, inode(7)): with it a rewrite shows that kept size and time."""

    device: int
    inode: int
    size: int
    modified_at_ns: int
    changed_at_ns: int


class Reading(NamedTuple):
    """What a file held, and when its stamp can be relied on (monotonic seconds)."""

    stamp: Stamp
    content: bytes
    digest: bytes
    settled_at_s: float


class WatchedFile:
    """``monotonic`` returns seconds that never run backwards."""

    def __init__(self, path: Path, bytes_max: int, monotonic: Callable[[], float]) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._monotonic = monotonic
        self._spare = Spare()
        self._kept: Reading | None = None
        self._looking = threading.Lock()

    def look(self) -> Reading | None:
        """Return what the file holds, at most one byte more than ``bytes_max``; None where it is what was kept.

        Any change of the stamp counts, also one that leaves the content as it was. Raises OSError where the file cannot
        be read whole. Meant for a thread, and changes nothing: a look that nobody waited for has no consequence.
        """
        with self._looking:
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
            finally:
                os.close(handle)
                self._spare.refill()
        digest = hashlib.sha256(content).digest()
        if kept is not None and is_same and digest == kept.digest:
            return None
        return Reading(stamp, content, digest, began_s + SETTLING_S)

    def keep(self, reading: Reading) -> None:
        """Note what became of a reading as final: the file is not read again until it changes."""
        self._kept = reading._replace(content=b"")

    def close(self) -> None:
        """Let go of what is held for it."""
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
