"""A worker that lives but does not answer is replaced; one that was stopped together with its supervisor is not."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_server.workers.slot import SILENT_S

from tests.integration.deployment import START_S, Deployment, Server, eventually
from tests.integration.several_workers import pids, runs

Serve = Callable[..., Server]


def test_a_worker_that_does_not_answer_is_killed_and_replaced(pair: Server, deployment: Deployment):
    code, before = deployment.issue("420000")[0], pids(pair)
    os.kill(before["0"], signal.SIGSTOP)  # it lives, and says nothing: a loop that hangs, a disk that does not answer
    eventually(lambda: not runs(before["0"]), SILENT_S + START_S)
    eventually(lambda: pair.healthz()[0] == 200, START_S)
    after = pids(pair)
    assert (after["1"], after["0"] != before["0"]) == (before["1"], True)
    assert {pair.verify(code).verdict.decision for _ in range(8)} == {pb.DECISION_ADMIT}
    (silent,) = [line for line in pair.log() if "does not answer" in line["message"]]
    assert (silent["level"], silent["worker"], silent["pid"]) == ("error", 0, before["0"])
    (ended,) = [line for line in pair.log() if "next_in_s" in line]
    assert (ended["worker"], ended["status"], ended["signal"]) == (0, -signal.SIGKILL, "SIGKILL")
    assert pair.samples("onecode_worker_restarts_total") == {("0",): 1, ("1",): 0}
    assert pair.end() == 0


def test_a_server_that_was_stopped_as_a_whole_goes_on_with_its_workers(pair: Server, deployment: Deployment):
    code, before = deployment.issue("420000")[0], pids(pair)
    everything = [pair.process.pid, *before.values()]
    for pid in everything:  # as a machine that is suspended, or a container that is paused
        os.kill(pid, signal.SIGSTOP)
    time.sleep(SILENT_S + 2)
    for pid in everything:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: pair.healthz()[0] == 200, START_S)
    assert {pair.verify(code).verdict.decision for _ in range(8)} == {pb.DECISION_ADMIT}
    time.sleep(2)  # two more looks at them
    assert (pids(pair), [line for line in pair.log() if line["level"] == "error"]) == (before, [])
    assert pair.end() == 0


def test_a_server_of_one_process_whose_loop_hangs_does_not_call_itself_healthy(
    deployment: Deployment, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    go_on = tmp_path / "go-on"
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, time\n"
        "def hang(*_):\n"  # where the event loop runs
        f"    while not os.path.exists({str(go_on)!r}): time.sleep(0.05)\n"
        "signal.signal(signal.SIGUSR1, hang)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = serve(deployment)
    assert server.healthz()[0] == 200
    # It counts as one worker, so that OnecodeNotServing sees it.
    assert server.samples("onecode_serving_workers") == {(): 1}
    assert server.samples("onecode_worker_restarts_total") == {("0",): 0}
    server.process.send_signal(signal.SIGUSR1)
    eventually(lambda: server.healthz()[0] == 503, SILENT_S + START_S)
    assert server.page_status("/readyz") == 503
    assert server.samples("onecode_serving_workers") == {(): 0}
    assert server.healthz()[1]["silent_s"] >= SILENT_S
    go_on.touch()
    eventually(lambda: server.healthz()[0] == 200, START_S)
    assert server.end() == 0
