"""``onecode top`` against real servers: on a terminal and for scripts, over TLS, and as they come and go."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.deployment import ONECODE, Deployment, Server, called, eventually, expect, free_port
from tests.integration.identities import OPS, SCANNER, Identities
from tests.integration.several_workers import verify


def test_it_counts_what_a_server_does_between_two_readings(server: Server, code: bytes) -> None:
    stub, page = server.channel(), server.page
    watching = subprocess.Popen(
        [ONECODE, "top", page, "--json", "--interval", "0.5"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    said: dict[str, Any] = {}
    try:

        def busy() -> dict[str, Any]:
            verify(stub, code)
            assert watching.stdout is not None
            found: dict[str, Any] = json.loads(watching.stdout.readline())
            state = found["servers"][0]["state"]
            return found if state and state["codes_per_s"] else {}

        said = eventually(busy, within_s=60)
    finally:
        watching.send_signal(signal.SIGINT)
        _, err = watching.communicate(timeout=30)
    assert (watching.returncode, err) == (0, "")
    state = said["servers"][0]["state"]
    assert state == said["all"]
    assert state["verdicts_per_s"] == {"ADMIT": state["codes_per_s"], "CHECK": 0, "REFUSE": 0}
    assert state["latency_p99_s"] > 0
    assert state["trust_list_left_s"] > state["trust_list_age_s"] > 0
    assert state["front"]
    assert state["faults"] == []


def test_a_page_that_cannot_be_read_is_one_line_and_status_1(server: Server) -> None:
    gone = f"127.0.0.1:{free_port()}"
    ended = called("top", "--once", "--json", "--interval", "0.2", server.page, gone)
    assert (ended.status, ended.err) == (1, f"onecode: {gone}: Connection refused\n")
    up, down = json.loads(ended.out)["servers"]
    assert (up["up"], up["problem"]) == (True, None)
    assert down == {"server": gone, "up": False, "problem": "Connection refused", "state": None}


def test_a_mistake_is_one_line_and_status_2(tmp_path: Path) -> None:
    contexts = tmp_path / "contexts.toml"
    contexts.write_text('[here]\nserver = "127.0.0.1:1"\n')
    for arguments, says in (
        (("top", "nowhere"), "onecode: 'nowhere': expected HOST:PORT, http://HOST:PORT or https://HOST:PORT\n"),
        (("top", "--interval", "0"), "onecode: Invalid value for '--interval'"),
        (("top", *(f"a:{port}" for port in range(1, 66))), "onecode: 65 pages: at most 64 can be watched\n"),
        (("top", "--tls-ca", tmp_path / "none"), f"onecode: cannot read {tmp_path}/none: No such file"),
        (("--contexts-file", contexts, "--context", "here", "top"), "onecode: the context 'here' has no metrics"),
    ):
        ended = called(*arguments)
        assert (ended.status, ended.out) == (2, "")
        assert ended.err.startswith(says)
        assert ended.err.count("\n") == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_over_tls_ops_reads_by_certificate_by_token_and_by_context(
    deployment: Deployment, serve: Callable[..., Server], identities: Identities, tmp_path: Path, workers: int
) -> None:
    server = serve(deployment, *identities.flags("--metrics-tls", "true", "--workers", workers))
    ca, token = identities.client_ca, tmp_path / "ops.token"
    token.write_text(identities.token(OPS))
    cert, key = identities.leaf(OPS).write(tmp_path, "ops")
    contexts = tmp_path / "contexts.toml"
    contexts.write_text(
        f'[ops]\nmetrics = "{server.page}"\ntls_ca = "{ca}"\ntls_cert = "ops.crt"\ntls_key = "ops.key"\n'
    )
    reaching: tuple[tuple[object, ...], ...] = (
        ("top", server.page, "--tls-ca", ca, "--tls-cert", cert, "--tls-key", key),
        ("top", f"https://{server.page}/metrics", "--tls-ca", ca, "--token-file", token),
        ("--contexts-file", contexts, "--context", "ops", "top"),
    )
    for shown in reaching:
        (only,) = json.loads(expect(called(*shown, "--once", "--json", "--interval", "0.2")))["servers"]
        assert only["state"]["workers_serving"] == workers
        assert only["state"]["certificate_left_s"] > 0
    cert, key = identities.leaf(SCANNER).write(tmp_path, "gate")
    refused: tuple[tuple[tuple[object, ...], str], ...] = (
        (("--tls-ca", ca, "--tls-cert", cert, "--tls-key", key), "HTTP status 403: "),
        (("--tls-ca", ca), "HTTP status 401: "),
        ((), "is not HTTP, or was cut off"),
    )
    for shown, says in refused:
        ended = called("top", "--once", "--interval", "0.2", server.page, *shown)
        assert (ended.status, ended.err.count("\n")) == (1, 1)
        assert says in ended.err
    ended = called("top", "--once", "--interval", "0.2", f"https://{server.page}")
    assert (ended.status, "its certificate is not trusted" in ended.err) == (1, True)


def test_a_server_that_goes_is_shown_as_down_and_comes_back(
    deployment: Deployment, serve: Callable[..., Server]
) -> None:
    page = f"127.0.0.1:{free_port()}"
    first = serve(deployment, "--metrics", page)
    screen = Screen(page, "--interval", "0.2")
    try:
        eventually(lambda: screen.shows("all up"), within_s=60)
        assert first.end() == 0
        eventually(lambda: screen.shows("1 down"), within_s=30)
        serve(deployment, "--metrics", page)
        eventually(lambda: screen.shows("all up"), within_s=60)
    finally:
        status = screen.end()
    assert status == 0


class Screen:
    """The command on a terminal of 80 by 24."""

    def __init__(self, *arguments: object) -> None:
        self._leader, follower = pty.openpty()
        given = os.environ | {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
        self._process = subprocess.Popen(
            [ONECODE, "top", *map(str, arguments)], stdin=follower, stdout=follower, stderr=follower, env=given
        )
        os.close(follower)
        self._last = ""

    def shows(self, text: str) -> bool:
        """Read what has been written, and tell whether the last screen that came has a text."""
        while select.select([self._leader], [], [], 0)[0]:
            self._last = (self._last + os.read(self._leader, 65_536).decode(errors="replace"))[-8192:]
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._last)
        return text in plain[plain.rfind("onecode top") :]

    def end(self) -> int:
        """End it as a person would, and return its status."""
        self._process.send_signal(signal.SIGINT)
        deadline_s = time.monotonic() + 30
        while self._process.poll() is None and time.monotonic() < deadline_s:
            with suppress(OSError):  # it has closed the terminal
                self.shows("")  # else it waits for somebody to read
            time.sleep(0.02)
        self._process.kill()
        status = self._process.wait()
        os.close(self._leader)
        return status
