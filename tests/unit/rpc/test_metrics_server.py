"""The page for operations: nobody who holds it keeps others from it, and nobody makes it cost more than its share."""

import gzip
import json
import os
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection

import pytest

from onecode_server.rpc import http_listener
from onecode_server.rpc import metrics_server as observation
from onecode_server.rpc.http_listener import CONNECTIONS_MAX, HEAD_BYTES_MAX, HttpListener
from onecode_server.rpc.metrics_server import MetricsServer

WAIT_S = 60
"""Only a machine that is busy with other things takes as long."""

Start = Callable[..., int]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a page, and return its port."""
    pages = []

    def start(render=lambda _: b"a 1\n", report=lambda: {"serving": True}) -> int:
        pages.append(MetricsServer(render, report))
        return pages[-1].start("127.0.0.1", 0)

    yield start
    for page in pages:
        page.stop()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)


def get(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    connection = HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


def is_closed(caller: socket.socket) -> bool:
    """Wait until a caller is hung up on."""
    try:
        return caller.recv(1) == b""
    except ConnectionResetError:
        return True


def test_callers_who_say_nothing_keep_nobody_from_the_page(start: Start):
    port, silent = start(), []
    for _ in range(3 * CONNECTIONS_MAX):
        silent.append(connect(port))
        assert get(port, "/healthz")[0] == 200
    for caller in silent[:CONNECTIONS_MAX]:  # the first of them gave way
        assert is_closed(caller)
    for caller in silent:
        caller.close()


def test_a_caller_who_asks_slowly_gives_way_to_those_who_ask(start: Start):
    port = start()
    with connect(port) as slow:
        slow.sendall(b"GET /healthz HT")
        for _ in range(2 * CONNECTIONS_MAX):
            assert get(port, "/healthz")[0] == 200
        slow.sendall(b"TP/1.0\r\n\r\n")  # they were gone before places were short
        assert slow.recv(100).startswith(b"HTTP/1.0 200")


def test_health_does_not_wait_for_metrics(start: Start):
    has_begun, may_end = threading.Event(), threading.Event()

    def render(_: bool) -> bytes:
        has_begun.set()
        assert may_end.wait(WAIT_S)
        return b"a 1\n"

    port, answers = start(render), []
    scrape = threading.Thread(target=lambda: answers.append(get(port, "/metrics")))
    scrape.start()
    assert has_begun.wait(WAIT_S)
    for _ in range(2 * CONNECTIONS_MAX):
        assert get(port, "/healthz")[0] == 200
    assert answers == []
    may_end.set()
    scrape.join()
    assert answers[0][:2] == (200, b"a 1\n")


def test_scrapes_that_wait_get_the_next_page_together_and_none_that_was_begun_before(start: Start, monkeypatch):
    may_end, has_begun, wait = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)
    rendered: list[int] = []
    answers: list[int] = []
    next_page = observation._Pages.next

    def render(_: bool) -> bytes:
        rendered.append(len(rendered) + 1)
        has_begun.release()
        assert may_end.wait(WAIT_S)
        return str(len(rendered)).encode()

    async def counted(pages: observation._Pages, *asked: bool) -> bytes:
        wait.release()
        return await next_page(pages, *asked)

    monkeypatch.setattr(observation._Pages, "next", counted)
    port = start(render)
    scrapes = [threading.Thread(target=lambda: answers.append(int(get(port, "/metrics")[1]))) for _ in range(8)]
    scrapes[0].start()
    assert has_begun.acquire(timeout=WAIT_S)
    for scrape in scrapes[1:]:
        scrape.start()
    for _ in scrapes:
        assert wait.acquire(timeout=WAIT_S)
    assert rendered == [1]  # no second one beside it
    may_end.set()
    for scrape in scrapes:
        scrape.join()
    assert (rendered, sorted(answers)) == ([1, 2], [1, 2, 2, 2, 2, 2, 2, 2])


def test_after_a_page_scrapes_wait_for_as_long_as_its_share_asks(start: Start, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(observation, "PAUSE_MAX_S", 3600)
    monkeypatch.setattr(observation, "RENDERING_SHARE", 1e-9)
    rendered: list[int] = []

    def render(_: bool) -> bytes:
        rendered.append(sum(range(10_000)))
        return b""

    port = start(render)
    assert get(port, "/metrics")[0] == 200
    with connect(port) as second:
        second.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert get(port, "/healthz")[0] == 200
        assert is_closed(second)  # by its own bound: the pause of this test is longer
    assert len(rendered) == 1


def test_a_caller_is_hung_up_on_in_time_however_he_says_nothing(start: Start, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http_listener, "REQUEST_TIMEOUT_S", 2.0)  # time enough to send and read a byte
    port = start(lambda _: b"x" * 50_000_000)
    with connect(port) as takes_nothing:
        takes_nothing.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert takes_nothing.recv(1) == b"H"
        with connect(port) as silent:  # the later one, which is hung up on later
            assert is_closed(silent)
        taken = 0
        try:
            while received := takes_nothing.recv(1 << 16):
                taken += len(received)
        except ConnectionResetError:
            pass
        assert taken < 50_000_000


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\r\n\r\n", 400),
        (b"GET\n\n", 400),
        (b"GET /metrics\n\n", 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (b"a" * (HEAD_BYTES_MAX + 1), 414),
        (b"GET / HTTP/1.0\n".ljust(HEAD_BYTES_MAX + 1, b"a"), 431),
    ],
)
def test_what_is_no_request_is_refused(start: Start, sent: bytes, status: int):
    port = start()
    with connect(port) as caller:
        caller.sendall(sent)
        assert caller.recv(100).startswith(f"HTTP/1.0 {status} ".encode())
    assert get(port, "/healthz")[0] == 200


def test_formats_encodings_and_methods_are_those_that_monitoring_systems_ask_for(start: Start):
    port = start(lambda is_openmetrics: b"# EOF\n" if is_openmetrics else b"a 1\n")
    status, page, headers = get(port, "/metrics?name[]=a")
    assert (status, page, headers["Content-Type"]) == (200, b"a 1\n", "text/plain; version=0.0.4; charset=utf-8")
    accepted = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5"
    _, page, headers = get(port, "/metrics", Accept=accepted, **{"Accept-Encoding": "gzip"})
    assert (gzip.decompress(page), headers["Content-Encoding"]) == (b"# EOF\n", "gzip")
    assert headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    status, page, headers = get(port, "/metrics", "HEAD")
    assert (status, page, headers["Content-Length"]) == (200, b"", "4")
    paths = ("/metrics", "/healthz", "/readyz", "/")
    assert [get(port, path, "POST")[0] for path in paths] == [405, 405, 405, 404]


@pytest.mark.parametrize(
    ("report", "health", "ready"),
    [
        ({"serving": True}, 200, 200),
        ({"serving": False}, 503, 503),
        ({"serving": True, "ready": True}, 200, 200),
        ({"serving": False, "ready": True}, 503, 200),
        ({"serving": False, "ready": False}, 503, 503),
    ],
)
def test_a_server_is_ready_while_any_worker_serves(start: Start, report: dict[str, bool], health: int, ready: int):
    port = start(report=lambda: report)
    assert get(port, "/healthz")[0] == health
    status, body, _ = get(port, "/readyz")
    assert (status, json.loads(body)) == (ready, {"ready": ready == 200})


def test_a_report_that_fails_is_logged_and_the_page_goes_on(start: Start, caplog: pytest.LogCaptureFixture):
    port = start(report=dict)
    assert [get(port, "/healthz")[0], get(port, "/metrics")[0]] == [500, 200]
    assert [record.getMessage() for record in caplog.records] == ["unexpected failure: KeyError"]


def test_a_caller_who_cannot_be_accepted_is_tried_now_and_then_and_answered_once_he_can(start: Start, monkeypatch):
    tried, pauses, pause = threading.Semaphore(0), set(), HttpListener._pause

    def noted(listener: HttpListener, seconds: float) -> None:
        if seconds > http_listener.ACCEPT_PAUSE_MAX_S:
            pauses.add(seconds)
            tried.release()
        pause(listener, seconds)

    monkeypatch.setattr(HttpListener, "_pause", noted)
    port, limits = start(), resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as caller:
        free = os.open(os.devnull, os.O_RDONLY)  # the lowest there is
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
        try:
            caller.connect(("127.0.0.1", port))
            caller.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            for _ in range(3):
                assert tried.acquire(timeout=WAIT_S)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert caller.recv(100).startswith(b"HTTP/1.0 200")
    assert pauses == {http_listener.ACCEPT_AGAIN_S}
    assert get(port, "/healthz")[0] == 200
