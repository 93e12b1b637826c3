"""``/metrics`` for Prometheus and ``/healthz`` for people and container health checks, over HTTP.

One thread answers one request after the other, each within a bound: a scrape every few seconds needs no more, and
nobody can make it hold more.
"""

import json
import threading
from collections.abc import Callable, Iterable
from socketserver import BaseServer
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from onecode_server.errors import Misconfigured

REQUEST_TIMEOUT_S: Final = 5.0


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: a scrape is not news."""


class _Server6(WSGIServer):
    address_family = 10  # AF_INET6


class ObservationPage:
    """Serves a registry, and a report of which ``serving`` says whether all is well."""

    def __init__(self, registry: CollectorRegistry, report: Callable[[], dict[str, Any]]) -> None:
        self._metrics = make_wsgi_app(registry)
        self._report = report
        self._server: BaseServer | None = None

    def start(self, host: str, port: int) -> int:
        """Listen, and return the port. Raises Misconfigured where the address cannot be had."""
        kind = _Server6 if ":" in host else WSGIServer
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
