"""A trust list that cannot be read: a revocation is missed for a moment at most, and then nobody is admitted."""

import json
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_server.system.descriptors import CONNECTIONS_MIN, OWN

from tests.integration.deployment import START_S, TAKEN_S, Deployment, Server, eventually, expect
from tests.integration.several_workers import pids
from tests.integration.test_limits import PREFACE, connect, received

FILES_MAX = 256
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
UNREAD = ("--trust-list-unread-max-s", "1")


def revoke(deployment: Deployment, region: str = "420000") -> None:
    shown = json.loads(expect(deployment.trust("show", "--json")))
    (entry,) = (one for one in shown["regions"] if one["code"] == region)
    expect(deployment.trust("revoke-key", "--region", region, "--kid", entry["keys"][0]["kid"]))


class Gate:
    """Somebody who asks on a connection that stands since before."""

    def __init__(self, server: Server, code: bytes) -> None:
        self._stub, self._code = server.stub(), code

    def await_answers(self, expected: set[tuple[str, str]], within_s: float) -> None:
        """Wait until every method answers so."""
        eventually(lambda: self.answers() == expected, within_s)

    def answers(self) -> set[tuple[str, str]]:
        """Return what every method answers on the code."""
        stub, code, host = self._stub, self._code, "110000"
        one = stub.Verify(pb.VerifyRequest(code=code, host_region=host), timeout=30)
        many = stub.BatchVerify(pb.BatchVerifyRequest(codes=[code] * 50, host_region=host), timeout=30)
        scans = iter([pb.StreamVerifyRequest(request_id=1, code=code, host_region=host)])
        streamed = list(stub.StreamVerify(scans, timeout=30))
        made = stub.Translate(pb.TranslateRequest(code=code, target_region="440000"), timeout=30)
        (result,) = stub.BatchTranslate(
            pb.BatchTranslateRequest(codes=[code], target_region="440000"), timeout=30
        ).results
        for translation in (made, result.translation):
            assert bool(translation.code) == (translation.verdict.decision == pb.DECISION_ADMIT)
        verdicts = (one.verdict, *many.verdicts, streamed[0].verdict, made.verdict, result.translation.verdict)
        return {(pb.Decision.Name(one.decision), pb.Reason.Name(one.reason)) for one in verdicts}


ADMITTED = {("DECISION_ADMIT", "REASON_GREEN")}
HELD_UP = {("DECISION_CHECK", "REASON_TRUST_LIST_OUT_OF_DATE")}
REVOKED = {("DECISION_REFUSE", "REASON_KEY_REVOKED")}


def reports(server: Server) -> list[dict[str, Any]]:
    """Return what the server, or each of its workers, says of its trust list."""
    report = server.healthz()[1]
    return [one["trust_list"] for one in report.get("workers", {"0": report}).values()]


def gone(file: Path) -> None:
    file.unlink()


def half_written(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("spoil", [gone, half_written])
def test_a_list_that_is_not_read_for_too_long_admits_nobody_until_it_is_back(
    deployment: Deployment, serve, workers: int, spoil: Callable[[Path], None]
):
    good, server = deployment.list_file.read_bytes(), serve(deployment, "--workers", workers, *UNREAD)
    gates = [Gate(server, deployment.issue("420000")[0]) for _ in range(6)]  # with two workers, most likely at both
    assert [gate.answers() for gate in gates] == [ADMITTED] * 6
    assert all(one["unread_s"] == 0 for one in reports(server))
    spoil(deployment.list_file)
    for gate in gates:
        gate.await_answers(HELD_UP, 1 + TAKEN_S)
    eventually(lambda: server.samples("onecode_trust_list_unread_seconds")[()] > 1, TAKEN_S)  # workers tell each second
    eventually(lambda: all(one["unread_s"] > 1 and one["fault"] for one in reports(server)), TAKEN_S)
    assert (server.health(), server.health("onecode.trust_list")) == ("SERVING", "NOT_SERVING")
    assert server.healthz()[0] == 200
    assert any("no code is admitted" in line["message"] for line in server.log())
    deployment.list_file.write_bytes(good)
    for gate in gates:
        gate.await_answers(ADMITTED, TAKEN_S)
    eventually(lambda: server.samples("onecode_trust_list_unread_seconds")[()] == 0, TAKEN_S)


@pytest.fixture
def flooded() -> Iterator[Callable[[str, int], list[socket.socket]]]:
    """Connections that say no more than HTTP/2 wants to hear, and stay."""
    with ExitStack() as closed:
        yield lambda address, count: [closed.enter_context(connect(address, PREFACE + SETTINGS)) for _ in range(count)]


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0"])
def test_connections_leave_descriptors_for_a_revocation(deployment: Deployment, serve, flooded, address: str):
    server = serve(deployment, "--listen", address, files_max=FILES_MAX)
    gate = Gate(server, deployment.issue("420000")[0])
    assert gate.answers() == ADMITTED
    flood, files = flooded(server.address, 400), Path(f"/proc/{server.process.pid}/fd")
    shut = [connection for connection in flood if not received(connection)]
    assert 400 - len(shut) <= FILES_MAX - OWN
    eventually(lambda: len(os.listdir(files)) <= FILES_MAX - OWN // 2, 30)  # those that were shut are closed by then
    flooded(server.page, 5)
    revoke(deployment)
    eventually(lambda: gate.answers() == REVOKED, TAKEN_S)
    assert reports(server)[0]["fault"] is None
    assert server.samples("onecode_trust_list_version")[()] == 2


@contextmanager
def files_left(limit: int, *running: int) -> Iterator[None]:
    """Let processes that run have no more files than ``limit``, and then as many as before."""
    before = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in running}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def first_free(server: Server) -> int:
    """Return the lowest number that a new descriptor of the server would get."""
    taken = {int(name) for name in os.listdir(f"/proc/{server.process.pid}/fd")}
    return next(number for number in range(len(taken) + 1) if number not in taken)


def test_where_no_descriptor_is_left_the_list_is_read_with_the_one_that_is_kept_for_it(deployment: Deployment, serve):
    server = serve(deployment)
    gate = Gate(server, deployment.issue("420000")[0])
    assert gate.answers() == ADMITTED
    with files_left(first_free(server), server.process.pid):
        revoke(deployment)
        eventually(lambda: gate.answers() == REVOKED, TAKEN_S)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_revocation_that_comes_when_nothing_at_all_can_be_opened_counts_as_soon_as_it_can(
    deployment: Deployment, serve, workers: int
):
    server = serve(deployment, "--workers", workers, *UNREAD)
    gates = [Gate(server, deployment.issue("420000")[0]) for _ in range(6)]
    assert [gate.answers() for gate in gates] == [ADMITTED] * 6
    before = [*pids(server).values()] if workers > 1 else []
    with files_left(3, server.process.pid, *before):
        revoke(deployment)
        for gate in gates:
            gate.await_answers(HELD_UP, 1 + TAKEN_S)
    for gate in gates:
        gate.await_answers(REVOKED, TAKEN_S)
    eventually(lambda: not any(one["fault"] for one in reports(server)), TAKEN_S)
    assert not before or [*pids(server).values()] == before  # nobody ended of it
    assert server.end() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_limit_on_files_that_leaves_no_room_for_callers_is_refused_in_one_line(
    deployment: Deployment, serve, workers: int
):
    limit = OWN + CONNECTIONS_MIN - 1
    server = serve(deployment, "--workers", workers, await_ready=False, files_max=limit)
    assert server.process.wait(START_S) == 2
    assert f"{limit} open files are too few" in server.log_file.read_text().splitlines()[-1]


def test_the_soft_limit_is_raised_in_the_server_and_in_its_workers(deployment: Deployment, serve):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        server = serve(deployment, "--workers", 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for pid in (server.process.pid, *pids(server).values()):
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (hard, hard)
    assert server.end(signal.SIGTERM) == 0


def test_a_caller_beyond_the_bound_is_answered_once_there_is_room(deployment: Deployment, serve):
    server, code = serve(deployment, files_max=FILES_MAX), deployment.issue("420000")[0]
    with ExitStack() as closed:
        for _ in range(FILES_MAX - OWN):
            closed.enter_context(connect(server.address, PREFACE + SETTINGS))
        with pytest.raises(grpc.RpcError) as refused:
            server.verify(code)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    eventually(lambda: is_admitted(server, code), TAKEN_S)


def is_admitted(server: Server, code: bytes) -> bool:
    try:
        return server.verify(code).verdict.decision == pb.DECISION_ADMIT
    except grpc.RpcError:
        return False
