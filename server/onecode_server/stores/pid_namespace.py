"""Ensures that a store is used from one pid namespace only: LMDB identifies readers and holders of locks by process id,
and two containers use the same ids for different processes.

A process that has a store open holds a shared flock(2) on a file beside it that contains its namespace. Only processes
that share the kernel, or a file system that passes locks on, are detected.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from onecode_server.errors import StoreUnavailable

FILE: Final = "pid-namespace"
_ID_BYTES_MAX: Final = 256
_ATTEMPTS: Final = 10
"""The number of attempts: two processes that begin at once may each find the other one writing."""


def own() -> bytes:
    """Return an id of this process's pid namespace that no other has: the kernel's boot, and the namespace in it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
        return boot + b" " + os.readlink("/proc/self/ns/pid").encode()
    except OSError:  # no Linux, or no /proc: the namespace is unknown
        return b""


def enter(directory: Path) -> int:
    """Return a descriptor that binds the store in ``directory`` to this process's namespace for as long as it is open.

    Raises StoreUnavailable where a process of another namespace has the store open, and OSError.
    """
    mine = own()
    descriptor = os.open(directory / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(_ATTEMPTS):
            with suppress(BlockingIOError):  # others have it open: the file has their namespace
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, mine, 0)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            # Read again under the shared lock: between the two locks, another process may have written its own
            # namespace.
            if (found := os.pread(descriptor, _ID_BYTES_MAX, 0)) == mine:
                return descriptor
            if found:
                raise StoreUnavailable(
                    f"the store in {directory} is open in another container or on another machine: LMDB locks by "
                    "process id, so that only processes of one pid namespace can share a store. Run this in there, or "
                    "give the two containers one pid namespace"
                )
        raise StoreUnavailable(f"the store in {directory} is being opened by too many processes at once")
    except BaseException:
        os.close(descriptor)
        raise
