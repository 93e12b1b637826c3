"""A worker that ends is replaced, the port stays the server's, and where none can start the server says why."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import START_S, Deployment, Server, command, eventually
from tests.integration.several_workers import (
    CONNECTIONS,
    HANDLED,
    RESPAWNED_S,
    VERIFY,
    pids,
    runs,
    verify_on_each,
)

Serve = Callable[..., Server]


def test_a_killed_worker_is_replaced_and_nothing_that_was_counted_is_lost(pair: Server, deployment: Deployment):
    code, before = deployment.issue("420000")[0], pids(pair)
    verify_on_each(pair, code)
    eventually(lambda: pair.samples(HANDLED)["OK", *VERIFY] == CONNECTIONS, 30)
    counted: float = CONNECTIONS
    os.kill(before["0"], signal.SIGKILL)
    eventually(lambda: not runs(before["0"]), 10)
    request = pb.VerifyRequest(code=code, host_region="110000")
    for _ in range(10):  # while one is away, the other takes all new connections
        # One that stood in the dead worker's queue while its last threads ended is reset: callers connect once more.
        answer = pair.stub().Verify(request, timeout=30, wait_for_ready=True)
        assert answer.verdict.decision == pb.DECISION_ADMIT
        shown = pair.samples(HANDLED)["OK", *VERIFY]
        assert shown >= counted
        counted = shown
    eventually(lambda: pair.healthz()[1]["serving"], RESPAWNED_S)
    after = pids(pair)
    assert (after["1"], after["0"] != before["0"]) == (before["1"], True)
    assert pair.samples("onecode_worker_restarts_total") == {("0",): 1, ("1",): 0}
    verify_on_each(pair, code)
    eventually(lambda: pair.samples(HANDLED)["OK", *VERIFY] == 2 * CONNECTIONS + 10, 30)
    (entry,) = [line for line in pair.log() if line["message"].startswith("a worker has ended")]
    assert (entry["worker"], entry["status"], entry["signal"]) == (0, -signal.SIGKILL, "SIGKILL")


def test_all_workers_may_die_again_and_again_and_the_port_stays_the_servers(pair: Server, deployment: Deployment):
    code = deployment.issue("420000")[0]
    for _ in range(3):
        for pid in pids(pair).values():
            with suppress(TypeError, ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGKILL)
        given = ("--listen", pair.address, "--metrics", "127.0.0.1:0", "--workers", 1)
        second = command("serve", "--data-dir", deployment.path, *given)
        assert (second.status, second.out) == (2, "")
        eventually(lambda: pair.healthz()[1]["serving"], RESPAWNED_S)
    assert pair.verify(code).verdict.decision == pb.DECISION_ADMIT
    assert pair.end() == 0


def test_a_worker_that_is_told_to_end_drains_and_is_replaced(pair: Server, deployment: Deployment):
    before = pids(pair)
    os.kill(before["0"], signal.SIGTERM)  # as one does to restart them one by one
    eventually(lambda: pids(pair)["0"] not in (None, before["0"]) and pair.healthz()[0] == 200, RESPAWNED_S)
    assert [line["status"] for line in pair.log() if "next_in_s" in line] == [0]
    assert pair.verify(deployment.issue("420000")[0]).verdict.decision == pb.DECISION_ADMIT


def test_a_server_whose_workers_cannot_start_says_once_why(deployment: Deployment):
    (deployment.path / "pseudonym.key").write_text("not a key")
    given = ("--data-dir", deployment.path, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    alone, several = (command("serve", *given, "--workers", workers) for workers in (1, 3))
    assert (several.status, several.out) == (alone.status, alone.out) == (2, "")
    assert [line for line in several.err.splitlines() if line.startswith("onecode: ")] == alone.err.splitlines()


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file: while it is there, workers end as soon as they start, as with a broken installation."""
    path, customs = tmp_path / "broken", tmp_path / "customs"
    customs.mkdir()
    (customs / "sitecustomize.py").write_text(
        "import os, sys\n"
        f"if 'onecode_server.workers.worker' in sys.orig_argv and os.path.exists({str(path)!r}):\n"
        "    os._exit(9)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(customs))
    return path


def test_a_server_whose_workers_end_without_a_word_gives_up(deployment: Deployment, broken: Path):
    broken.touch()
    given = ("--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--workers", 2)
    ended = command("serve", "--data-dir", deployment.path, *given)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.splitlines()[-1] == "onecode: no worker started: 3 in a row ended, the last with status 9"


def test_a_worker_that_cannot_start_any_more_is_tried_ever_more_seldom(deployment: Deployment, serve, broken: Path):
    server: Server = serve(deployment, "--workers", 2)
    broken.touch()
    os.kill(pids(server)["0"], signal.SIGKILL)
    waits = eventually(lambda: (found := waited(server))[3:] and found, 60)
    assert waits[:4] == [0.0, 0.5, 1.0, 2.0]
    code, (status, report) = deployment.issue("420000")[0], server.healthz()
    assert (status, report["workers"]["0"]["serving"], report["workers"]["1"]["serving"]) == (503, False, True)
    assert server.page_status("/readyz") == 200  # callers are sent to the worker that is left
    assert {server.verify(code).verdict.decision for _ in range(8)} == {pb.DECISION_ADMIT}
    broken.unlink()
    eventually(lambda: server.healthz()[0] == 200, START_S)
    assert server.end() == 0


def waited(server: Server) -> list[float]:
    """Return how long a slot waited after each of its workers, in seconds."""
    return [line["next_in_s"] for line in server.log() if "next_in_s" in line]
