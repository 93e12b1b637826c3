"""A network between a program and a server that is cut, and mended where the test wants it."""

import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

_PIECE_BYTES: Final = 65_536
_RESETS: Final = struct.pack("ii", 1, 0)
"""The value of SO_LINGER by which a close sends RST (socket(7))."""


class Network:
    """Passes bytes on between each connection that it takes and one of its own to the server, until its block ends.

    While it is cut, a connection is reset once it is made, and ``tried`` is set.
    """

    def __init__(self, server: str) -> None:
        host, _, port = server.rpartition(":")
        self._server = host, int(port)
        self.tried = threading.Event()
        self._lock = threading.Lock()
        self._is_cut = False
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def address(self) -> str:
        """Where the server is reached by way of it."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Reset the connections that are open, and those to come."""
        with self._lock:
            self._is_cut = True
            for end in self._open:
                _reset(end)
            self._open.clear()

    def mend(self) -> None:
        """Pass bytes on for connections to come."""
        with self._lock:
            self._is_cut = False

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                program, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._is_cut:
                    _reset(program)
                    self.tried.set()
                else:
                    self._connect(program)

    def _connect(self, program: socket.socket) -> None:
        server = socket.create_connection(self._server)
        self._open += (program, server)
        for ends in ((program, server), (server, program)):
            self._threads.append(threading.Thread(target=_pass_on, args=ends))
            self._threads[-1].start()


def _pass_on(source: socket.socket, to: socket.socket) -> None:
    """Pass on what comes from one end, until that is closed or the network is cut."""
    with suppress(OSError):
        while some := source.recv(_PIECE_BYTES):
            to.sendall(some)
        to.shutdown(socket.SHUT_WR)


def _reset(end: socket.socket) -> None:
    """Close a connection at once, whatever is on its way; a thread that reads from it returns."""
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETS)
        end.shutdown(socket.SHUT_RD)
    end.close()
