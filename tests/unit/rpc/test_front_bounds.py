"""The native front and callers that keep no rules: floods of frames, answers that are not taken, bounds."""

import asyncio
import socket
import struct
from contextlib import suppress

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from benchmarks.attacks.connection import (
    ACK,
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    call_headers,
    frame,
    message,
)
from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_driver import SERVICE, Wire, channel, driven, until, window_update

pytestmark = NEEDS_FRONT

ENHANCE_YOUR_CALM = 11
PLAIN = pb.VerifyRequest(code=b"c", host_region="420000")
HELLO = PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0)


def _kinds_and_reasons(port: int, said: bytes) -> list[tuple[int, int]]:
    """Send bytes, and return the type of each frame that comes back, with the reason of a GOAWAY."""
    found = []
    with socket.create_connection(("127.0.0.1", port), timeout=20) as caller, caller.makefile("rb") as read:
        with suppress(ConnectionError):
            caller.sendall(said)
        with suppress(ConnectionError):  # what was not read of the flood makes the end a reset
            while len(head := read.read(9)) == 9:
                payload = read.read(int.from_bytes(head[:3]))
                found.append((head[3], int.from_bytes(payload[4:8]) if head[3] == GOAWAY else 0))
    return found


@pytest.mark.parametrize(
    "flood",
    [
        frame(PING, 0, 0, b"12345678"),
        frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 70_000)),
        frame(PRIORITY, 0, 1, b"\0\0\0\0\1"),
        window_update(0, 1),
        frame(0x77, 0, 0, b"unknown"),
    ],
    ids=["ping", "settings", "priority", "window update", "unknown"],
)
async def test_frames_that_carry_no_call_end_their_connection(flood):
    async with driven() as driver, channel(driver) as calls:
        kinds = await asyncio.to_thread(_kinds_and_reasons, driver.front.port, HELLO + flood * 2000)
        assert kinds[-1] == (GOAWAY, ENHANCE_YOUR_CALM)
        assert driver.front.counts().refused["connection_hostile"] == 1
        assert (await pb_grpc.RecognitionServiceStub(calls).Verify(PLAIN)).trust_list_version == 7


async def test_a_hostile_connection_that_was_told_to_go_and_reads_nothing_is_closed():
    async with driven() as driver:
        wire = await Wire.open(driver)
        wire.send(HELLO, frame(HEADERS, END_HEADERS, 1, call_headers(SERVICE + "Verify")))
        await until(lambda: not driver.front.is_idle)
        driver.front.drain()
        wire.send(frame(PING, 0, 0, b"12345678") * 2000)
        await until(lambda: driver.front.counts().connections == 0)
        await until(lambda: driver.front.is_idle)
        wire.close()


async def test_small_answers_of_batches_that_are_not_taken_count():
    async with driven() as driver:
        wire = await Wire.open(driver)
        body = message(pb.BatchVerifyRequest(codes=[b"c" * 50] * 100, host_region="420000").SerializeToString())
        settings = struct.pack(">HI", 4, 0)
        wire.send(PREFACE, frame(SETTINGS, 0, 0, settings), frame(SETTINGS, ACK, 0))
        for stream in (1, 3, 5):
            wire.send(frame(HEADERS, END_HEADERS, stream, call_headers(SERVICE + "BatchVerify")))
            wire.send(frame(DATA, END_STREAM, stream, body))
        await until(lambda: driver.front.counts().held_bytes > 3 * 5000)
        assert not driver.front.is_idle
        wire.close()
        await until(lambda: driver.front.counts().held_bytes == 0)


@pytest.mark.parametrize(
    "flood",
    [
        b"".join(
            frame(HEADERS, END_HEADERS | END_STREAM, n, call_headers(SERVICE + "Verify"))
            + frame(RST_STREAM, 0, n, CANCEL)
            for n in range(1, 2001, 2)
        ),
        frame(HEADERS, 0, 1, b"\x83") + frame(CONTINUATION, 0, 1, b"\0\1a\1b" * 100) * 1000,
        frame(HEADERS, END_HEADERS, 1, call_headers(SERVICE + "Verify")) + frame(DATA, 0, 1) * 5000,
    ],
    ids=["rapid reset", "continuation", "empty data"],
)
async def test_floods_that_h2_knows_end_their_connection(flood):
    async with driven() as driver:
        wire = await Wire.open(driver)
        wire.send(HELLO, flood)
        await wire.frames()
        await until(lambda: driver.front.counts().connections == 0)
        await until(lambda: driver.front.is_idle)
        wire.close()


async def test_large_headers_are_refused_and_the_connection_lives():
    async with driven() as driver, channel(driver, grpc__max_metadata_size=64 * 1024) as calls:
        stub = pb_grpc.RecognitionServiceStub(calls)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Verify(PLAIN, metadata=(("x-large", "x" * 13_000),), timeout=5)
        assert (await stub.Verify(PLAIN)).trust_list_version == 7


async def test_one_connection_too_many_is_closed_at_once():
    async with driven(connections_max=2) as driver:
        wires = [await Wire.open(driver) for _ in range(3)]
        for wire in wires[:2]:
            wire.send(HELLO)
        assert await wires[2].frames() == []
        assert driver.front.counts().refused == {"connections_full": 1}
        for wire in wires[:2]:
            wire.send(frame(PING, 0, 0, b"12345678"))
            await wire.frame(PING)
        for wire in wires:
            wire.close()
        await until(lambda: driver.front.counts().connections == 0)


async def test_no_connection_too_many_is_taken_where_many_come_at_once():
    async with driven(connections_max=2) as driver:
        callers = [socket.create_connection(("127.0.0.1", driver.front.port), timeout=20) for _ in range(30)]
        refused = 0

        def all_are_refused() -> bool:
            nonlocal refused
            counts = driver.front.counts()
            assert counts.connections <= 2
            refused += counts.refused.get("connections_full", 0)
            return refused == 28

        await until(all_are_refused)
        for caller in callers:
            caller.close()
        await until(lambda: driver.front.counts().connections == 0)


async def test_calls_of_one_connection_are_bounded():
    async with driven(calls_max=2) as driver:
        driver.takes = False
        wire = await Wire.open(driver)
        head, body = call_headers(SERVICE + "Verify"), message(PLAIN.SerializeToString())
        calls = [frame(HEADERS, END_HEADERS, n, head) + frame(DATA, END_STREAM, n, body) for n in (1, 3, 5)]
        wire.send(PREFACE, frame(SETTINGS, 0, 0))
        settings = (await wire.frame(SETTINGS))[2]
        assert (3, 2) in struct.iter_unpack(">HI", settings)
        wire.send(frame(SETTINGS, ACK, 0), *calls)
        _, stream, reason = await wire.frame(RST_STREAM)
        assert (stream, reason) == (5, struct.pack(">I", 7))
        wire.close()


async def test_answers_that_are_not_taken_are_bounded():
    async with driven(held_bytes_max=100_000) as driver:
        wire = await Wire.open(driver)
        request = pb.BatchVerifyRequest(codes=[b"c" * 50] * 1000, host_region="420000").SerializeToString()
        settings = struct.pack(">HI", 4, 0)
        wire.send(PREFACE, frame(SETTINGS, 0, 0, settings), frame(SETTINGS, ACK, 0))
        body = message(request)
        refused = 0
        for stream in range(1, 161, 2):
            pieces = [body[at : at + 16_384] for at in range(0, len(body), 16_384)]
            wire.send(frame(HEADERS, END_HEADERS, stream, call_headers(SERVICE + "BatchVerify")))
            wire.send(*(frame(DATA, 0, stream, piece) for piece in pieces[:-1]))
            wire.send(frame(DATA, END_STREAM, stream, pieces[-1]))
            counts = driver.front.counts()
            while not counts.methods["BatchVerify"][0]:
                await asyncio.sleep(0.005)
                counts = driver.front.counts()
            assert counts.held_bytes <= 200_000
            refused += sum(counts.refused.values())
        assert refused >= 70
        wire.close()
        await until(lambda: driver.front.counts().held_bytes == 0)
