"""Requests that cannot be decided: each gets its gRPC status with ErrorInfo, and the server goes on."""

import signal
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc

from tests.integration.deployment import Deployment, Server, eventually

MIB = 1024 * 1024
SERVICE = "onecode.v1.RecognitionService"
HANDLED = "grpc_server_handled_total"
Code = grpc.StatusCode


def refusal(call: Any, request: Message | bytes, timeout_s: float = 30) -> tuple[grpc.StatusCode, str]:
    """Return the status of a call that is refused, and the server's reason: empty where it gave none."""
    with pytest.raises(grpc.RpcError) as refused:
        call(request, timeout=timeout_s)
    infos = details(refused.value, error_details_pb2.ErrorInfo)
    assert all(info.domain == "onecode" for info in infos)
    return refused.value.code(), "".join(info.reason for info in infos)


def details(refused: Any, kind: type[Message]) -> list[Any]:
    """Return the details of one kind that a refused call carries."""
    found = []
    for key, value in refused.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            assert (status.code, status.message) == (refused.code().value[0], refused.details())
            for packed in status.details:
                detail = kind()
                found += [detail] if packed.Unpack(detail) else []
    return found


@pytest.fixture(scope="module")
def stub(server: Server) -> recognition_pb2_grpc.RecognitionServiceStub:
    return server.stub()


def batch(codes: list[bytes], host: str = "110000") -> pb.BatchVerifyRequest:
    return pb.BatchVerifyRequest(codes=codes, host_region=host)


@pytest.mark.parametrize(
    "region", ["", "1", "11000", "1100000", "11000x", "１１００００", " 110000", "110000\n", "1" * MIB]
)
def test_a_region_is_six_digits(stub, region: str):
    host = (Code.INVALID_ARGUMENT, "HOST_REGION_INVALID")
    target = (Code.INVALID_ARGUMENT, "TARGET_REGION_INVALID")
    assert refusal(stub.Verify, pb.VerifyRequest(code=b"x", host_region=region)) == host
    assert refusal(stub.BatchVerify, batch([b"x"], region)) == host
    assert refusal(stub.Translate, pb.TranslateRequest(code=b"x", target_region=region)) == target
    assert refusal(stub.BatchTranslate, pb.BatchTranslateRequest(codes=[b"x"], target_region=region)) == target


BATCHES = {
    "no codes": ([], "CODES_COUNT"),
    "4,097 codes": ([b""] * 4097, "CODES_COUNT"),
    "300,000 codes": ([b""] * 300_000, "CODES_COUNT"),
    "4,097 codes of 4 MiB": ([b"x" * 1024] * 4096 + [b"x"], "CODES_COUNT"),
    "4 MiB and a byte": ([b"x" * MIB] * 4 + [b"x"], "CODES_BYTES"),
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_has_1_to_4096_codes_and_4_mib(stub, name: str):
    codes, reason = BATCHES[name]
    assert refusal(stub.BatchVerify, batch(codes)) == (Code.INVALID_ARGUMENT, reason)
    asked = pb.BatchTranslateRequest(codes=codes, target_region="110000")
    assert refusal(stub.BatchTranslate, asked) == (Code.INVALID_ARGUMENT, reason)


def test_a_batch_of_4096_codes_and_4_mib_is_answered(stub):
    verdicts = stub.BatchVerify(batch([b"x" * 1024] * 4096), timeout=30).verdicts
    assert [verdict.reason for verdict in verdicts] == [pb.REASON_FORMAT_UNKNOWN] * 4096
    large = stub.BatchVerify(batch([b"x" * 4 * MIB]), timeout=30).verdicts
    assert [verdict.reason for verdict in large] == [pb.REASON_CODE_TOO_LARGE]


def test_a_message_over_the_limit_is_resource_exhausted(stub):
    assert refusal(stub.BatchVerify, batch([b"x" * 5 * MIB])) == (Code.RESOURCE_EXHAUSTED, "")


@pytest.mark.parametrize(
    "request_bytes", [b"\xff" * 10, b"\x0a\xff\xff\xff\xff\x0f", b"\x12\x06\xff\xff\xff\xff\xff\xff", b"\x0b" * 5000]
)
def test_bytes_that_are_no_message_are_an_invalid_argument_and_counted(server: Server, request_bytes: bytes):
    labels = ("INVALID_ARGUMENT", "Verify", SERVICE, "unary")
    before = server.samples(HANDLED).get(labels, 0)
    assert refusal(server.raw(f"/{SERVICE}/Verify"), request_bytes) == (Code.INVALID_ARGUMENT, "REQUEST_MALFORMED")
    eventually(lambda: server.samples(HANDLED).get(labels) == before + 1, 5)


def test_a_field_that_nobody_knows_is_passed_by(server: Server):
    known = pb.VerifyRequest(code=b"x", host_region="110000").SerializeToString()
    answer = server.raw(f"/{SERVICE}/Verify")(known + b"\xfa\x3f\x03abc", timeout=30)
    assert pb.VerifyResponse.FromString(answer).verdict.reason == pb.REASON_FORMAT_UNKNOWN


def test_what_cannot_be_translated_is_a_failed_precondition(stub, shared: Deployment):
    code = shared.issue("420000")[0]
    made = stub.Translate(pb.TranslateRequest(code=code, target_region="000000"), timeout=30).code
    again = pb.TranslateRequest(code=made, target_region="440000")
    assert refusal(stub.Translate, again) == (Code.FAILED_PRECONDITION, "ALREADY_TRANSLATED")
    opaque = pb.TranslateRequest(code=code, target_region="310000")
    assert refusal(stub.Translate, opaque) == (Code.FAILED_PRECONDITION, "TARGET_OPAQUE")
    nobody = stub.Translate(pb.TranslateRequest(code=code, target_region="999999"), timeout=30)
    assert (nobody.code, nobody.verdict.recognition) == (b"", pb.RECOGNITION_UNKNOWN_HOST)


def test_a_batch_tells_for_each_code_why_it_cannot_be_translated(stub, shared: Deployment):
    code = shared.issue("420000")[0]
    made = stub.Translate(pb.TranslateRequest(code=code, target_region="000000"), timeout=30).code
    asked = pb.BatchTranslateRequest(codes=[code, made, b"x"], target_region="440000")
    good, translated, bad = stub.BatchTranslate(asked, timeout=30).results
    assert (good.obstacle, translated.obstacle, bad.obstacle) == (0, pb.TRANSLATION_OBSTACLE_ALREADY_TRANSLATED, 0)
    assert [bool(result.translation.code) for result in (good, translated, bad)] == [True, False, False]
    opaque = pb.BatchTranslateRequest(codes=[code], target_region="310000")
    assert refusal(stub.BatchTranslate, opaque) == (Code.FAILED_PRECONDITION, "TARGET_OPAQUE")


@pytest.mark.parametrize("method", ["/onecode.v1.StatusService/GetStatuses", "/x/y", "/" + "x" * 4000, "/"])
def test_a_method_that_nobody_knows_is_unimplemented(server: Server, method: str):
    assert refusal(server.channel().unary_unary(method), b"") == (Code.UNIMPLEMENTED, "")


def test_a_path_without_a_slash_is_a_method_that_nobody_knows_or_no_request_at_all(server: Server):
    """RFC 9113 (8.3.1) calls such a request malformed, and the native front resets it as that."""
    code, reason = refusal(server.channel().unary_unary("x"), b"")
    assert (code in (Code.UNIMPLEMENTED, Code.INTERNAL), reason) == (True, "")


SLOW = ("--signature-backend", "libsodium")


@pytest.fixture(scope="module")
def large(made: Deployment, tmp_path_factory: pytest.TempPathFactory) -> tuple[Deployment, pb.BatchVerifyRequest]:
    """A deployment, and a batch that keeps its server busy for a while."""
    copy = made.copy_to(tmp_path_factory.mktemp("large") / "data")
    return copy, batch(copy.issue("420000", count=4096))


@pytest.fixture(scope="module")
def busy(large: tuple[Deployment, pb.BatchVerifyRequest]) -> Iterator[Server]:
    """A server that takes a quarter of a second for a batch: PyNaCl checks its signatures."""
    running = Server(large[0], *SLOW)
    yield running
    running.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def narrow(large: tuple[Deployment, pb.BatchVerifyRequest]) -> Iterator[Server]:
    """A server with a short queue, which tells strangers what can be called."""
    running = Server(large[0], *SLOW, "--queue-codes-max", 4096, "--reflection", "true")
    yield running
    running.end(signal.SIGKILL)


def refused(server: Server) -> float:
    """Return how many calls found the queue full."""
    return server.samples("onecode_refused_calls_total").get(("queue_full",), 0)


def test_when_the_queue_is_full_a_batch_is_turned_away_and_told_when_to_ask_again(large, narrow: Server):
    full = large[1]
    refused_before = refused(narrow)
    calls = [narrow.stub().BatchVerify.future(full, timeout=60) for _ in range(8)]
    assert {call.code() for call in calls} == {Code.OK, Code.RESOURCE_EXHAUSTED}
    shed = [call for call in calls if call.code() is Code.RESOURCE_EXHAUSTED]
    for call in shed:
        (retry,), (info,) = details(call, error_details_pb2.RetryInfo), details(call, error_details_pb2.ErrorInfo)
        assert info.reason == "OVERLOADED"
        assert retry.retry_delay.ToTimedelta().total_seconds() > 0
    assert refused(narrow) - refused_before == len(shed)
    # A batch that is refused before it is read has codes that nobody counted.
    assert narrow.samples("onecode_shed_codes_total")[()] in range(0, 4096 * len(shed) + 1, 4096)
    eventually(lambda: narrow.samples("onecode_queue_codes")[()] == 0, 5)
    assert narrow.verify(full.codes[0]).verdict.decision == pb.DECISION_ADMIT


def took_s(server: Server, request: pb.BatchVerifyRequest) -> float:
    started_s = time.monotonic()
    server.stub().BatchVerify(request, timeout=60)
    return time.monotonic() - started_s


def test_a_call_whose_deadline_expires_is_counted_as_that_and_leaves_the_queue(large, busy: Server):
    full = large[1]
    # Nothing is before it, so that it is tried: what has no time to wait for its turn is refused at once.
    too_soon_s = min(took_s(busy, full) for _ in range(3)) / 2
    while (call := busy.stub().BatchVerify.future(full, timeout=too_soon_s)).code() is Code.OK:
        too_soon_s /= 2  # the machine was busier before
    assert call.code() is Code.DEADLINE_EXCEEDED
    assert details(call, error_details_pb2.ErrorInfo) == []  # the caller's own clock has ended it
    labels = ("DEADLINE_EXCEEDED", "BatchVerify", SERVICE, "unary")
    eventually(lambda: busy.samples(HANDLED).get(labels) == 1, 30)
    eventually(lambda: busy.samples("onecode_queue_codes")[()] == 0, 30)


def test_a_call_that_its_caller_cancels_is_counted_as_that_and_leaves_the_queue(large, busy: Server):
    started = ("BatchVerify", SERVICE, "unary")
    before = busy.samples("grpc_server_started_total").get(started, 0)
    calls = [busy.stub().BatchVerify.future(large[1], timeout=60) for _ in range(3)]
    eventually(lambda: busy.samples("grpc_server_started_total").get(started) == before + 3, 30)
    assert calls[2].cancel()
    eventually(lambda: busy.samples(HANDLED).get(("CANCELLED", *started)) == 1, 30)
    assert [call.code() for call in calls] == [Code.OK, Code.OK, Code.CANCELLED]
    eventually(lambda: busy.samples("onecode_queue_codes")[()] == 0, 5)


def test_strangers_are_told_what_can_be_called_only_where_that_is_set(narrow: Server, busy: Server):
    assert SERVICE in narrow.services()
    with pytest.raises(grpc.RpcError) as refused:
        busy.services()
    assert refused.value.code() is Code.UNIMPLEMENTED
