"""The native front and connections that have had their time: what runs is answered, later calls come by others."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from benchmarks.attacks.connection import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    SETTINGS,
    call_headers,
    frame,
    message,
)
from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_driver import SERVICE, Wire, bytes_call, channel, driven, until

pytestmark = NEEDS_FRONT

CHECK = pb.VerifyRequest(code=b"code", host_region="420000")
SCAN = pb.StreamVerifyRequest(request_id=1, code=b"code", host_region="420000")
UPSTREAM = "/any.Service/Method"
YOUNG_S = 0.05
NEVER_S = 3600.0


async def test_a_call_that_runs_is_answered_and_the_connection_ends_then():
    async with driven(age_s=YOUNG_S) as driver:
        driver.answers = False
        wire = await Wire.open(driver)
        wire.send(
            PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0),
            frame(HEADERS, END_HEADERS, 1, call_headers(SERVICE + "Verify")),
            frame(DATA, END_STREAM, 1, message(CHECK.SerializeToString())),
        )
        await until(lambda: driver.works)
        _, _, first = await wire.frame(GOAWAY)
        assert int.from_bytes(first[:4]) == 2**31 - 1  # calls that are on their way are taken still
        _, _, ping = await wire.frame(PING)
        wire.send(frame(PING, ACK, 0, ping))
        _, _, last = await wire.frame(GOAWAY)
        assert int.from_bytes(last[:4]) == 1
        driver.answer_all()
        kinds = [(kind, stream) for kind, _, stream, _ in await wire.frames()]
        assert (DATA, 1) in kinds
        await until(lambda: driver.front.counts().connections == 0)
        wire.close()


async def test_no_call_fails_while_connections_are_renewed():
    # With retries, as by default: a call that gRPC has not written when the goodbye comes takes another connection.
    async with driven(age_s=YOUNG_S) as driver, channel(driver, grpc__enable_retries=1) as calls:
        stub = pb_grpc.RecognitionServiceStub(calls)
        peers: set[object] = set()
        while len(peers) < 4:
            passed_on = bytes_call(calls, UPSTREAM)([b"one"])
            assert [answer async for answer in passed_on] == [b"one"]
            peers.add(dict(await passed_on.trailing_metadata())["x-onecode-peer"])
            answered = await asyncio.gather(*(stub.Verify(CHECK) for _ in range(20)))
            assert {answer.trust_list_version for answer in answered} == {7}
        assert driver.front.counts().refused == {}


async def test_a_stream_goes_on_after_the_goodbye_and_ends_with_ok_when_it_has_had_its_time():
    async with driven(age_s=YOUNG_S, age_ends_s=0.3) as driver, channel(driver) as calls:
        driver.answers = False
        call = pb_grpc.RecognitionServiceStub(calls).StreamVerify()
        await call.write(SCAN)
        await until(lambda: driver.works)
        await asyncio.sleep(2 * YOUNG_S)
        driver.answer_all()
        driver.answers = True
        answer: Any = await call.read()
        assert answer.request_id == 1
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK
        await until(lambda: driver.front.counts().connections == 0)


async def test_what_a_stream_has_sent_is_answered_before_it_ends():
    async with driven(age_s=YOUNG_S, age_ends_s=YOUNG_S) as driver, channel(driver) as calls:
        driver.answers = False
        call = pb_grpc.RecognitionServiceStub(calls).StreamVerify()
        await call.write(SCAN)
        await until(lambda: driver.works)
        await asyncio.sleep(4 * YOUNG_S)
        driver.answer_all()
        assert [answer.request_id async for answer in call] == [1]
        assert await call.code() is grpc.StatusCode.OK


async def test_a_call_that_stays_for_ever_is_cut():
    cutting = driven(age_s=YOUNG_S, age_ends_s=YOUNG_S, keepalive_timeout_s=YOUNG_S)
    async with cutting as driver, channel(driver) as calls:
        call = bytes_call(calls, UPSTREAM)()
        await call.write(b"one")
        assert await call.read() == b"one"
        with pytest.raises(grpc.aio.AioRpcError) as cut:
            await call.read()
        assert cut.value.code() is grpc.StatusCode.UNAVAILABLE
        await until(lambda: driver.front.counts().connections == 0)


async def test_a_connection_that_is_young_is_told_nothing():
    async with driven(age_s=NEVER_S, idle_s=NEVER_S) as driver:
        wire = await Wire.open(driver)
        wire.send(PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0))
        wire.send(frame(PING, 0, 0, b"12345678"))
        kinds = []
        async for kind, flags, _, _ in wire:
            kinds.append(kind)
            if kind == PING and flags & ACK:
                break
        assert GOAWAY not in kinds
        wire.close()
