"""The records of the native front's TLS: in what pieces they come and leave, and what they may cost."""

import asyncio
import contextlib
import socket
import struct

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
from tests.unit.rpc.front_driver import SERVICE, channel, driven, until, window_update
from tests.unit.rpc.front_tls import Pki, Records, refusals

pytestmark = NEEDS_FRONT

PLAIN = pb.VerifyRequest(code=b"code", host_region="420000")
HELLO = PREFACE + frame(SETTINGS, 0, 0)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


async def test_bytes_that_come_one_by_one_are_put_together(pki):
    async with driven(tls=pki.tls()) as driver:
        caller = await Records.open(driver.front.port, pki.context(pki.caller()))

        async def send_one_by_one(records: bytes) -> None:
            for byte in records:
                caller.writer.write(bytes([byte]))
                await caller.writer.drain()

        await send_one_by_one(caller.say_hello())
        await send_one_by_one(await caller.finish())
        await send_one_by_one(caller.records(HELLO + frame(PING, 0, 0, b"12345678")))
        received = b""
        while b"12345678" not in received:
            received += await caller.read()
        await send_one_by_one(caller.goodbye())
        assert await refusals(driver) == {}
        caller.writer.close()


async def test_an_answer_leaves_in_few_records(pki):
    """A record has 16 KiB at most. As many records as frames would be a waste."""
    body = message(pb.BatchVerifyRequest(codes=[b"c" * 100] * 300, host_region="420000").SerializeToString())
    pieces = [body[at : at + 16_384] for at in range(0, len(body), 16_384)]
    async with driven(tls=pki.tls()) as driver:
        caller = await Records.open(driver.front.port, pki.context(pki.caller()))
        caller.writer.write(caller.say_hello())
        caller.writer.write(await caller.finish())
        caller.writer.write(caller.records(HELLO + frame(SETTINGS, ACK, 0) + frame(PING, 0, 0, b"12345678")))
        plain = b""
        while b"12345678" not in plain:
            plain += await caller.read()
        caller.count()
        call = [frame(HEADERS, END_HEADERS, 1, call_headers(SERVICE + "BatchVerify"))]
        call += [frame(DATA, END_STREAM if piece is pieces[-1] else 0, 1, piece) for piece in pieces]
        caller.writer.write(caller.records(b"".join(call)))
        plain = b""
        while frame(HEADERS, END_HEADERS | END_STREAM, 1)[3:] not in plain:  # the trailers, whatever their length
            plain += await caller.read()
        assert len(plain) > 300 * 100
        assert caller.count() <= len(plain) // 16_384 + 4
        caller.writer.close()


async def test_records_that_bring_nothing_end_their_connection(pki):
    """A caller may send a byte in each record, but not thousands of them that are nothing but records."""
    async with driven(tls=pki.tls()) as driver:
        caller = await Records.open(driver.front.port, pki.context(pki.caller()))
        caller.writer.write(caller.say_hello())
        caller.writer.write(await caller.finish())
        byte_by_byte = HELLO + frame(PING, 0, 0, b"12345678")
        caller.writer.write(b"".join(caller.records(byte_by_byte[at : at + 1]) for at in range(len(byte_by_byte))))
        plain = b""
        while b"12345678" not in plain:
            plain += await caller.read()
        large = frame(0x77, 0, 0, bytes(16_000))
        caller.writer.write(b"".join(caller.records(large[at : at + 1]) for at in range(len(large))))
        plain = b""
        with contextlib.suppress(ConnectionError):
            while True:
                plain += await caller.read()
        assert frame(GOAWAY, 0, 0)[3:] in plain
        assert await refusals(driver) == {"connection_hostile": 1}
        caller.writer.close()


async def test_what_a_caller_does_not_take_is_bounded_and_counted(pki):
    """What rustls has taken and the socket has not counts as held, as it does without TLS."""
    async with driven(tls=pki.tls()) as driver, channel(driver, credentials=pki.credentials(pki.caller())) as polite:
        unread = socket.create_connection(("127.0.0.1", driver.front.port))
        unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        context = pki.context(pki.caller())
        _reader, writer = await asyncio.open_connection(sock=unread, ssl=context, server_hostname="localhost")
        body = message(pb.BatchVerifyRequest(codes=[b"c" * 50] * 300, host_region="420000").SerializeToString())
        writer.write(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 2**31 - 1)) + window_update(0, 2**30))
        for stream in range(1, 4001, 2):
            writer.write(frame(HEADERS, END_HEADERS, stream, call_headers(SERVICE + "BatchVerify")))
            writer.write(frame(DATA, 0, stream, body[:16_000]) + frame(DATA, END_STREAM, stream, body[16_000:]))
            await asyncio.sleep(0)
            counts = driver.front.counts()
            if counts.held_bytes > 500_000:
                break
        assert counts.held_bytes > 500_000
        assert (await pb_grpc.RecognitionServiceStub(polite).Verify(PLAIN, timeout=10)).trust_list_version == 7
        writer.transport.abort()
        await until(lambda: driver.front.counts().held_bytes == 0)
