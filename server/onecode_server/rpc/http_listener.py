"""A listener for a few HTTP callers at once: one request for each connection, and a bound on all that a caller can use.

One event loop reads all connections as their bytes come, so that a silent caller delays nobody. Where CONNECTIONS_MAX
is reached, the connection that was silent longest is closed: an honest request comes within milliseconds.
"""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

CONNECTIONS_MAX: Final = 16
"""Room for a scrape, a health check and a browser, several times over; and a bound on descriptors, of which a worker
keeps 64 for itself (``descriptors.OWN``)."""
REQUEST_TIMEOUT_S: Final = 5.0
"""The time from the accepting of a connection to its end, including the answer."""
HEAD_BYTES_MAX: Final = 16 * 1024
"""The bound on a request line and its headers; Prometheus sends some 300 bytes. Bodies of requests are not read."""
ACCEPT_AGAIN_S: Final = 0.5
"""The pause after a failed accept. Where no descriptor is left, a connection stays in the kernel's queue and the socket
stays readable: without a pause, the loop would keep a core busy."""
SHARE: Final = 0.1
"""The largest share of the time for answers: a server of one process also needs the GIL for scans. Callers that connect
faster wait in the kernel's queue."""
ACCEPT_PAUSE_MAX_S: Final = 0.05

_ENDS: Final = (b"\r\n\r\n", b"\n\n")

_log = logging.getLogger(__name__)


class Request(NamedTuple):
    """A request. The names of headers are in lower case; the path is without a query. ``certificate`` is the caller's
    own and the chain after it (PEM), if it has shown one by TLS; ``host`` its address."""

    method: str
    path: str
    headers: Mapping[str, str]
    certificate: bytes | None = None
    host: str = ""


class Answer(NamedTuple):
    """An answer. ``status`` is code and phrase; ``headers`` are those besides length and connection."""

    status: str
    headers: Mapping[str, str]
    body: bytes


class HttpListener:
    """Answers each request on a listening socket, on the running event loop. Callers speak TLS where ``tls`` returns
    what a new connection is to be opened with."""

    def __init__(
        self,
        listening: socket.socket,
        answer: Callable[[Request], Awaitable[Answer]],
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
    ) -> None:
        listening.setblocking(False)
        self.answer = answer
        self._socket = listening
        self._loop = asyncio.get_running_loop()
        self._tls = tls
        self._open: dict[_Connection, None] = {}  # the oldest first
        self._accepting: dict[asyncio.Task[Any], None] = {}  # likewise; with TLS they wait for their callers
        self._spent_s = time.thread_time()
        self._listen()

    def close(self) -> None:
        """Accept no further connection, and close the open ones."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for connection in list(self._open):
            connection.abort()

    def add(self, connection: "_Connection") -> None:
        """Add a connection; where the bound is reached, close another one for it."""
        if len(self._open) >= CONNECTIONS_MAX:
            displaced = next((one for one in self._open if one.is_silent), next(iter(self._open)))
            displaced.abort()
            self.remove(displaced)
        self._open[connection] = None

    def remove(self, connection: "_Connection") -> None:
        """Forget a connection."""
        self._open.pop(connection, None)

    def _listen(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        """Accept one connection, so that open ones are read before the next is accepted."""
        try:
            accepted, _ = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:
            self._pause(ACCEPT_AGAIN_S)
            return
        if len(self._accepting) >= CONNECTIONS_MAX:
            next(iter(self._accepting)).cancel()
        task = self._loop.create_task(self._open_connection(accepted))
        self._accepting[task] = None
        task.add_done_callback(self._accepted)
        before_s, self._spent_s = self._spent_s, time.thread_time()
        self._pause(min((self._spent_s - before_s) * (1 / SHARE - 1), ACCEPT_PAUSE_MAX_S))

    async def _open_connection(self, accepted: socket.socket) -> None:
        context = self._tls()
        limit_s = None if context is None else REQUEST_TIMEOUT_S
        await self._loop.connect_accepted_socket(
            lambda: _Connection(self), accepted, ssl=context, ssl_handshake_timeout=limit_s
        )

    def _accepted(self, task: asyncio.Task[Any]) -> None:
        self._accepting.pop(task, None)
        # A handshake that fails is its caller's affair: it is no error, and would be logged as often as it is repeated.
        if not task.cancelled() and (fault := task.exception()) and not isinstance(fault, OSError):
            _log.info("a request was not answered: %s", type(fault).__name__)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.call_later(seconds, self._listen)


class _Connection(asyncio.Protocol):
    def __init__(self, listener: HttpListener) -> None:
        self.is_silent = True
        self._listener = listener
        self._received = b""
        self._transport: asyncio.Transport
        self._deadline: asyncio.TimerHandle
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport
        self._deadline = asyncio.get_running_loop().call_later(REQUEST_TIMEOUT_S, self.abort)
        self._listener.add(self)

    def connection_lost(self, fault: Exception | None) -> None:
        self._deadline.cancel()
        self._listener.remove(self)
        if self._answering is not None:
            self._answering.cancel()

    def abort(self) -> None:
        """Close the connection at once, without reading or writing the rest."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Collect bytes until the request is complete."""
        if not self.is_silent:
            return
        self._received += data
        if len(self._received) > HEAD_BYTES_MAX or any(end in self._received for end in _ENDS):
            self.is_silent = False
            self._transport.pause_reading()
            self._answering = asyncio.create_task(self._answer(self._request()))

    def _request(self) -> Request | str:
        request, tls = _read(self._received), self._transport.get_extra_info("ssl_object")
        if isinstance(request, str):
            return request
        host = str(self._transport.get_extra_info("peername")[0])
        return request._replace(host=host, certificate=None if tls is None else _shown(tls))

    async def _answer(self, request: Request | str) -> None:
        if isinstance(request, str):
            answer = Answer(request, {"Content-Type": "text/plain"}, f"{request}\n".encode())
        else:
            answer = await self._listener.answer(request)
        headers = {**answer.headers, "Content-Length": str(len(answer.body)), "Connection": "close"}
        head = "\r\n".join([f"HTTP/1.0 {answer.status}", *(f"{name}: {value}" for name, value in headers.items())])
        body = b"" if isinstance(request, Request) and request.method == "HEAD" else answer.body
        self._transport.write(head.encode("latin-1") + b"\r\n\r\n" + body)
        self._transport.close()  # after all of it is written, within the deadline


def _shown(tls: Any) -> bytes | None:
    """Return the certificates that a caller has shown in PEM, its own first; None where it has shown none."""
    if tls.getpeercert(binary_form=True) is None:
        return None
    shown = tls._sslobj.get_unverified_chain()  # Python before 3.13 has no public name for it
    return "".join(one.public_bytes() for one in shown).encode("ascii")


def _read(received: bytes) -> Request | str:
    """Return the request, or the error status for bytes that are no request."""
    first, *lines = received.decode("latin-1").replace("\r\n", "\n").split("\n")
    if len(received) > HEAD_BYTES_MAX:
        return "414 URI Too Long" if len(first) > HEAD_BYTES_MAX // 2 else "431 Request Header Fields Too Large"
    method, _, rest = first.partition(" ")
    target, _, protocol = rest.rpartition(" ")
    if not method or not target or not protocol.startswith("HTTP/"):
        return "400 Bad Request"
    if not protocol.startswith("HTTP/1."):
        return "505 HTTP Version Not Supported"
    headers: dict[str, str] = {}
    for name, _, value in (line.partition(":") for line in lines if line):
        key, known = name.strip().lower(), headers.get(name.strip().lower())
        # Several of one name are one with all values (RFC 9110, section 5.3): of two authorizations none may be chosen.
        headers[key] = value.strip() if known is None else f"{known}, {value.strip()}"
    return Request(method, target.partition("?")[0], headers)
