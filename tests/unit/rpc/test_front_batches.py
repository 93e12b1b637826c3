"""BatchVerify by the native front: codes are read when their turn has come, and a call may end before its answer."""

import asyncio
import socket
import struct

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
    HEADERS,
    PREFACE,
    SETTINGS,
    call_headers,
    field,
    frame,
    message,
)
from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_driver import SERVICE, Wire, bytes_call, channel, driven, until

pytestmark = NEEDS_FRONT


def _batch(count: int, size: int = 1) -> pb.BatchVerifyRequest:
    return pb.BatchVerifyRequest(codes=[b"c" * size] * count, host_region="420000")


async def test_batches_of_all_sizes_are_answered():
    async with driven() as driver, channel(driver) as calls:
        stub = pb_grpc.RecognitionServiceStub(calls)
        for count, size in ((1, 8), (1000, 180), (4096, 1000)):
            codes = [f"{n}".rjust(size, "-").encode() for n in range(count)]
            answer = await stub.BatchVerify(pb.BatchVerifyRequest(codes=codes, host_region="420000"))
            assert [verdict.exception_id.encode() for verdict in answer.verdicts] == codes
        counts = driver.front.counts()
        assert counts.passed_on == 0
        assert counts.methods["BatchVerify"][:4] == (3, 3, 3, {0: 3})
        await until(lambda: driver.front.counts().held_bytes == 0)


@pytest.mark.parametrize("count", [0, 4097])
async def test_a_batch_out_of_bounds_is_passed_on(count):
    async with driven() as driver, channel(driver) as calls:
        odd = pb.BatchVerifyRequest(codes=[b"c"] * count, host_region="420000").SerializeToString()
        assert [answer async for answer in bytes_call(calls, "BatchVerify")([odd])] == [odd]


async def test_refused_batches_leave_their_connection_in_use():
    async with driven(queue_codes_max=1) as driver, channel(driver) as calls:
        driver.takes = False
        stub = pb_grpc.RecognitionServiceStub(calls)
        first = stub.BatchVerify(pb.BatchVerifyRequest(codes=[b"c"], host_region="420000"))
        await until(driver.front.turn)
        large = pb.BatchVerifyRequest(codes=[b"c" * 1000] * 400, host_region="420000")
        refused = await asyncio.gather(*(stub.BatchVerify(large) for _ in range(400)), return_exceptions=True)
        assert {fault.code() for fault in refused if isinstance(fault, grpc.aio.AioRpcError)} == {
            grpc.StatusCode.RESOURCE_EXHAUSTED
        }
        driver.takes = True
        driver.take()
        assert len((await first).verdicts) == 1
        assert driver.front.counts().refused == {"queue_full": 400}


async def test_the_codes_of_refused_calls_are_counted():
    async with driven(queue_codes_max=10, queue_age_s=0.05) as driver, channel(driver) as calls:
        driver.takes = False
        stub = pb_grpc.RecognitionServiceStub(calls)
        batches = [stub.BatchVerify(pb.BatchVerifyRequest(codes=[b"c"] * 9, host_region="420000")) for _ in range(2)]
        await until(lambda: driver.front.turn() == 2)
        await asyncio.sleep(0.1)
        assert driver.front.take_batch() is None
        driver.turn()
        for batch in batches:
            with pytest.raises(grpc.aio.AioRpcError):
                await batch
        counts = driver.front.counts()
        assert (counts.refused, counts.shed_codes) == ({"queue_late": 2}, 18)


async def test_a_batch_in_check_ends_where_its_caller_leaves():
    async with driven() as driver, channel(driver) as calls:
        driver.takes = False
        stub = pb_grpc.RecognitionServiceStub(calls)
        batch = pb.BatchVerifyRequest(codes=[b"c"] * 9, host_region="420000")
        left = stub.BatchVerify(batch)
        await until(lambda: driver.front.turn() == 1)
        taken = driver.front.take_batch()
        assert taken is not None
        ticket = taken[0]
        assert taken[1:] == ("420000", 9, None)
        left.cancel()
        await until(lambda: driver.ended)
        assert driver.ended == [ticket]
        assert driver.front.read_batch(ticket) is None
        driver.front.answer_whole(ticket, b"")  # it reaches nobody
        with pytest.raises(ValueError, match="no such ticket"):
            driver.front.forget(ticket)
        assert driver.front.counts().methods["BatchVerify"][2:4] == (0, {1: 1})
        assert driver.front.is_idle


async def test_a_batch_in_check_ends_at_its_deadline():
    async with driven() as driver:
        driver.takes = False
        wire = await Wire.open(driver)
        head = call_headers(SERVICE + "BatchVerify") + field(b"grpc-timeout", b"200m")
        body = message(pb.BatchVerifyRequest(codes=[b"c"] * 9, host_region="420000").SerializeToString())
        wire.send(
            PREFACE, frame(SETTINGS, 0, 0), frame(HEADERS, END_HEADERS, 1, head), frame(DATA, END_STREAM, 1, body)
        )
        await until(driver.front.turn)
        ticket, _, _, left_s = driver.front.take_batch() or (0, "", 0, None)
        assert left_s is not None
        assert 0 < left_s <= 0.2
        assert driver.front.read_batch(ticket) == [b"c"] * 9
        flags, stream, _ = await wire.frame(HEADERS)
        assert (flags & END_STREAM, stream) == (END_STREAM, 1)
        assert driver.ended == [ticket]
        counts = driver.front.counts()
        assert (counts.methods["BatchVerify"][3], counts.refused) == ({4: 1}, {"deadline": 1})
        driver.front.forget(ticket)
        wire.close()


async def test_a_batch_that_is_forgotten_is_reset():
    async with driven() as driver, channel(driver) as calls:
        driver.takes = False
        call = pb_grpc.RecognitionServiceStub(calls).BatchVerify(_batch(9))
        await until(driver.front.turn)
        ticket = (driver.front.take_batch() or (-1,))[0]
        driver.front.forget(ticket)
        driver.turn()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
        assert driver.front.is_idle
        assert driver.ended == []


async def test_large_batches_that_come_together_are_all_read():
    async with driven() as driver:
        driver.takes = False
        opened = [channel(driver) for _ in range(4)]
        large = _batch(4000, 1000)
        asked = [pb_grpc.RecognitionServiceStub(calls).BatchVerify(large) for calls in opened]
        for _ in asked:
            await until(driver.front.turn)
            driver.take()
        assert [len((await call).verdicts) for call in asked] == [4000] * 4
        await until(lambda: driver.front.counts().held_bytes == 0)
        for calls in opened:
            await calls.close()


async def test_a_ticket_that_was_given_back_ends_no_other_batch():
    async with driven(has_upstream=False) as driver:
        front = driver.front
        asyncio.get_running_loop().remove_reader(front.fileno())  # turned by hand, so that nothing comes in between
        with socket.create_connection(("127.0.0.1", front.port)) as caller:
            caller.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0))
            for stream in (1, 3):
                caller.sendall(frame(HEADERS, END_HEADERS, stream, call_headers(SERVICE + "BatchVerify")))
                caller.sendall(frame(DATA, END_STREAM, stream, message(_batch(3).SerializeToString())))
            await until(lambda: front.turn() == 2)
            first, second = (taken[0] for _ in range(2) if (taken := front.take_batch()) is not None)
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its end is a reset
        front.answer_whole(first, b"x" * 2000)
        await until(lambda: front.has_work)
        front.forget(second)
        assert front.take_ended() == []


async def test_small_batches_that_wait_count_as_held():
    async with driven(has_upstream=False) as driver:
        driver.takes = False
        wire = await Wire.open(driver)
        wire.send(PREFACE, frame(SETTINGS, 0, 0), frame(SETTINGS, ACK, 0))
        bytes_each = len(_batch(4, 4000).SerializeToString())
        for stream in range(1, 21, 2):
            wire.send(frame(HEADERS, END_HEADERS, stream, call_headers(SERVICE + "BatchVerify")))
            wire.send(frame(DATA, END_STREAM, stream, message(_batch(4, 4000).SerializeToString())))
        front, taken = driver.front, []

        def have_all_come() -> bool:
            while (batch := front.take_batch()) is not None:
                taken.append(batch[0])
            return len(taken) == 10

        await until(have_all_come)
        assert front.counts().held_bytes >= 10 * bytes_each
        for ticket in taken:
            front.forget(ticket)
        await until(lambda: front.counts().held_bytes == 0)
