"""A server's life: before it can serve, while it does, when it is told to end, when it is killed."""

import signal
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2

from onecode.v1 import recognition_pb2 as pb

from tests.integration.deployment import (
    END_S,
    START_S,
    Deployment,
    Server,
    called,
    eventually,
    expect,
    free_port,
    record,
)

DRAIN_S = 10
STARTED = "grpc_server_started_total"


def watch(server: Server, service: str = "") -> Any:
    request = health_pb2.HealthCheckRequest(service=service)
    return server.health_stub().Watch(request, timeout=60, wait_for_ready=True)


def named(states: Iterator[Any]) -> Iterator[str]:
    return (health_pb2.HealthCheckResponse.ServingStatus.Name(state.status) for state in states)


@pytest.mark.parametrize("service", ["", "onecode.v1.RecognitionService", "onecode.trust_list", "onecode.store"])
def test_health_names_what_stands_behind_an_answer(server: Server, service: str):
    assert server.health(service) == "SERVING"
    states = watch(server, service)
    assert next(named(states)) == "SERVING"
    states.cancel()


@pytest.mark.parametrize("service", ["nobody", "onecode.v1", "x" * 10_000])
def test_an_unknown_service_is_not_found_and_watched_as_unknown(server: Server, service: str):
    with pytest.raises(grpc.RpcError) as refused:
        server.health(service)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    states = watch(server, service)
    assert next(named(states)) == "SERVICE_UNKNOWN"
    states.cancel()


def test_without_a_trust_list_nothing_is_served_until_there_is_one(deployment: Deployment, serve):
    code, aside = deployment.issue("420000")[0], deployment.path / "aside"
    deployment.list_file.rename(aside)
    grpc_port, page_port = free_port(), free_port()
    ports = ("--listen", f"127.0.0.1:{grpc_port}", "--metrics", f"127.0.0.1:{page_port}")
    server = serve(deployment, *ports, await_ready=False)
    server.address, server.page = f"127.0.0.1:{grpc_port}", f"127.0.0.1:{page_port}"
    for service in ("", "onecode.v1.RecognitionService", "onecode.trust_list"):
        assert server.health(service) == "NOT_SERVING"
    assert server.health("onecode.store") == "SERVING"
    assert (server.healthz()[0], server.healthz()[1]["serving"]) == (503, False)
    with pytest.raises(grpc.RpcError) as refused:
        server.verify(code)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    trailing = {one.key: one.value for one in refused.value.trailing_metadata()}
    details = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    assert details.details[0].Unpack(info)
    assert (info.domain, info.reason) == ("onecode", "NOT_SERVING")
    states = named(watch(server))
    assert next(states) == "NOT_SERVING"
    aside.rename(deployment.list_file)
    assert next(states) == "SERVING"
    server.await_ready()
    assert server.healthz()[0] == 200
    assert server.verify(code).verdict.decision == pb.DECISION_ADMIT


def test_an_open_watch_ends_when_the_server_is_told_to_and_the_server_with_it(deployment: Deployment, serve):
    server = serve(deployment, "--drain-s", DRAIN_S)
    watches = [named(watch(server, service)) for service in ("", "onecode.trust_list", "nobody")]
    assert [next(states) for states in watches] == ["SERVING", "SERVING", "SERVICE_UNKNOWN"]
    signalled_at_s = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert [list(states) for states in watches] == [["NOT_SERVING"], ["NOT_SERVING"], []]
    assert server.end() == 0
    assert time.monotonic() - signalled_at_s < DRAIN_S
    assert [line["message"] for line in server.log()][-2:] == ["draining", "ended"]


def test_calls_that_run_when_the_server_is_told_to_end_are_answered(deployment: Deployment, serve):
    codes, server = deployment.issue("420000", count=1000) * 4, serve(deployment)
    request = pb.BatchVerifyRequest(codes=codes, host_region="110000")
    calls = [server.stub().BatchVerify.future(request, timeout=60) for _ in range(4)]
    eventually(lambda: server.samples(STARTED).get(("BatchVerify", "onecode.v1.RecognitionService", "unary")) == 4, 30)
    server.process.send_signal(signal.SIGTERM)
    for call in calls:
        assert {verdict.decision for verdict in call.result().verdicts} == {pb.DECISION_ADMIT}
    assert server.end() == 0
    with pytest.raises(grpc.RpcError) as refused:
        server.verify(codes[0])
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_server_that_is_told_to_end_while_it_cannot_serve_ends_well(deployment: Deployment, serve):
    deployment.list_file.unlink()
    server = serve(deployment, await_ready=False)
    eventually(lambda: [line for line in server.log() if "refused" in line["message"]], START_S)
    assert server.end(signal.SIGINT) == 0


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_server_that_is_told_to_end_again_and_again_until_it_is_gone_ends_well(
    deployment: Deployment, serve, number: signal.Signals, workers: int
):
    server = serve(deployment, "--workers", workers)
    late_s = time.monotonic() + 2 * END_S
    while server.process.poll() is None and time.monotonic() < late_s:
        server.process.send_signal(number)
        time.sleep(0.0002)
    assert server.process.returncode == 0


def test_a_killed_server_leaves_a_store_that_opens_and_answers(deployment: Deployment, serve):
    code = deployment.issue("420000", id="traveller")[0]
    server = serve(deployment)
    expect(deployment.publish(record("420000", "RED", "traveller")))
    many = pb.BatchVerifyRequest(codes=[code] * 4096, host_region="110000")
    calls = [server.stub().BatchVerify.future(many, timeout=60) for _ in range(3)]
    assert server.end(signal.SIGKILL) == -signal.SIGKILL
    assert all(call.exception() is not None or call.result() for call in calls)
    again = serve(deployment)
    assert again.health("onecode.store") == "SERVING"
    assert again.verify(code).verdict.reason == pb.REASON_RED
    shown = called("status", "get", "--data-dir", deployment.path, "--region", "420000", "--id", "traveller")
    assert "RED" in expect(shown)
