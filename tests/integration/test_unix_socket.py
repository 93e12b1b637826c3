"""A server on a Unix socket: plaintext for its owner, as on loopback."""

import json
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.deployment import Deployment, Server, called, command, expect, record

Serve = Callable[..., Server]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def test_callers_on_a_unix_socket_may_do_all_and_it_is_gone_afterwards(
    deployment: Deployment, serve: Serve, path: Path
) -> None:
    server = serve(deployment, "--listen", f"unix:{path}", "--front", "auto")
    assert server.address == f"unix:{path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (code,) = deployment.issue("420000")
    assert server.verify(code).verdict.decision == 1
    file = deployment.path / "records.ndjson"
    file.write_text(json.dumps(record("420000", "RED", "wang")), "utf-8")
    assert "1 of 1" in expect(called("status", "publish", "--server", server.address, "--file", file))
    assert server.healthz()[1]["front"]["reason"] == "unix_socket"
    assert server.end() == 0
    assert not path.exists()


def test_a_second_server_on_the_same_socket_does_not_start_and_one_after_a_kill_does(
    deployment: Deployment, serve: Serve, path: Path
) -> None:
    first = serve(deployment, "--listen", f"unix:{path}")
    given = ("--listen", f"unix:{path}", "--metrics", "127.0.0.1:0")
    second = command("serve", "--data-dir", deployment.path, *given)
    assert (second.status, "another server does" in second.err) == (2, True)
    assert first.health() == "SERVING"
    first.end(signal.SIGKILL)
    assert serve(deployment, "--listen", f"unix:{path}").health() == "SERVING"
