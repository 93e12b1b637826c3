"""A port that the workers of one server share, and that no other server can use.

With SO_REUSEPORT alone, every process of one user may listen on a port, so that two servers that were started on the
same port by mistake would share its connections. The supervisor therefore keeps a socket on the port that never
listens, and that excludes a second server, whatever options it uses.
"""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from onecode_server.errors import Misconfigured

_NOT_HERE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""The errors of an address that this machine does not have, such as ``::1`` where there is no IPv6."""


@contextmanager
def reserved(host: str, port: int) -> Iterator[int]:
    """Keep a port while the block runs, and yield its number; with port 0 the system chooses one.

    Meanwhile a process of the same user can listen there with SO_REUSEPORT only. A name such as ``localhost`` may be
    several addresses, which all get the same port. Raises Misconfigured.
    """
    with ExitStack() as kept:
        try:
            for family, address in _addresses(host):
                try:
                    held = kept.enter_context(_hold(family, (address, port)))
                except OSError as fault:
                    if fault.errno not in _NOT_HERE:
                        raise
                    missing = fault
                    continue
                port = int(held.getsockname()[1])
            if not port:
                raise missing
        except OSError:
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            raise Misconfigured(f"cannot listen on {where}: it is taken, or not of this machine") from None
        yield port


def _addresses(host: str) -> list[tuple[int, str]]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _hold(family: int, address: tuple[str, int]) -> socket.socket:
    """Return a bound socket. Raises OSError where another process has the port, even a server that is still
    starting."""
    with _socket(family) as alone:
        # Without SO_REUSEPORT, a bind succeeds only where no other process has the port. SO_REUSEADDR is set for
        # connections of an earlier server that are not quite over (TIME_WAIT).
        alone.bind(address)
        alone.listen(1)
        # From here on this process may bind a second socket in addition, so that the port is never free in between:
        # another server does not share it yet, and would first have to bind it alone.
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held = _socket(family)
        try:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.bind(alone.getsockname())
            # With it, a second server could listen while all workers are between an end and a start (socket(7)).
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        except OSError:
            held.close()
            raise
    return held


def _socket(family: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made
