"""File descriptors: the limit of this process, the share for connections, and one descriptor in reserve.

A connection takes a descriptor, and so does every file that is read while serving. A caller that opened connections
until none is left would keep the server from reading a trust list with a revocation in it.
"""

import errno
import os
import resource
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

from onecode_server.errors import Misconfigured

OWN: Final = 64
"""The descriptors that a worker keeps for itself. At rest a server of one process has 29: standard streams, event
loops, listening sockets, the store. The metrics page takes up to 16 (``rpc.http_listener``), the trust list two,
and the files of TLS and token keys up to eight; gRPC and libraries open the rest for short times."""
CONNECTIONS_MAX: Final = 8_192
"""The bound on connections of one worker, whatever the limit on descriptors. Each costs some 16 KB, so that all take
130 MB; a worker answers about as many single calls a second, so that more gates than that need another worker in any
case."""
CONNECTIONS_MIN: Final = 16
"""A limit that leaves fewer connections is a wrong setting: a handful of gates, a scrape and a health check would use
up all of them."""

_NONE_LEFT: Final = (errno.EMFILE, errno.ENFILE)
_READ_ONLY: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""Without O_NONBLOCK, opening a FIFO waits for its writer, for ever."""


def raise_limit() -> None:
    """Raise the limit on this process's descriptors (RLIMIT_NOFILE) to the most that it may set itself.

    The soft limit is 1,024 on most systems, for programs that call select(2), which this server does not.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Not every system accepts its own hard limit: macOS has an infinite one, and allows no process that many.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections_max(*, addresses: int = 1, descriptors_each: int = 1) -> int:
    """Return the number of connections that this process may take on each of some addresses, by its limit on
    descriptors. ``descriptors_each`` is the number that a connection takes.

    Raises Misconfigured where the limit leaves too few.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        limit = OWN + CONNECTIONS_MAX * descriptors_each
    needed = OWN + CONNECTIONS_MIN * descriptors_each
    if limit < needed:
        raise Misconfigured(f"{limit} open files are too few for a server, which needs {needed}: ulimit -n")
    return min((limit - OWN) // descriptors_each, CONNECTIONS_MAX) // addresses


def addresses_of(host: str) -> int:
    """Return the number of addresses of a host: ``localhost`` has two."""
    try:
        return len({address for *_, address in socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)})
    except OSError:  # reported when the server listens there
        return 1


class Spare:
    """A descriptor that is kept so that a file can be opened when no other is left. Not thread-safe."""

    def __init__(self) -> None:
        self._held: int | None = None
        self.refill()

    def open(self, path: Path) -> int:
        """Open a file to be read, and return its descriptor, which the caller closes. Raises OSError.

        A file that is no regular one (a FIFO, a terminal) is opened without waiting for anything.
        """
        try:
            return os.open(path, _READ_ONLY)
        except OSError as fault:
            if fault.errno not in _NONE_LEFT or self._held is None:
                raise
        self.close()
        return os.open(path, _READ_ONLY)

    def refill(self) -> None:
        """Take the descriptor back where it was used. Where none is free now, a later call may succeed."""
        if self._held is None:
            with suppress(OSError):
                self._held = os.open(os.devnull, _READ_ONLY)

    def close(self) -> None:
        """Close the descriptor."""
        if self._held is not None:
            held, self._held = self._held, None
            os.close(held)

    def __del__(self) -> None:
        self.close()
