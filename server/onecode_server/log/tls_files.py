"""The files of mutual TLS with a log's brokers. librdkafka reads them once, for each client that is made."""

import os
import time
from typing import Final

from onecode_server.errors import Misconfigured
from onecode_server.log.address import LogAddress
from onecode_server.system.private_files import is_private

LOOK_S: Final = 10.0
"""The time from one look at the files to the next. Certificates are replaced hours before they end."""

_Stamps = tuple[tuple[int, int, int, int] | None, ...]


class TlsFiles:
    """Tells when the files are others than those with which a client was made. Of one thread."""

    def __init__(self, address: LogAddress) -> None:
        self._paths = [path for path in (address.ca, address.cert, address.key) if path is not None]
        self._stamps = self._look()
        self._next_s = time.monotonic() + LOOK_S

    def have_changed(self) -> bool:
        """Return whether a file has changed since the last look, at most once for each change.

        Tools replace a certificate and its key one after the other: a client that cannot be made in between is made
        after the second change.
        """
        if not self._paths or time.monotonic() < self._next_s:
            return False
        self._next_s = time.monotonic() + LOOK_S
        former, self._stamps = self._stamps, self._look()
        return former != self._stamps and None not in self._stamps

    def _look(self) -> _Stamps:
        stamps: list[tuple[int, int, int, int] | None] = []
        for path in self._paths:
            try:
                found = path.stat()
                stamps.append((found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns))
            except OSError:
                stamps.append(None)  # it is just being replaced, or gone: what was read of it goes on
        return tuple(stamps)


def expect_files(address: LogAddress) -> None:
    """Raise Misconfigured where a file cannot be read, or the key is open to others than its owner."""
    for path in (address.ca, address.cert, address.key):
        if path is None:
            continue
        try:
            with path.open("rb") as file:
                found = os.fstat(file.fileno())
        except OSError as fault:
            raise Misconfigured(f"cannot read {path}: {fault.strerror}") from None
        if path == address.key and not is_private(found):
            raise Misconfigured(f"the key file {path} is open to more than its owner: set it to 0600, with chmod")
