"""With proxies in the environment, what runs on this machine reaches what runs on this machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.deployment import Deployment, Server, command, expect
from tests.integration.test_other_clients import GO_CLIENT
from tests.proxies import CountingProxy

ROOT = Path(__file__).parents[2]


@pytest.fixture
def proxy() -> Iterator[CountingProxy]:
    with CountingProxy() as listening:
        yield listening


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_commands_reach_a_server(proxy: CountingProxy, server: Server, shared: Deployment, host: str) -> None:
    where = ("--server", server.address.replace("127.0.0.1", host))
    code = shared.issue("420000")[0].decode()
    asked: tuple[tuple[object, ...], ...] = (
        ("verify", *where, "--host", "440000", code),
        ("translate", *where, "--to", "440000", code),
        ("status", "get", *where, "--region", "420000", "--id", "nobody"),
        ("exception", "list", *where),
    )
    for arguments in asked:
        expect(command(*arguments, **proxy.environment))
    assert proxy.asked == []


@pytest.mark.timeout(300)
def test_the_demonstration_runs(proxy: CountingProxy) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        env=os.environ | proxy.environment,
        capture_output=True,
        text=True,
        timeout=290,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert proxy.asked == []


@pytest.mark.skipif(not GO_CLIENT.exists(), reason="the Go client is not built: run 'make go-client' (needs Go)")
def test_so_does_the_go_client(proxy: CountingProxy, server: Server, shared: Deployment) -> None:
    asked = [str(GO_CLIENT), "--server", server.address, "--host", "440000", shared.issue("420000")[0].decode()]
    ended = subprocess.run(asked, env=os.environ | proxy.environment, capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr, proxy.asked) == (0, b"", [])
