"""Told to end by any of the signals that service managers, containers and terminals send, at any time."""

import os
import pty
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import END_S, LOOPBACK, ONECODE, START_S, Deployment, Server, eventually
from tests.integration.several_workers import RESPAWNED_S, STARTED, VERIFY, pids

Serve = Callable[..., Server]


@pytest.mark.parametrize("workers", [1, 2])
def test_sighup_drains(deployment: Deployment, serve: Serve, workers: int):
    server = serve(deployment, "--workers", workers)
    request = pb.BatchVerifyRequest(codes=deployment.issue("420000", count=1000) * 4, host_region="110000")
    calls = [server.stub().BatchVerify.future(request, timeout=60) for _ in range(4)]
    eventually(lambda: server.samples(STARTED).get(("BatchVerify", *VERIFY[1:])) == 4, 30)
    server.process.send_signal(signal.SIGHUP)
    for call in calls:
        assert {verdict.decision for verdict in call.result().verdicts} == {pb.DECISION_ADMIT}
    assert server.end() == 0
    assert "draining" in {line["message"] for line in server.log()}


def test_a_worker_drains_at_sighup_and_is_replaced(pair: Server):
    before = pids(pair)
    os.kill(before["0"], signal.SIGHUP)
    eventually(lambda: pids(pair)["0"] not in (None, before["0"]) and pair.healthz()[0] == 200, RESPAWNED_S)
    assert [line["status"] for line in pair.log() if "next_in_s" in line] == [0]


def test_a_server_whose_terminal_is_closed_drains(deployment: Deployment):
    ours, terminal = pty.openpty()
    command = [ONECODE, "serve", "--data-dir", str(deployment.path), *LOOPBACK, "--workers", "1"]
    # setsid(1) makes the terminal that of the server's own session, as a login does.
    server = subprocess.Popen(["setsid", "--ctty", *command], stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    try:
        shown = b""
        while b"ready grpc=" not in shown:
            shown += os.read(ours, 4096)
        os.close(ours)
        assert server.wait(END_S) == 0
    finally:
        server.kill()
        server.wait()


def test_under_nohup_it_serves_on(deployment: Deployment, serve: Serve, monkeypatch: pytest.MonkeyPatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what is ignored is so in a process that is started, too
    try:
        server = serve(deployment)
    finally:
        signal.signal(signal.SIGHUP, before)
    server.process.send_signal(signal.SIGHUP)
    assert server.verify(deployment.issue("420000")[0]).verdict.decision == pb.DECISION_ADMIT
    assert server.end() == 0


@pytest.fixture
def importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is there once a server imports the first library that is not Python's own, where it stays then."""
    path, customs = tmp_path / "importing", tmp_path / "customs"
    customs.mkdir()
    (customs / "sitecustomize.py").write_text(
        "import pathlib, sys, time\n"
        "class Stop:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'click':\n"
        f"            pathlib.Path({str(path)!r}).touch()\n"
        f"            time.sleep({START_S + END_S})\n"
        "if 'serve' in sys.orig_argv:\n"
        "    sys.meta_path.insert(0, Stop())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(customs))
    return path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_told_to_end_while_it_imports_it_ends_well(deployment: Deployment, serve: Serve, importing: Path, number: int):
    server = serve(deployment, await_ready=False)
    eventually(importing.exists, START_S)
    assert server.end(number) == 0


def test_process_1_of_a_container_ends_when_told_in_its_first_moments(deployment: Deployment, importing: Path):
    isolated = ["unshare", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*isolated, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a PID namespace needs root, or a system that lets users make some")
    outer = subprocess.Popen([*isolated, ONECODE, "serve", "--data-dir", deployment.path, *LOOPBACK])
    try:
        eventually(importing.exists, START_S)
        (first,) = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        os.kill(int(first), signal.SIGTERM)
        assert outer.wait(END_S) == 0
    finally:
        outer.kill()
        outer.wait()
