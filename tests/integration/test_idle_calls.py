"""Callers that begin calls and then do nothing: they are ended, or give way, and lock nobody out."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2

from onecode.v1 import recognition_pb2 as pb
from onecode_server.rpc.silent_calls import REQUESTS_MAX, STREAMS_MAX

from benchmarks.attacks.floods import STREAM_VERIFY, VERIFY
from benchmarks.attacks.holds import WATCH
from tests.integration.deployment import Deployment, Server, eventually
from tests.integration.http2_frames import call, connected, frames

CONNECTIONS, CALLS = 11, 95


@contextmanager
def idle(server: Server, method: str) -> Iterator[list[socket.socket]]:
    """Begin 95 calls on each of eleven connections, none of which ever says anything."""
    with ExitStack() as open_ones:
        wires = [open_ones.enter_context(connected(server)) for _ in range(CONNECTIONS)]
        for wire in wires:
            wire.sendall(b"".join(call(2 * number + 1, method) for number in range(CALLS)))
            # What is said meanwhile is read: a caller who takes nothing is another test's.
            threading.Thread(target=drain, args=(frames(wire),), daemon=True).start()
        yield wires


def drain(answers: Iterator[Any]) -> None:
    try:
        for _ in answers:
            pass
    except OSError:
        pass


def scanned(server: Server, code: bytes) -> int:
    """Return the decision of one scan on a stream of its own; 0 where the stream is refused for now."""
    request = pb.StreamVerifyRequest(request_id=1, code=code, host_region="110000")
    stream = server.stub().StreamVerify(iter([request]), timeout=60)
    answers: list[pb.StreamVerifyResponse] = []
    with suppress(grpc.RpcError):
        answers += stream
    if stream.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        assert has_retry_info(stream)
        return 0
    (answer,) = answers
    return int(answer.verdict.decision)


def has_retry_info(failed: Any) -> bool:
    """Tell whether a failure says when to ask again."""
    trailing = dict(failed.trailing_metadata())
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    return any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in status.details)


@pytest.mark.parametrize("method", [VERIFY, WATCH], ids=["Verify", "Watch"])
def test_a_thousand_calls_without_a_request_lock_nobody_out(
    running: Server, deployment: Deployment, method: str
) -> None:
    code = deployment.issue("420000")[0]
    with idle(running, method):
        begun = CONNECTIONS * CALLS
        if method == WATCH or running.front() == "grpc":  # the native front keeps silent calls at little cost for 10 s
            eventually(lambda: refused(running, ("request_displaced",)) >= begun - REQUESTS_MAX, 60)
        for _ in range(20):
            assert running.verify(code).verdict.decision == pb.DECISION_ADMIT
            assert running.health() == "SERVING"


def refused(server: Server, reason: tuple[str, ...]) -> float:
    return server.samples("onecode_refused_calls_total").get(reason, 0)


def test_a_thousand_silent_streams_leave_room_for_calls_and_give_way_to_a_stream_that_scans(
    running: Server, deployment: Deployment
) -> None:
    code = deployment.issue("420000")[0]
    with idle(running, STREAM_VERIFY):
        eventually(lambda: refused(running, ("stream_refused",)) >= CONNECTIONS * CALLS - STREAMS_MAX, 60)
        assert running.verify(code).verdict.decision == pb.DECISION_ADMIT
        assert running.health() == "SERVING"
        assert eventually(lambda: scanned(running, code), 60) == pb.DECISION_ADMIT
        assert refused(running, ("stream_displaced",)) >= 1


def test_a_call_whose_request_does_not_come_is_ended_with_its_reason(running: Server) -> None:
    asked = threading.Event()

    def nothing() -> Iterator[bytes]:
        asked.wait(90)
        yield from ()

    verify: grpc.StreamUnaryMultiCallable[bytes, bytes] = running.channel().stream_unary(VERIFY)
    with pytest.raises(grpc.RpcError) as ended:
        verify(nothing(), timeout=90)
    asked.set()
    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "did not arrive within" in (ended.value.details() or "")
    counted = ("DEADLINE_EXCEEDED", "Verify", "onecode.v1.RecognitionService", "unary")
    eventually(lambda: running.samples("grpc_server_handled_total").get(counted) == 1, 30)
    assert running.health() == "SERVING"


@pytest.mark.parametrize(("messages", "code"), [(0, "INVALID_ARGUMENT"), (2, "OK")])
def test_a_unary_call_has_one_request(running: Server, deployment: Deployment, messages: int, code: str) -> None:
    request = pb.VerifyRequest(code=deployment.issue("420000")[0], host_region="110000").SerializeToString()
    _, ended = call_and_code(running, VERIFY, [request] * messages)
    assert ended == code


def call_and_code(server: Server, method: str, messages: list[bytes]) -> tuple[Any, str]:
    """Return the answer to these messages, or the failure, and the status code of the call."""
    call: grpc.StreamUnaryMultiCallable[bytes, bytes] = server.channel().stream_unary(method)
    try:
        answer, finished = call.with_call(iter(messages), timeout=60)
    except grpc.RpcError as failed:
        return failed, failed.code().name
    return answer, finished.code().name


def test_health_is_told_to_who_asks_beside_idle_watches(running: Server) -> None:
    request = health_pb2.HealthCheckRequest(service="").SerializeToString()
    with idle(running, WATCH):
        answer, ended = call_and_code(running, "/grpc.health.v1.Health/Check", [request])
    assert ended == "OK"
    assert health_pb2.HealthCheckResponse.FromString(answer).status == health_pb2.HealthCheckResponse.SERVING
