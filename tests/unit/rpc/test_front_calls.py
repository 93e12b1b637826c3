"""Verify and BatchVerify by the native front: what is plain is handed over as codes, and what is odd is passed on."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from benchmarks.attacks.connection import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    SETTINGS,
    call_headers,
    field,
    frame,
    message,
)
from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_driver import OVERLOADED, SERVICE, TOKEN, Wire, bytes_call, channel, driven, until

pytestmark = NEEDS_FRONT


def _verify(code: bytes = b"NC1:code", host: str = "420000") -> pb.VerifyRequest:
    return pb.VerifyRequest(code=code, host_region=host)


async def test_single_calls_are_handed_over_together_and_answered_each():
    async with driven() as driver, channel(driver) as calls:
        stub = pb_grpc.RecognitionServiceStub(calls)
        codes = [f"code {n}" for n in range(50)]
        hosts = [f"{n % 3}10000" for n in range(50)]
        asked = [stub.Verify(_verify(code.encode(), host)) for code, host in zip(codes, hosts, strict=True)]
        answers = await asyncio.gather(*asked)
        assert [answer.verdict.exception_id for answer in answers] == codes
        assert [answer.verdict.home_region for answer in answers] == hosts
        assert {answer.trust_list_version for answer in answers} == {7}
        counts = driver.front.counts()
        started, received, sent, handled, latencies, seconds = counts.methods["Verify"]
        assert (started, received, sent, handled) == (50, 50, 50, {0: 50})
        assert sum(latencies) == 50
        assert seconds > 0
        assert counts.queued_codes == 0
        assert counts.passed_on == 0
        assert driver.front.is_idle


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"\xff\xff",
        _verify(host="42000").SerializeToString(),
        _verify(host="42000x").SerializeToString(),
        _verify().SerializeToString() + b"\x18\x01",
        _verify().SerializeToString() * 2,
        _verify(b"c" * 4097).SerializeToString(),
        _verify(b"c" * 3_000_000).SerializeToString(),
        b"\x12\x06\xff\xfe\xfd\xfc\xfb\xfa",
    ],
    ids=len,
)
async def test_an_odd_request_is_passed_on_as_it_came(odd):
    async with driven() as driver, channel(driver) as calls:
        call = bytes_call(calls, "Verify")([odd])
        assert [answer async for answer in call] == [odd]
        counts = driver.front.counts()
        assert (counts.passed_on, counts.methods["Verify"][0]) == (1, 0)


async def test_calls_with_no_message_or_two_are_passed_on():
    async with driven() as driver, channel(driver) as calls:
        plain = _verify().SerializeToString()
        for messages in ([], [plain, plain]):
            assert [answer async for answer in bytes_call(calls, "Verify")(messages)] == messages
        assert driver.front.counts().passed_on == 2


async def test_other_methods_are_passed_on_with_metadata_and_failures():
    async with driven() as driver, channel(driver) as calls:
        sent = (("x-mine", "1"), ("x-fail", "1"), ("x-onecode-token", "stolen"), ("x-onecode-peer", "me"))
        call = bytes_call(calls, "/any.Service/Method")(iter([b"one", b"two"]), metadata=(*sent, ("x-onecode-a", "1")))
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            [answer async for answer in call]
        assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.DATA_LOSS, "as asked: 号")
        first = dict(await call.initial_metadata())
        assert first["x-first"] == "yes"
        trailers = dict(await call.trailing_metadata())
        assert trailers["x-more"] == "1"


async def test_the_listener_behind_is_told_who_calls_and_by_whom():
    async with driven() as driver, channel(driver) as calls:
        sent = (("x-onecode-token", "stolen"), ("x-onecode-peer", "me"), ("x-onecode-new", "1"), ("x-mine", "1"))
        call = bytes_call(calls, "/any.Service/Method")([b"one"], metadata=sent)
        assert [answer async for answer in call] == [b"one"]
        trailers = dict(await call.trailing_metadata())
        assert trailers["x-onecode-token"] == TOKEN
        assert trailers["x-onecode-peer"].startswith("ipv4:127.0.0.1:")
        assert (trailers["x-mine"], trailers["x-echo-bin"]) == ("1", b"\x00\xff")
        assert "x-onecode-new" not in trailers


async def test_a_compressed_call_is_passed_on():
    async with driven() as driver, channel(driver) as calls:
        plain = _verify(b"c" * 2000).SerializeToString()
        call = bytes_call(calls, "Verify")([plain], compression=grpc.Compression.Gzip)
        assert [answer async for answer in call] == [plain]
        assert driver.front.counts().passed_on == 1


async def test_without_a_listener_behind_a_call_is_unavailable_and_plain_ones_are_answered():
    async with driven(has_upstream=False) as driver, channel(driver) as calls:
        method: Any = calls.unary_unary("/any.Service/Method")
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await method(b"one")
        assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
        assert (await pb_grpc.RecognitionServiceStub(calls).Verify(_verify())).verdict.exception_id == "NC1:code"


async def test_a_failure_is_told_with_its_details():
    async with driven() as driver, channel(driver) as calls:
        driver.answers = False
        call = pb_grpc.RecognitionServiceStub(calls).Verify(_verify())
        await until(lambda: driver.works)
        driver.front.fail(driver.works.pop()[0], (14, "not now: 号 50 %", b"\x00\xffdetails"))
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call
        assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.UNAVAILABLE, "not now: 号 50 %")
        assert dict(failed.value.trailing_metadata())["grpc-status-details-bin"] == b"\x00\xffdetails"
        assert driver.front.counts().methods["Verify"][3] == {14: 1}


async def test_a_full_queue_refuses_at_once_and_single_calls_have_places_of_their_own():
    async with driven(queue_codes_max=10) as driver, channel(driver) as calls:
        driver.takes = False
        stub = pb_grpc.RecognitionServiceStub(calls)
        batch = stub.BatchVerify(pb.BatchVerifyRequest(codes=[b"c"] * 12, host_region="420000"))
        await until(lambda: driver.front.turn() == 1)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.BatchVerify(pb.BatchVerifyRequest(codes=[b"c"], host_region="420000"))
        assert (refused.value.code().value[0], refused.value.details()) == OVERLOADED[:2]
        assert dict(refused.value.trailing_metadata())["grpc-status-details-bin"] == OVERLOADED[2]
        single = stub.Verify(_verify())
        await until(lambda: driver.front.turn() == 2)
        counts = driver.front.counts()
        assert (counts.refused, counts.queued_codes) == ({"queue_full": 1}, 13)
        assert counts.shed_codes == 0, "the batch was not read"
        driver.answer_all()
        assert len((await batch).verdicts) == 12
        await single
        assert driver.front.counts().queued_codes == 0


async def test_calls_that_waited_too_long_are_refused():
    async with driven(queue_age_s=0.05) as driver, channel(driver) as calls:
        driver.takes = False
        call = pb_grpc.RecognitionServiceStub(calls).Verify(_verify())
        await until(driver.front.turn)
        await asyncio.sleep(0.1)
        driver.take()
        driver.turn()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        counts = driver.front.counts()
        assert (counts.refused, counts.shed_codes) == ({"queue_late": 1}, 1)


async def test_a_call_whose_caller_has_gone_is_not_handed_over():

    async with driven() as driver, channel(driver) as calls:
        driver.takes = False
        call = pb_grpc.RecognitionServiceStub(calls).Verify(_verify())
        await until(driver.front.turn)
        call.cancel()
        await asyncio.sleep(0.1)
        assert driver.front.take(512) == []
        counts = driver.front.counts()
        assert counts.methods["Verify"][3] == {1: 1}
        assert counts.queued_codes == 0
        assert driver.front.is_idle


async def test_a_call_past_its_deadline_is_not_handed_over():
    async with driven() as driver:
        driver.takes = False
        wire = await Wire.open(driver)
        head = call_headers(SERVICE + "Verify") + field(b"grpc-timeout", b"50m")
        body = message(_verify().SerializeToString())
        wire.send(
            PREFACE, frame(SETTINGS, 0, 0), frame(HEADERS, END_HEADERS, 1, head), frame(DATA, END_STREAM, 1, body)
        )
        await until(driver.front.turn)
        await asyncio.sleep(0.1)
        assert driver.front.take(512) == []
        driver.turn()
        flags, stream, _ = await wire.frame(HEADERS)
        assert (flags & END_STREAM, stream) == (END_STREAM, 1)
        counts = driver.front.counts()
        assert (counts.methods["Verify"][3], counts.refused) == ({4: 1}, {"deadline": 1})
        wire.close()


async def test_answers_that_do_not_fit_are_errors_of_python():
    async with driven() as driver, channel(driver) as calls:
        driver.answers = False
        call = pb_grpc.RecognitionServiceStub(calls).Verify(_verify())
        await until(lambda: driver.works)
        ticket = driver.works.pop()[0]
        with pytest.raises(ValueError, match="no such ticket"):
            driver.front.answer_whole(ticket + 1, b"")
        with pytest.raises(ValueError, match="for each code"):
            driver.front.answer_whole(ticket, b"")
        driver.turn()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
