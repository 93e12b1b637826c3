"""A proxy that nobody is to reach: it notes what it is asked for, and refuses it."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class CountingProxy:
    """Listens on a loopback port until its block ends. ``asked`` has the first line of each connection."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    @property
    def environment(self) -> dict[str, str]:
        """Variables that send everything here, in both spellings, and nothing around it."""
        address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        names = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy")
        variables = dict.fromkeys((*names, *map(str.upper, names)), f"http://{address}")
        by_address = {"GRPC_ADDRESS_HTTP_PROXY": address, "GRPC_ADDRESS_HTTP_PROXY_ENABLED_ADDRESSES": "127.0.0.0/8"}
        return variables | by_address

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(10)
                line = connection.recv(4096).partition(b"\r\n")[0]
                self.asked.append(line.decode(errors="replace"))
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
