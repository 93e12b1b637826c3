"""A Unix socket with a name, which its owner alone may connect to."""

import os
import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from onecode_server.errors import Misconfigured

MODE: Final = 0o600
"""Connecting needs the right to write (unix(7))."""


class NamedSocket:
    """The path of a listening socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def bind(self, listen: Callable[[], object]) -> None:
        """Have ``listen`` make the socket. What an ended server has left there is removed.

        Raises Misconfigured where the path is in use, or no socket can be made there.
        """
        self._clear()
        others = os.umask(0o777 & ~MODE)  # gRPC makes it by the umask alone
        try:
            listen()
            self._path.chmod(MODE)
        except (RuntimeError, OSError):
            raise Misconfigured(f"cannot listen on unix:{self._path}: no socket can be made there") from None
        finally:
            os.umask(others)

    def remove(self) -> None:
        """Remove the path."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _clear(self) -> None:
        try:
            mode = self._path.lstat().st_mode
        except OSError:  # there is nothing, or nothing can be there
            return
        if not stat.S_ISSOCK(mode):
            raise Misconfigured(f"cannot listen on unix:{self._path}: it is something else than a socket")
        with socket.socket(socket.AF_UNIX) as caller:
            if caller.connect_ex(str(self._path)) == 0:
                raise Misconfigured(f"cannot listen on unix:{self._path}: another server does")
        self.remove()
