"""Serves ``/metrics`` for Prometheus, ``/healthz`` for people, and ``/readyz`` for what sends callers, over HTTP.

Requests are answered on a separate thread with its own event loop. Metrics are rendered on a second thread, so that
health does not wait for them.
"""

import asyncio
import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from onecode_server.errors import Misconfigured, NotPermitted, NotServing, OnecodeError, Unauthenticated
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.http_listener import Answer, HttpListener, Request
from onecode_server.rpc.page_authorizer import PageAuthorizer
from onecode_server.rules.authorisation import Right
from onecode_server.telemetry.counting import LoopCounter

RENDERING_SHARE: Final = 0.05
"""The largest share of the time for rendering, for any number of callers: it holds the GIL, which scans need. A request
in the pause after a page waits for the next page, so that no page is older than its request."""
PAUSE_MAX_S: Final = 1.0
BACKLOG: Final = 1024
"""The length of the kernel's queue of connections. Where it is full, a caller's first packet is dropped, and sent again
after seconds. Some 400 connections are accepted in a second, so that a health check is answered within 3 s even while
other callers connect in a loop."""
STOP_S: Final = 5.0
"""The time for the thread to end, which takes it milliseconds; after that the process ends without it."""

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS: Final = "application/openmetrics-text"
_PLAIN: Final = {"Content-Type": "text/plain"}
_RIGHTS: Final = {"/metrics": Right.READ_METRICS, "/healthz": Right.READ_HEALTH, "/readyz": Right.READ_HEALTH}

_log = logging.getLogger(__name__)


class MetricsServer:
    """Serves metrics, and a report whose ``serving`` is true while all is well. Its ``ready`` is true while any worker
    answers calls; a server of one process has none, and is ready while it serves.

    ``render`` is called with whether OpenMetrics is requested rather than Prometheus's text format. ``authorizer`` says
    who may see what, all may without one; ``refused`` counts who may not, by reason, on one thread and nowhere else.
    All functions are called from other threads.
    """

    def __init__(
        self,
        render: Callable[[bool], bytes],
        report: Callable[[], dict[str, Any]],
        authorizer: PageAuthorizer | None = None,
        refused: LoopCounter | None = None,
    ) -> None:
        self._pages = _Pages(render)
        self._report = report
        self._refused = refused
        self._authorizer = authorizer or PageAuthorizer(OnlyLocal())
        self._loop: asyncio.AbstractEventLoop
        self._stopped: asyncio.Event
        self._thread: threading.Thread | None = None

    def start(self, host: str, port: int) -> int:
        """Listen, and return the port. Raises Misconfigured where the address cannot be bound."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as fault:
            raise Misconfigured(f"cannot serve metrics on {host}:{port}: {fault.strerror}") from None
        self._loop, self._stopped = asyncio.new_event_loop(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, args=(listening,), name="observation", daemon=True)
        self._thread.start()
        return int(listening.getsockname()[1])

    def stop(self) -> None:
        """Stop listening."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(STOP_S)

    def _run(self, listening: socket.socket) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(listening))

    async def _serve(self, listening: socket.socket) -> None:
        listener = HttpListener(listening, self._answer, self._authorizer.tls)
        await self._stopped.wait()
        listener.close()
        self._pages.close()

    async def _answer(self, request: Request) -> Answer:
        try:
            return await self._page(request)
        except Exception as bug:
            _log.error("unexpected failure: %s", type(bug).__name__, extra={"page": "observation"})
            return Answer("500 Internal Server Error", _PLAIN, b"an unexpected failure, which the server has logged\n")

    async def _page(self, request: Request) -> Answer:
        if request.path not in _RIGHTS:
            return Answer("404 Not Found", _PLAIN, b"the paths are /metrics, /healthz and /readyz\n")
        if request.method not in ("GET", "HEAD"):
            return Answer("405 Method Not Allowed", {**_PLAIN, "Allow": "GET, HEAD"}, b"only GET and HEAD\n")
        try:
            self._authorizer.expect(request, _RIGHTS[request.path])
        except (Unauthenticated, NotPermitted, NotServing) as refused:
            if _RIGHTS[request.path] is Right.READ_HEALTH and self._authorizer.answers_health:
                return self._readiness() if request.path == "/readyz" else _flag("serving", self._report()["serving"])
            if self._refused is not None:
                self._refused.labels(_reason(refused)).inc()
            return _refusal(refused)
        if request.path == "/healthz":
            report = self._report()
            return _health(report, report["serving"])
        if request.path == "/readyz":
            return self._readiness()
        is_openmetrics = _OPENMETRICS in request.headers.get("accept", "")
        is_packed = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"Content-Type": f"{_OPENMETRICS}; version=1.0.0; charset=utf-8" if is_openmetrics else _TEXT}
        if is_packed:
            headers["Content-Encoding"] = "gzip"
        return Answer("200 OK", headers, await self._pages.next(is_openmetrics, is_packed))

    def _readiness(self) -> Answer:
        report = self._report()
        return _flag("ready", report.get("ready", report["serving"]))


def _flag(name: str, is_well: bool) -> Answer:
    return _health({name: is_well}, is_well)


def _health(report: dict[str, Any], is_well: bool) -> Answer:
    status = "200 OK" if is_well else "503 Service Unavailable"
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(report, indent=2).encode() + b"\n")


def _reason(refused: OnecodeError) -> str:
    if isinstance(refused, Unauthenticated):
        return refused.reason
    return "NOT_SERVING" if isinstance(refused, NotServing) else "NOT_PERMITTED"


def _refusal(refused: OnecodeError) -> Answer:
    text = f"{refused}\n".encode()
    if isinstance(refused, Unauthenticated):
        return Answer("401 Unauthorized", {**_PLAIN, "WWW-Authenticate": "Bearer"}, text)
    if isinstance(refused, NotServing):  # no trust list tells yet whether the caller's region exists
        return Answer("503 Service Unavailable", _PLAIN, text)
    return Answer("403 Forbidden", _PLAIN, text)


class _Pages:
    """Pages of metrics: one is rendered at a time, and all requests that wait for it get the same page."""

    def __init__(self, render: Callable[[bool], bytes]) -> None:
        self._render = render
        self._thread = ThreadPoolExecutor(1, "metrics")
        self._turn = asyncio.Lock()
        self._next: dict[tuple[bool, bool], asyncio.Task[bytes]] = {}  # by format, and whether it is packed
        self._pause_ends_s = 0.0

    def close(self) -> None:
        self._thread.shutdown(wait=False)

    async def next(self, is_openmetrics: bool, is_packed: bool) -> bytes:
        """Return the next page that is rendered."""
        variant = is_openmetrics, is_packed
        if variant not in self._next:
            self._next[variant] = asyncio.create_task(self._made(variant))
        return await asyncio.shield(self._next[variant])  # a caller that leaves must not cancel it for the others

    async def _made(self, variant: tuple[bool, bool]) -> bytes:
        async with self._turn:
            await asyncio.sleep(self._pause_ends_s - time.monotonic())
            del self._next[variant]  # later requests may expect values that this page lacks
            page, spent_s = await asyncio.get_running_loop().run_in_executor(self._thread, self._timed, variant)
            self._pause_ends_s = time.monotonic() + min(spent_s * (1 / RENDERING_SHARE - 1), PAUSE_MAX_S)
        return page

    def _timed(self, variant: tuple[bool, bool]) -> tuple[bytes, float]:
        started_s = time.thread_time()
        is_openmetrics, is_packed = variant
        page = self._render(is_openmetrics)
        return gzip.compress(page, 1) if is_packed else page, time.thread_time() - started_s
