"""Messages of megabytes, and answers that nobody takes: what the server holds of them is bounded in bytes."""

import struct
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2, status_pb2_grpc
from onecode_server.model.code import CODE_BYTES_MAX

from benchmarks.attacks.connection import DATA, END_STREAM, INITIAL_WINDOW_SIZE, SETTINGS, WINDOW_UPDATE
from benchmarks.attacks.floods import STREAM_VERIFY
from benchmarks.attacks.holds import BATCH_VERIFY
from tests.integration.deployment import Deployment, Server, eventually
from tests.integration.http2_frames import call, connected, frame, frames

LARGE = 4 * 2**20 - 64
OFFERED_BYTES = 200 * 2**20
GROWTH_BYTES_MAX = 80 * 2**20
"""Two messages as bytes, as a message and as what gRPC has of the next, and what the allocator keeps of them."""


class Sender:
    """Sends messages on one stream as fast as the server's windows let it, and takes no answer."""

    def __init__(self, wire: Any) -> None:
        self._wire = wire
        self._windows = {0: 65_535, 1: 65_535}
        self._stream_window = 65_535
        self._changed = threading.Condition()
        self.sent = 0
        threading.Thread(target=self._listen, args=(frames(wire),), daemon=True).start()

    def _listen(self, answers: Iterator[tuple[int, int, int, bytes]]) -> None:
        try:
            for kind, flags, stream, payload in answers:
                with self._changed:
                    if kind == WINDOW_UPDATE:
                        self._windows[stream] = self._windows.get(stream, 0) + int.from_bytes(payload)
                    elif kind == SETTINGS and not flags:
                        window = dict(struct.iter_unpack(">HI", payload)).get(INITIAL_WINDOW_SIZE, self._stream_window)
                        self._windows[1] += window - self._stream_window
                        self._stream_window = window
                    self._changed.notify_all()
        except OSError:
            pass

    def send(self, message: bytes, within_s: float) -> bool:
        """Send a message; tell whether all of it was let in."""
        body = memoryview(b"\0" + len(message).to_bytes(4) + message)
        while body:
            with self._changed:
                if not self._changed.wait_for(lambda: min(self._windows.values()) > 0, within_s):
                    return False
                size = min(*self._windows.values(), 16_384, len(body))
                for stream in self._windows:
                    self._windows[stream] -= size
            self._wire.sendall(frame(DATA, bytes(body[:size]), 1))
            body = body[size:]
            self.sent += size
        return True


def test_a_stream_of_megabytes_whose_answers_are_not_taken_pins_little(running: Server, deployment: Deployment) -> None:
    code = deployment.issue("420000")[0]
    running.verify(code)
    before = running.anonymous_bytes()
    message = pb.StreamVerifyRequest(request_id=1, code=b"A" * LARGE, host_region="440000").SerializeToString()
    with connected(running, (INITIAL_WINDOW_SIZE, 0)) as wire:
        wire.sendall(call(1, STREAM_VERIFY))
        sender = Sender(wire)
        while sender.sent < OFFERED_BYTES and sender.send(message, 10):
            assert running.anonymous_bytes() - before < GROWTH_BYTES_MAX
        assert sender.sent > LARGE
        assert running.verify(code).verdict.decision == pb.DECISION_ADMIT
        assert running.anonymous_bytes() - before < GROWTH_BYTES_MAX


def test_answers_that_are_not_taken_are_counted_until_their_caller_leaves(running: Server) -> None:
    body = pb.BatchVerifyRequest(codes=[b"x"] * 4096, host_region="440000").SerializeToString()
    message = b"\0" + len(body).to_bytes(4) + body
    parts = [frame(DATA, message[start : start + 8192], 1) for start in range(0, len(message), 8192)]
    parts[-1] = parts[-1][:4] + bytes((END_STREAM,)) + parts[-1][5:]
    with connected(running, (INITIAL_WINDOW_SIZE, 0)) as wire:
        wire.sendall(call(1, BATCH_VERIFY) + b"".join(parts))
        eventually(lambda: running.samples("onecode_held_answer_bytes")[()] > 16_384, 60)
        answer = running.stub().BatchVerify(pb.BatchVerifyRequest(codes=[b"x"] * 4096, host_region="440000"))
        assert len(answer.verdicts) == 4096
    eventually(lambda: running.samples("onecode_held_answer_bytes")[()] == 0, 60)


def too_large(verdict: pb.Verdict) -> bool:
    return (verdict.decision, verdict.authenticity, verdict.reason) == (
        pb.DECISION_REFUSE,
        pb.AUTHENTICITY_MALFORMED,
        pb.REASON_CODE_TOO_LARGE,
    )


@pytest.mark.parametrize("size", [CODE_BYTES_MAX + 1, LARGE])
def test_a_code_that_is_too_long_is_malformed_in_every_call(server: Server, size: int) -> None:
    stub, code = server.stub(), b"A" * size
    assert too_large(stub.Verify(pb.VerifyRequest(code=code, host_region="440000"), timeout=60).verdict)
    batch = stub.BatchVerify(pb.BatchVerifyRequest(codes=[code, b"x"], host_region="440000"), timeout=60).verdicts
    assert [too_large(verdict) for verdict in batch] == [True, False]
    scans = [pb.StreamVerifyRequest(request_id=n, code=code, host_region="440000") for n in (1, 2)]
    assert [too_large(one.verdict) for one in stub.StreamVerify(iter(scans), timeout=60)] == [True, True]
    assert too_large(stub.Translate(pb.TranslateRequest(code=code, target_region="440000"), timeout=60).verdict)
    translated = stub.BatchTranslate(pb.BatchTranslateRequest(codes=[code], target_region="440000"), timeout=60)
    assert too_large(translated.results[0].translation.verdict)


def test_a_record_on_a_code_that_is_too_long_is_rejected_by_its_name(running: Server) -> None:
    record = status_pb2.StatusRecord(
        publisher="310000",
        subject=status_pb2.SubjectRef(code=b"SH-" + b"a" * LARGE),
        level=status_pb2.LEVEL_GREEN,
        scope=status_pb2.SCOPE_NATIONAL,
        revision=1,
    )
    record.effective_at.GetCurrentTime()
    requests = [status_pb2.PublishStatusesRequest(sequence=n, record=record) for n in (1, 2, 3)]
    stub = status_pb2_grpc.StatusServiceStub(running.channel())
    answers = list(stub.PublishStatuses(iter(requests), timeout=60))
    rejected = [one for answer in answers for one in answer.rejections]
    assert [one.sequence for one in rejected] == [1, 2, 3]
    assert {one.reason for one in rejected} == {status_pb2.REJECTION_REASON_INVALID_SUBJECT}
    with pytest.raises(grpc.RpcError) as refused:
        stub.GetStatus(status_pb2.GetStatusRequest(subject=record.subject), timeout=60)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("method", ["Verify", "StreamVerify"])
def test_megabytes_that_are_no_message_are_gone_with_their_answer(running: Server, method: str) -> None:
    before, noise = running.anonymous_bytes(), b"\xff" * LARGE
    call_with: grpc.StreamStreamMultiCallable[bytes, bytes] = running.channel().stream_stream(
        f"/onecode.v1.RecognitionService/{method}"
    )
    for _ in range(60):
        answers = call_with(iter([noise]), timeout=60)
        assert answers.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert running.anonymous_bytes() - before < GROWTH_BYTES_MAX
