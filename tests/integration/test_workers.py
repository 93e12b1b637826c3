"""Several workers behind one port are one server to whoever calls it and whoever watches it."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_server.settings import cores

from tests.integration.deployment import TAKEN_S, Deployment, Server, command, eventually, expect, record
from tests.integration.several_workers import (
    CONNECTIONS,
    HANDLED,
    RESPAWNED_S,
    VERIFY,
    connected,
    listeners,
    pids,
    sockets,
    taken,
    verify,
    verify_on_each,
    workers,
)

Serve = Callable[..., Server]


def levels(server: Server, code: bytes) -> set[int]:
    """Return what new connections are told of a code's level: every worker is among those that answer."""
    return {server.verify(code).verdict.level for _ in range(16)}


def test_each_worker_takes_some_of_the_connections_and_one_page_adds_them_up(pair: Server, deployment: Deployment):
    own = {slot: sockets(pid) & listeners(pair) for slot, pid in pids(pair).items()}
    assert all(own.values())
    assert set.union(*own.values()) == listeners(pair)
    code = deployment.issue("420000")[0]
    with connected(pair) as channels:
        assert min(taken(pair).values()) > 0
        assert sum(taken(pair).values()) == CONNECTIONS
        for channel in channels:
            verify(channel, code)
    eventually(lambda: pair.samples(HANDLED)["OK", *VERIFY] == CONNECTIONS, 30)
    assert pair.counted("onecode_verdicts_total") == {("VALID", "ADMIT"): CONNECTIONS}
    assert pair.samples("onecode_batch_codes_count")[()] == CONNECTIONS
    assert pair.samples("onecode_serving_workers") == {(): 2}


def test_gauges_say_the_sum_the_worst_or_the_newest_of_all_workers(pair: Server, deployment: Deployment):
    verify_on_each(pair, deployment.issue("420000", id="one")[0])
    eventually(lambda: pair.samples("onecode_status_cache_entries") == {(): 2}, 30)  # told each second
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


def test_the_supervisor_has_no_engine(pair: Server):
    workers = [Path(f"/proc/{pid}/maps").read_text() for pid in pids(pair).values()]
    own = Path(f"/proc/{pair.process.pid}/maps").read_text()
    for library in ("numpy", "cygrpc", "lmdb", "_kernel"):
        assert all(library in mapped for mapped in workers)
        assert library not in own


def test_health_is_that_of_every_worker(pair: Server):
    status, report = pair.healthz()
    assert (status, report["serving"], sorted(report["workers"])) == (200, True, ["0", "1"])
    for worker in report["workers"].values():
        assert (worker["serving"], worker["trust_list"]["version"], worker["store"]["answers"]) == (True, 1, True)
    os.kill(pids(pair)["1"], signal.SIGKILL)
    eventually(lambda: pair.healthz()[0] == 503, 30)
    eventually(lambda: pair.healthz()[0] == 200, RESPAWNED_S)


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


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_server_on_the_port_is_refused_however_many_it_would_be(pair: Server, deployment, workers: int):
    given = ("--listen", pair.address, "--metrics", "127.0.0.1:0", "--workers", workers)
    ended = command("serve", "--data-dir", deployment.path, *given)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.splitlines()[-1] == (
        f"onecode: cannot listen on {pair.address}: it is taken, or not of this machine"
    )
    assert pair.healthz()[0] == 200


def test_every_line_of_a_worker_names_its_slot(pair: Server):
    assert pair.end() == 0
    lines = pair.log()
    by_worker = {slot: [line for line in lines if line.get("worker") == slot] for slot in (0, 1)}
    for logged in by_worker.values():
        assert [line["message"] for line in logged][-2:] == ["draining", "ended"]
    assert lines[-1] == {**lines[-1], "message": "all workers have ended"}


@pytest.mark.parametrize("count", [1, 2])
def test_without_a_number_there_is_a_worker_for_each_core_that_the_server_may_use(
    deployment: Deployment, tmp_path: Path, serve: Serve, count: int
):
    file, usable = tmp_path / "onecode.toml", os.sched_getaffinity(0)
    file.write_text('data_dir = "data"\nlisten = "127.0.0.1:0"\nmetrics = "127.0.0.1:0"\n')
    os.sched_setaffinity(0, sorted(usable)[:count])  # which a process that is started takes over
    try:
        expected, server = cores.usable(), serve(deployment, config=file)
    finally:
        os.sched_setaffinity(0, usable)
    assert len(server.healthz()[1].get("workers", {})) == (expected if expected > 1 else 0)
    assert server.end() == 0


def test_one_worker_is_the_process_that_was_started(deployment: Deployment, serve: Serve):
    server = serve(deployment, "--workers", 1)
    pid = server.process.pid
    assert Path(f"/proc/{pid}/task/{pid}/children").read_text() == ""
    assert listeners(server)
    assert listeners(server) <= sockets(pid)
    assert "workers" not in server.healthz()[1]
    assert 'onecode_worker_restarts_total{worker="0"} 0.0' in server.metrics_text()
    assert server.end() == 0
