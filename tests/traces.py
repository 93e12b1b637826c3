"""A collector of traces for tests: a real OTLP receiver over HTTP, on loopback."""

import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Collector:
    """Receives spans. ``hangs`` keeps every request waiting until the collector is closed."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.requests: list[bytes] = []
        self._released = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if hangs:
                    collector._released.wait()
                if self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf":
                    collector.requests.append(body)
                    answer = ExportTraceServiceResponse().SerializeToString()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                else:
                    self.send_error(400)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def resources(self) -> Iterator[Any]:
        """Yield what was received, by the server that sent it."""
        for body in list(self.requests):
            yield from ExportTraceServiceRequest.FromString(body).resource_spans

    def spans(self) -> list[Any]:
        """Return all spans that were received."""
        return [span for resource in self.resources() for scope in resource.scope_spans for span in scope.spans]


def attributes_of(pairs: Sequence[Any]) -> dict[str, Any]:
    """Return attributes as OTLP has them."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
