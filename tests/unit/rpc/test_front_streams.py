"""StreamVerify by the native front: answers in order, flow control both ways, and each way in which a stream ends."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_driver import IDLE, Driver, bytes_call, channel, driven, until

pytestmark = NEEDS_FRONT


def _request(number: int, host: str = "420000") -> pb.StreamVerifyRequest:
    return pb.StreamVerifyRequest(request_id=number, code=f"code {number}".encode(), host_region=host)


async def _has_taken(driver: Driver, count: int) -> None:
    await until(lambda: sum(len(codes) for *_, codes in driver.works) == count)


async def _until_it_failed(call: Any) -> tuple[list[Any], grpc.aio.AioRpcError]:
    answers: list[Any] = []
    try:
        while (answer := await call.read()) is not grpc.aio.EOF:
            answers.append(answer)
    except grpc.aio.AioRpcError as failed:
        return answers, failed
    raise AssertionError("the stream did not fail")


async def test_answers_come_in_the_order_of_their_requests():
    async with driven() as driver, channel(driver) as calls:
        stub = pb_grpc.RecognitionServiceStub(calls)
        requests = [_request(n, f"{n % 5}10000") for n in range(5000)]
        answers = [answer async for answer in stub.StreamVerify(iter(requests))]
        assert [answer.request_id for answer in answers] == list(range(5000))
        assert [answer.verdict.exception_id for answer in answers] == [f"code {n}" for n in range(5000)]
        assert {answer.trust_list_version for answer in answers} == {7}
        counts = driver.front.counts()
        assert counts.methods["StreamVerify"][:4] == (1, 5000, 5000, {0: 1})
        assert counts.queued_codes == 0


async def test_answers_that_are_made_out_of_order_leave_in_order():
    async with driven() as driver, channel(driver) as calls:
        driver.answers = False
        call = pb_grpc.RecognitionServiceStub(calls).StreamVerify()
        for number in range(1, 7):
            await call.write(_request(number))
            await _has_taken(driver, number)
        assert len(driver.works) == 6
        driver.answer_all()
        await call.done_writing()
        assert [answer.request_id async for answer in call] == [1, 2, 3, 4, 5, 6]


async def test_an_odd_message_is_handed_over_whole_and_answered_in_its_place():
    async with driven() as driver, channel(driver) as calls:
        odd = _request(2).SerializeToString() + b"\x20\x01"
        messages = [_request(1).SerializeToString(), odd, _request(3).SerializeToString()]
        driver.answers = False
        call = bytes_call(calls, "StreamVerify")(iter(messages))
        await _has_taken(driver, 3)
        assert ("message", ["0"], [odd]) in [work[1:] for work in driver.works]
        driver.answer_all()
        answers = [pb.StreamVerifyResponse.FromString(answer) async for answer in call]
        assert [answer.request_id for answer in answers] == [1, 2, 3]
        assert answers[1].verdict.exception_id == "odd"


async def test_a_failure_ends_a_stream_after_the_answers_before_it():
    async with driven() as driver, channel(driver) as calls:
        driver.answers = False
        call = pb_grpc.RecognitionServiceStub(calls).StreamVerify()
        for number, host in ((1, "420000"), (2, "no"), (3, "420000")):
            await call.write(_request(number, host))
        await _has_taken(driver, 3)
        for work in [work for work in driver.works if work[1] == "message"]:
            driver.front.fail(work[0], (3, "not six digits", b"details"))
            driver.works.remove(work)
        driver.answer_all()
        answers, failed = await _until_it_failed(call)
        assert [answer.request_id for answer in answers] == [1]
        assert (failed.code(), failed.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "not six digits")
        counts = driver.front.counts()
        assert counts.methods["StreamVerify"][3] == {3: 1}
        assert counts.queued_codes == 0


async def test_a_stream_is_read_512_messages_ahead_and_on_when_they_are_answered():
    async with driven() as driver, channel(driver) as calls:
        driver.takes = driver.answers = False
        call = pb_grpc.RecognitionServiceStub(calls).StreamVerify(_request(n) for n in range(3000))
        await until(lambda: driver.front.turn() == 512)
        await asyncio.sleep(0.2)
        assert driver.front.turn() == 512
        driver.takes = driver.answers = True
        driver.take()
        assert len([answer async for answer in call]) == 3000


async def test_a_caller_that_takes_no_answers_is_not_read_on():
    async with (
        driven() as driver,
        channel(driver, grpc__http2__bdp_probe=0, grpc__http2__lookahead_bytes=65535) as calls,
    ):
        call = pb_grpc.RecognitionServiceStub(calls).StreamVerify(_request(n) for n in range(200_000))
        await call.read()
        received = -1
        while (now := driver.front.counts().methods["StreamVerify"][1]) != 0 or received == -1:
            received = max(received, 0) + now
            await asyncio.sleep(0.3)
        assert received < 20_000
        assert driver.front.counts().queued_codes == 0
        call.cancel()
        await until(lambda: driver.front.is_idle)


async def test_a_full_queue_holds_streams_back_and_refuses_none():
    async with driven(queue_codes_max=100) as driver, channel(driver) as calls:
        driver.takes = driver.answers = False
        stub = pb_grpc.RecognitionServiceStub(calls)
        asked = [stub.StreamVerify(_request(n) for n in range(400)) for _ in range(3)]
        await until(lambda: driver.front.turn() == 100)
        driver.takes = driver.answers = True
        driver.take()
        for call in asked:
            assert len([answer async for answer in call]) == 400
        assert driver.front.counts().refused == {}


async def test_a_drain_ends_a_stream_after_the_answers_to_what_was_read():
    async with driven() as driver, channel(driver) as calls:
        driver.answers = False
        call = pb_grpc.RecognitionServiceStub(calls).StreamVerify()
        await call.write(_request(1))
        await until(lambda: driver.works)
        driver.front.drain()
        assert not driver.front.is_idle
        await call.write(_request(2))
        await asyncio.sleep(0.05)
        driver.answer_all()
        assert [answer.request_id async for answer in call] == [1]
        assert await call.code() is grpc.StatusCode.OK
        await until(lambda: driver.front.is_idle)
        await until(lambda: driver.front.counts().connections == 0)


async def test_a_silent_stream_is_ended():
    async with driven(stream_idle_s=0.1) as driver, channel(driver) as calls:
        call = pb_grpc.RecognitionServiceStub(calls).StreamVerify()
        await call.write(_request(1))
        answer: Any = await call.read()
        assert answer.request_id == 1
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()
        assert (ended.value.code().value[0], ended.value.details()) == IDLE[:2]
        assert driver.front.counts().refused == {"stream_idle": 1}


async def test_one_stream_too_many_is_refused_where_none_is_silent():
    async with driven(streams_max=1) as driver, channel(driver) as calls:
        stub = pb_grpc.RecognitionServiceStub(calls)
        first = stub.StreamVerify()
        await first.write(_request(1))
        await first.read()
        second = stub.StreamVerify()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await second.read()
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await first.done_writing()
        assert await first.read() is grpc.aio.EOF
        third = stub.StreamVerify(iter([_request(1)]))
        assert len([answer async for answer in third]) == 1
        assert driver.front.counts().refused == {"stream_refused": 1}


async def test_a_deadline_ends_a_stream_and_a_caller_that_leaves_is_forgotten():
    async with driven() as driver, channel(driver) as calls:
        driver.answers = False
        stub = pb_grpc.RecognitionServiceStub(calls)
        late = stub.StreamVerify(iter([_request(1)]), timeout=0.2)
        left = stub.StreamVerify(iter([_request(1)]))
        await _has_taken(driver, 2)
        left.cancel()
        assert await late.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: driver.front.is_idle)
        driver.answer_all()
        assert driver.front.counts().queued_codes == 0


async def test_a_large_odd_message_counts_until_it_is_answered():
    async with driven() as driver, channel(driver) as calls:
        driver.takes = driver.answers = False
        odd = pb.StreamVerifyRequest(request_id=1, code=b"x" * 1_000_000, host_region="420000").SerializeToString()
        call = bytes_call(calls, "StreamVerify")(iter([odd]))
        await until(lambda: driver.front.turn() == 1)
        assert len(odd) <= driver.front.counts().held_bytes < 2 * len(odd)
        driver.take()
        assert driver.front.counts().held_bytes >= len(odd)
        driver.answers = True
        driver.answer_all()
        assert len([answer async for answer in call]) == 1
        assert driver.front.counts().held_bytes == 0


async def test_a_message_that_is_too_large_ends_its_stream_alone():
    async with driven() as driver, channel(driver) as calls:
        messages = [_request(1).SerializeToString(), b"x" * (5 * 1024 * 1024)]
        call = bytes_call(calls, "StreamVerify")(iter(messages))
        answers, failed = await _until_it_failed(call)
        assert len(answers) == 1
        assert failed.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "larger than max" in str(failed.details())
        await until(lambda: driver.front.counts().held_bytes == 0)
