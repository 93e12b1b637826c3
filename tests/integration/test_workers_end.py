"""Several workers end together: when the server is told to, when one does not, when its supervisor is killed."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import END_S, START_S, Deployment, Server, eventually
from tests.integration.several_workers import STARTED, VERIFY, listeners, pids, runs, sockets
from tests.integration.slow_reader import Offer, scan

Serve = Callable[..., Server]


def test_calls_that_run_on_any_worker_when_the_server_is_told_to_end_are_answered(pair: Server, deployment: Deployment):
    request = pb.BatchVerifyRequest(codes=deployment.issue("420000", count=1000) * 4, host_region="110000")
    started = ("BatchVerify", *VERIFY[1:])
    # As many as one worker's queue has room for, since all connections may be one worker's.
    calls = [pair.stub().BatchVerify.future(request, timeout=60) for _ in range(4)]
    eventually(lambda: pair.samples(STARTED).get(started) == 4, 30)
    before = pids(pair)
    pair.process.send_signal(signal.SIGTERM)
    for call in calls:
        assert {verdict.decision for verdict in call.result().verdicts} == {pb.DECISION_ADMIT}
    assert pair.end() == 0
    assert not any(map(runs, before.values()))
    assert {line.get("worker") for line in pair.log() if line["message"] == "draining"} == {None, 0, 1}


def test_a_worker_that_does_not_end_when_told_is_killed(deployment: Deployment, serve: Serve):
    server = serve(deployment, "--workers", 2, "--drain-s", 0)
    before = pids(server)
    os.kill(before["1"], signal.SIGSTOP)
    assert server.end() == 1  # calls may have been cut off: whoever ended the server is told
    assert not any(map(runs, before.values()))
    (killed,) = [line for line in lines(server) if "were killed" in line["message"]]
    assert (killed["level"], killed["workers"]) == ("error", 1)
    (ended,) = [line for line in lines(server) if "did not end cleanly" in line["message"]]
    assert (ended["worker"], ended["status"], ended["signal"]) == (1, -signal.SIGKILL, "SIGKILL")


def test_a_worker_that_dies_as_it_drains_makes_the_servers_end_a_failure(deployment: Deployment, serve: Serve):
    server = serve(deployment, "--workers", 2, "--drain-s", 300)
    code, before = deployment.issue("420000")[0], pids(server)
    offer = Offer(lambda n: pb.StreamVerifyRequest(request_id=n, code=code, host_region="440000"))
    answers = scan(server, offer)  # nobody reads them, so that the stream's worker drains for long
    eventually(offer.is_held_back, 60)
    server.process.send_signal(signal.SIGTERM)
    eventually(lambda: sum(map(runs, before.values())) == 1, 60)
    (draining,) = filter(runs, before.values())
    os.kill(draining, signal.SIGSEGV)
    assert server.end() == 1
    offer.read_on()
    with pytest.raises(grpc.RpcError):
        list(answers)
    (ended,) = [line for line in lines(server) if "did not end cleanly" in line["message"]]
    assert (before[str(ended["worker"])], ended["signal"]) == (draining, "SIGSEGV")


def test_a_server_whose_supervisor_was_killed_starts_anew_at_once_and_nothing_is_left_of_the_old_one(
    deployment: Deployment, serve: Serve
):
    server = serve(deployment, "--workers", 2, "--drain-s", 300)
    code, left = deployment.issue("420000")[0], pids(server)
    # Nobody reads what this stream answers: for as long as that lasts, a worker would drain.
    offer = Offer(lambda n: pb.StreamVerifyRequest(request_id=n, code=code, host_region="440000"))
    answers = scan(server, offer)
    eventually(offer.is_held_back, 60)
    server.process.kill()
    assert server.process.wait(END_S) == -signal.SIGKILL
    again = serve(deployment, "--workers", 2, "--listen", server.address)
    assert again.verify(code).verdict.decision == pb.DECISION_ADMIT
    eventually(lambda: not any(map(runs, left.values())), END_S)
    assert listeners(again) <= set.union(*map(sockets, pids(again).values()))
    offer.read_on()
    with pytest.raises(grpc.RpcError) as broken:
        list(answers)
    assert broken.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("await_ready", [True, False])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_told_to_end_at_any_time_it_ends_well_and_leaves_no_file(
    deployment: Deployment,
    serve: Serve,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    await_ready: bool,
    number: int,
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = set(tmp_path.iterdir())
    server = serve(deployment, "--workers", 2, await_ready=await_ready)
    eventually(lambda: children(server), START_S)
    assert server.end(number) == 0
    assert set(tmp_path.iterdir()) == before


def children(server: Server) -> str:
    """Return the processes that a server has started."""
    pid = server.process.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


def lines(server: Server) -> list[dict[str, Any]]:
    """Return what it logged, without what it said of itself as a command at last."""
    text = server.log_file.read_text("utf-8")
    return [json.loads(line) for line in text.splitlines() if not line.startswith("onecode: ")]
