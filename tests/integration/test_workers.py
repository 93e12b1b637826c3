"""Several workers behind one port: one server to whoever calls it, watches it, ends it, or loses a part of it."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client.multiprocess import MultiProcessCollector

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import (
    END_S,
    START_S,
    TAKEN_S,
    Deployment,
    Server,
    command,
    eventually,
    expect,
    record,
)

VERIFY = ("Verify", "onecode.v1.RecognitionService", "unary")
STARTED, HANDLED = "grpc_server_started_total", "grpc_server_handled_total"
CONNECTIONS = 64
"""The system spreads connections by a hash: that none of so many falls to a worker has a chance of 2^-64."""
RESPAWNED_S = 2 + 30
"""What is promised, and room for a machine that is busy with other things."""

Serve = Callable[..., Server]


@pytest.fixture
def pair(deployment: Deployment, serve: Serve) -> Server:
    """A server of two workers."""
    return serve(deployment, "--workers", 2)


def workers(server: Server) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = server.healthz()[1]["workers"]
    return found


def pids(server: Server) -> dict[str, int]:
    return {slot: worker["pid"] for slot, worker in workers(server).items()}


def runs(pid: int) -> bool:
    """Tell whether a process runs: one that has ended and that nobody has asked for yet (a zombie) does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def listeners(server: Server) -> set[int]:
    """Return the sockets that listen on the server's port (proc_net(5): state 0A), by inode."""
    port = f"{int(server.address.rpartition(':')[2]):04X}"
    lines = [line.split() for file in ("tcp", "tcp6") for line in Path(f"/proc/net/{file}").read_text().splitlines()]
    return {int(line[9]) for line in lines[1:] if line[1].endswith(f":{port}") and line[3] == "0A"}


def sockets(pid: int) -> set[int]:
    """Return the sockets that a process has open, by inode."""
    found = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            if (name := os.readlink(file)).startswith("socket:["):
                found.add(int(name[8:-1]))
    return found


def metrics_directory(server: Server) -> Path:
    """Return where the workers keep their metrics: their second argument says so."""
    pid = next(iter(pids(server).values()))
    return Path(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[5].decode())


def lookups(server: Server, slot: str) -> float:
    """Return how many status lookups one worker has counted, one for each code, from the file of its slot."""
    families = MultiProcessCollector.merge([str(metrics_directory(server) / f"counter_{slot}.db")])
    samples = [sample for family in families for sample in family.samples]
    return sum(one.value for one in samples if one.name == "onecode_status_cache_lookups_total")


def verify_on_each(server: Server, code: bytes, connections: int = CONNECTIONS) -> None:
    """Check a code once on each of so many new connections."""
    for _ in range(connections):
        with grpc.insecure_channel(server.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            ask = channel.unary_unary(f"/{VERIFY[1]}/Verify", response_deserializer=pb.VerifyResponse.FromString)
            request = pb.VerifyRequest(code=code, host_region="110000").SerializeToString()
            assert ask(request, timeout=30).verdict.decision == pb.DECISION_ADMIT


def levels(server: Server, code: bytes) -> set[int]:
    """Return what new connections are told of a code's level: every worker is among those that answer."""
    return {server.verify(code).verdict.level for _ in range(16)}


def test_each_worker_takes_some_of_the_connections_and_one_page_adds_them_up(pair: Server, deployment: Deployment):
    own = {slot: sockets(pid) & listeners(pair) for slot, pid in pids(pair).items()}
    assert all(own.values())
    assert set.union(*own.values()) == listeners(pair)
    verify_on_each(pair, deployment.issue("420000")[0])
    eventually(lambda: pair.samples(HANDLED)["OK", *VERIFY] == CONNECTIONS, 30)
    taken = {slot: lookups(pair, slot) for slot in own}
    assert min(taken.values()) > 0
    assert sum(taken.values()) == CONNECTIONS
    assert pair.samples("onecode_verdicts_total") == {("VALID", "ADMIT"): CONNECTIONS}
    assert pair.samples("onecode_batch_codes_count")[()] == CONNECTIONS
    assert pair.samples("onecode_serving_workers") == {(): 2}


def test_gauges_say_the_sum_the_worst_or_the_newest_of_all_workers(pair: Server, deployment: Deployment):
    verify_on_each(pair, deployment.issue("420000", id="one")[0])
    assert pair.samples("onecode_status_cache_entries") == {(): 2}
    assert pair.samples("onecode_trust_list_version") == {(): 1}
    assert pair.samples("onecode_queue_codes") == {(): 0}
    first = eventually(lambda: pair.samples("onecode_trust_list_age_seconds")[()], 10)
    eventually(lambda: pair.samples("onecode_trust_list_age_seconds")[()] > first, 10)
    assert "pid=" not in pair.metrics_text()


def test_each_process_is_shown_by_its_slot(pair: Server):
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total"):
        shown = pair.samples(name)
        assert set(shown) == {("0",), ("1",), ("supervisor",)}
        assert min(shown.values()) > 0


def test_health_is_that_of_every_worker(pair: Server):
    status, report = pair.healthz()
    assert (status, report["serving"], sorted(report["workers"])) == (200, True, ["0", "1"])
    for worker in report["workers"].values():
        assert (worker["serving"], worker["trust_list"]["version"], worker["store"]["answers"]) == (True, 1, True)
    stopped = pids(pair)["1"]
    os.kill(stopped, signal.SIGSTOP)  # it lives, and says nothing
    try:
        eventually(lambda: pair.healthz()[0] == 503, 60)
        assert {slot: worker["serving"] for slot, worker in workers(pair).items()} == {"0": True, "1": False}
        assert pair.samples("onecode_serving_workers") == {(): 1}
    finally:
        os.kill(stopped, signal.SIGCONT)
    eventually(lambda: pair.healthz()[0] == 200, 60)


def test_a_killed_worker_is_replaced_and_nothing_that_was_counted_is_lost(pair: Server, deployment: Deployment):
    code, before, files = deployment.issue("420000")[0], pids(pair), set(metrics_directory(pair).iterdir())
    verify_on_each(pair, code)
    eventually(lambda: pair.samples(HANDLED)["OK", *VERIFY] == CONNECTIONS, 30)
    counted = CONNECTIONS
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
    assert set(metrics_directory(pair).iterdir()) == files
    (told,) = [line for line in pair.log() if line["message"].startswith("a worker has ended")]
    assert (told["worker"], told["status"]) == (0, -signal.SIGKILL)


def test_all_workers_may_die_again_and_again_and_the_port_stays_the_servers(pair: Server, deployment: Deployment):
    code = deployment.issue("420000")[0]
    for _ in range(3):
        for pid in pids(pair).values():
            with suppress(TypeError, ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGKILL)
        second = command("serve", "--data-dir", deployment.path, "--listen", pair.address, "--metrics", "127.0.0.1:0")
        assert (second.status, second.out) == (2, "")
        eventually(lambda: pair.healthz()[1]["serving"], RESPAWNED_S)
    assert pair.verify(code).verdict.decision == pb.DECISION_ADMIT
    assert pair.end() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_server_on_the_port_is_refused_however_many_it_would_be(pair: Server, deployment, workers: int):
    given = ("--listen", pair.address, "--metrics", "127.0.0.1:0", "--workers", workers)
    ended = command("serve", "--data-dir", deployment.path, *given)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.splitlines()[-1] == (
        f"onecode: cannot listen on {pair.address}: it is taken, or not of this machine"
    )
    assert pair.healthz()[0] == 200


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
    assert server.end() == 0
    assert not any(map(runs, before.values()))
    (killed,) = [line for line in server.log() if "were killed" in line["message"]]
    assert (killed["level"], killed["workers"]) == ("error", 1)


def test_a_worker_that_is_told_to_end_drains_and_is_replaced(pair: Server, deployment: Deployment):
    before = pids(pair)
    os.kill(before["0"], signal.SIGTERM)  # as one does to restart them one by one
    eventually(lambda: pids(pair)["0"] not in (None, before["0"]) and pair.healthz()[0] == 200, RESPAWNED_S)
    assert [line["status"] for line in pair.log() if "next_in_s" in line] == [0]
    assert pair.verify(deployment.issue("420000")[0]).verdict.decision == pb.DECISION_ADMIT


def test_a_server_without_its_supervisor_ends(pair: Server):
    left = pids(pair)
    assert pair.end(signal.SIGKILL) == -signal.SIGKILL
    eventually(lambda: not any(map(runs, left.values())), END_S)
    assert listeners(pair) == set()


def test_a_new_trust_list_and_a_published_status_reach_every_worker(pair: Server, deployment: Deployment):
    code, other = deployment.issue("420000", id="traveller")[0], deployment.issue("440000")[0]
    assert (levels(pair, code), levels(pair, other)) == ({1}, {1})
    shown = json.loads(expect(deployment.trust("show", "--json")))
    expect(deployment.publish(record("420000", "RED", "traveller")))
    eventually(lambda: levels(pair, code) == {3}, TAKEN_S)
    region = next(one for one in shown["regions"] if one["code"] == "440000")
    expect(deployment.trust("revoke-key", "--region", "440000", "--kid", region["keys"][0]["kid"]))
    eventually(lambda: {worker["trust_list"]["version"] for worker in workers(pair).values()} == {2}, TAKEN_S)
    assert {pair.verify(other).verdict.reason for _ in range(16)} == {pb.REASON_KEY_REVOKED}
    assert pair.samples("onecode_trust_list_version") == {(): 2}


def test_every_line_of_a_worker_names_its_slot(pair: Server):
    assert pair.end() == 0
    lines = pair.log()
    by_worker = {slot: [line for line in lines if line.get("worker") == slot] for slot in (0, 1)}
    for logged in by_worker.values():
        assert [line["message"] for line in logged][-2:] == ["draining", "ended"]
    assert lines[-1] == {**lines[-1], "message": "all workers have ended"}


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
    assert ended.err.splitlines()[-1] == "onecode: no worker came up: 3 in a row ended, the last with status 9"


def test_a_worker_that_cannot_start_any_more_is_tried_ever_more_seldom(deployment: Deployment, serve, broken: Path):
    server: Server = serve(deployment, "--workers", 2)
    broken.touch()
    os.kill(pids(server)["0"], signal.SIGKILL)
    waits = eventually(lambda: (found := waited(server))[3:] and found, 60)
    assert waits[:4] == [0.0, 0.5, 1.0, 2.0]
    code, (status, report) = deployment.issue("420000")[0], server.healthz()
    assert (status, report["workers"]["0"]["serving"], report["workers"]["1"]["serving"]) == (503, False, True)
    assert {server.verify(code).verdict.decision for _ in range(8)} == {pb.DECISION_ADMIT}
    broken.unlink()
    eventually(lambda: server.healthz()[0] == 200, START_S)
    assert server.end() == 0


def waited(server: Server) -> list[float]:
    """Return how long a slot waited after each of its workers, in seconds."""
    return [line["next_in_s"] for line in server.log() if "next_in_s" in line]


@pytest.mark.parametrize("await_ready", [True, False])
def test_told_to_end_at_any_time_it_ends_well_and_leaves_no_file(
    deployment: Deployment, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, await_ready: bool
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    server = serve(deployment, "--workers", 2, await_ready=await_ready)
    eventually(lambda: list(tmp_path.glob("onecode-metrics-*")), START_S)
    assert server.end(signal.SIGINT) == 0
    assert list(tmp_path.glob("onecode-metrics-*")) == []


def test_one_worker_is_the_process_that_was_started(deployment: Deployment, serve: Serve):
    server = serve(deployment, "--workers", 1)
    pid = server.process.pid
    assert Path(f"/proc/{pid}/task/{pid}/children").read_text() == ""
    assert listeners(server)
    assert listeners(server) <= sockets(pid)
    assert "workers" not in server.healthz()[1]
    assert "onecode_worker_restarts_total" not in server.metrics_text()
    assert server.end() == 0
