"""The page for operations where no descriptor is left to accept its callers with."""

import os
import resource
import socket
from threading import Semaphore
from urllib.request import urlopen

from prometheus_client import CollectorRegistry

from onecode_server.rpc import observation
from onecode_server.rpc.observation import ObservationPage


def test_a_caller_who_cannot_be_accepted_is_tried_now_and_then_and_answered_once_he_can(monkeypatch):
    tried, pauses = Semaphore(0), []
    page = ObservationPage(CollectorRegistry(), lambda: {"serving": True})
    port = page.start("127.0.0.1", 0)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        tried.release()

    monkeypatch.setattr(observation.time, "sleep", pause)
    with socket.socket() as caller:
        free = os.open(os.devnull, os.O_RDONLY)  # the lowest there is
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
        try:
            caller.connect(("127.0.0.1", port))
            caller.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            for _ in range(3):
                assert tried.acquire(timeout=20)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert caller.recv(100).startswith(b"HTTP/1.0 200")
    assert set(pauses) == {observation.ACCEPT_AGAIN_S}
    with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=20) as answer:
        assert answer.status == 200
    page.stop()
