"""``/metrics`` for Prometheus and ``/healthz`` for people and container health checks, over HTTP.

One thread answers one request after the other, each within a bound: a scrape every few seconds needs no more, and
nobody can make it hold more.
"""

import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from socketserver import BaseServer
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from onecode_server.errors import Misconfigured

REQUEST_TIMEOUT_S: Final = 5.0
ACCEPT_AGAIN_S: Final = 0.5
"""Without a pause, a connection that cannot be accepted would keep a core busy, which is the event loop's."""

_log = logging.getLogger(__name__)


class _Handler(WSGIRequestHandler):
    def handle(self) -> None:
        """Answer, or hang up: a timeout of each read would let whoever sends a byte now and then stay for ever."""
        deadline = threading.Timer(REQUEST_TIMEOUT_S, self._hang_up)
        deadline.daemon = True
        deadline.start()
        try:
            super().handle()
        finally:
            deadline.cancel()

    def _hang_up(self) -> None:
        with suppress(OSError):  # the caller was quicker
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: a scrape is not news."""


class _Server(WSGIServer):
    def get_request(self) -> Any:
        """Accept a connection. Raises OSError, which the base class passes over: it is tried again soon."""
        try:
            return super().get_request()
        except OSError:  # no descriptor is left: the connection stays in the kernel's queue, and is ready all the time
            time.sleep(ACCEPT_AGAIN_S)
            raise

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log in one line what the base class prints as a traceback: mostly, that a caller went away."""
        _log.info("a request was not answered: %s", type(sys.exception()).__name__)


class _Server6(_Server):
    address_family = socket.AF_INET6


class ObservationPage:
    """Serves a registry, and a report of which ``serving`` says whether all is well."""

    def __init__(self, registry: CollectorRegistry, report: Callable[[], dict[str, Any]]) -> None:
        self._metrics = make_wsgi_app(registry)
        self._report = report
        self._server: BaseServer | None = None

    def start(self, host: str, port: int) -> int:
        """Listen, and return the port. Raises Misconfigured where the address cannot be had."""
        kind = _Server6 if ":" in host else _Server
        try:
            server = make_server(host, port, self._answer, server_class=kind, handler_class=_Handler)
        except OSError as fault:
            raise Misconfigured(f"cannot serve metrics on {host}:{port}: {fault.strerror}") from None
        self._server = server
        threading.Thread(target=server.serve_forever, name="observation", daemon=True).start()
        return int(server.server_port)

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            return self._page(environ, start_response)
        except Exception as bug:
            _log.error("unexpected failure: %s", type(bug).__name__, extra={"page": "observation"})
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"an unexpected failure, which the server has logged\n"]

    def _page(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        if path != "/healthz":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"there are /metrics and /healthz here\n"]
        report = self._report()
        status = "200 OK" if report["serving"] else "503 Service Unavailable"
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(report, indent=2).encode() + b"\n"]
