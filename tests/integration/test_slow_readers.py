"""Callers that do not take their answers: they are held back, the server's memory stays as it is, the others go on."""

import asyncio
import signal
import time
from itertools import islice
from typing import Any

import grpc

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2, status_pb2_grpc

from benchmarks import http2
from benchmarks.attacks.connection import Connection, call_headers, message
from tests.integration.deployment import Deployment, Server, eventually
from tests.integration.slow_reader import OFFERED, SMALL_WINDOW, Offer, scan

GROWTH_BYTES_MAX = 16 * 2**20
"""Far under the 60 MB and more that are offered. The transport takes in some megabytes of a stream before it holds it
back, and a server's first thousand scans fill its caches."""


def test_a_scanner_that_does_not_read_is_held_back_and_gets_every_answer_once_when_it_reads_on(
    running: Server, deployment: Deployment
) -> None:
    codes = deployment.issue("420000", count=50)
    assert min(map(len, codes)) >= 250
    code = codes[0]
    assert running.verify(code).verdict.decision == pb.DECISION_ADMIT
    before = running.anonymous_bytes()
    offer = Offer(lambda n: pb.StreamVerifyRequest(request_id=n, code=codes[n % 50], host_region="440000"))
    answers = scan(running, offer)
    eventually(offer.is_held_back, 60)
    assert offer.sent < OFFERED / 4
    assert running.anonymous_bytes() - before < GROWTH_BYTES_MAX
    assert running.verify(code).verdict.decision == pb.DECISION_ADMIT
    offer.read_on()
    found = [(one.request_id, one.verdict.decision) for one in answers]
    assert answers.code() is grpc.StatusCode.OK
    assert found == [(number, pb.DECISION_ADMIT) for number in range(1, offer.sent + 1)]
    assert running.anonymous_bytes() - before < GROWTH_BYTES_MAX


def test_a_publisher_that_does_not_read_is_held_back(running: Server, deployment: Deployment) -> None:
    code = deployment.issue("420000")[0]
    running.verify(code)
    before = running.anonymous_bytes()
    # Each is rejected, so that the answers are as long as the requests.
    record = status_pb2.StatusRecord(
        publisher="999999",
        subject=status_pb2.SubjectRef(local=status_pb2.LocalSubject(region="420000", id="x" * 200)),
        level=status_pb2.LEVEL_GREEN,
        scope=status_pb2.SCOPE_NATIONAL,
        revision=1,
    )
    record.effective_at.GetCurrentTime()
    offer = Offer(lambda n: status_pb2.PublishStatusesRequest(sequence=n, record=record))
    answers = status_pb2_grpc.StatusServiceStub(running.channel(*SMALL_WINDOW)).PublishStatuses(iter(offer))
    eventually(offer.is_held_back, 60)
    assert offer.sent < OFFERED / 4
    assert running.anonymous_bytes() - before < GROWTH_BYTES_MAX
    assert running.verify(code).verdict.decision == pb.DECISION_ADMIT
    offer.read_on()
    rejected = [one.sequence for answer in answers for one in answer.rejections]
    assert rejected == list(range(1, offer.sent + 1))


def test_one_stream_fills_batches(running: Server, deployment: Deployment) -> None:
    codes = deployment.issue("420000", count=100)
    scans = (pb.StreamVerifyRequest(request_id=n, code=codes[n % 100], host_region="440000") for n in range(3000))
    # All at once: a client that makes one message after the other is slower than a front that checks each.
    sent = b"".join(http2.framed(one.SerializeToString()) for one in scans)

    async def stream() -> int:
        answered, are_there = 0, asyncio.Event()

        def count(more: int) -> None:
            nonlocal answered
            answered += more
            if answered >= 3000:
                are_there.set()

        caller = await http2.Connection("/onecode.v1.RecognitionService/StreamVerify", running.address).open()
        number = caller.begin(count)
        caller.send(number, sent)
        async with asyncio.timeout(100):
            await are_there.wait()
            await caller.end(number)
        caller.close()
        return answered

    assert asyncio.run(stream()) == 3000
    assert running.samples("onecode_batch_codes_sum")[()] == 3000
    assert running.samples("onecode_batch_codes_count")[()] < 1000


def test_on_drain_every_scan_that_was_read_is_answered_and_the_stream_ends_cleanly(
    deployment: Deployment, serve: Any
) -> None:
    running: Server = serve(deployment, "--drain-s", 30)
    code = deployment.issue("420000")[0]
    offer = Offer(lambda n: pb.StreamVerifyRequest(request_id=n, code=code, host_region="440000"))
    answers = scan(running, offer)
    found = [one.request_id for one in islice(answers, 1)]
    eventually(offer.is_held_back, 60)
    received = ("StreamVerify", "onecode.v1.RecognitionService", "bidi_stream")
    read = running.samples("grpc_server_msg_received_total")[received]
    running.process.send_signal(signal.SIGTERM)
    eventually(lambda: any(line["message"] == "draining" for line in running.log()), 30)
    time.sleep(0.5)  # the server looks at its streams, while nobody reads
    found += [one.request_id for one in answers]
    assert answers.code() is grpc.StatusCode.OK
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= read
    assert running.end() == 0


async def test_a_caller_that_goes_away_while_an_answer_is_written_is_no_failure_of_the_servers(
    running: Server, deployment: Deployment
) -> None:
    request = pb.StreamVerifyRequest(request_id=1, code=deployment.issue("420000")[0], host_region="440000")
    handled = ("CANCELLED", "StreamVerify", "onecode.v1.RecognitionService", "bidi_stream")
    for count in range(1, 4):
        connection = await Connection.open(running.address, 0, takes=False)
        stream = await connection.begin(call_headers("/onecode.v1.RecognitionService/StreamVerify"))
        await connection.send(stream, message(request.SerializeToString()))
        eventually(lambda: sum(running.samples("onecode_verdicts_total").values()) >= count, 60)  # noqa: B023
        connection.close()
        await asyncio.sleep(0.1)
        eventually(lambda: running.samples("grpc_server_handled_total").get(handled) == count, 60)  # noqa: B023
    assert [line for line in running.log() if line["level"] == "error"] == []
