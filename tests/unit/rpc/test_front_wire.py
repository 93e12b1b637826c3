"""The native front on the wire: its timers and bounds, callers that keep no rules, and what is passed on both ways."""

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
from tests.unit.rpc.front_driver import SERVICE, Wire, bytes_call, channel, driven, has_ipv6, until, window_update

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


async def test_a_body_of_any_size_is_passed_on_both_ways():
    async with driven() as driver, channel(driver) as calls:
        large = [bytes([n]) * 3_000_000 for n in range(8)]
        calls_at_once = [bytes_call(calls, "/any.Service/Method")(iter(large)) for _ in range(3)]
        for call in calls_at_once:
            assert [answer async for answer in call] == large
        await until(lambda: driver.front.is_idle)


async def test_a_caller_that_does_not_read_holds_up_the_listener_behind_and_nobody_else():
    async with driven() as driver, channel(driver, grpc__http2__bdp_probe=0) as slow, channel(driver) as other:
        sent = 0

        async def endless():
            nonlocal sent
            while True:
                sent += 1
                yield b"x" * 100_000

        call = bytes_call(slow, "/any.Service/Method")(endless())
        await call.read()
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.3)
        assert sent < 1000
        assert [answer async for answer in bytes_call(other, "/any.Service/Method")([b"y"])] == [b"y"]
        call.cancel()
        await until(lambda: driver.front.is_idle)


async def test_a_reset_goes_through_to_the_listener_behind():
    async with driven() as driver, channel(driver) as calls:
        call = bytes_call(calls, "/any.Service/Method")()
        await call.write(b"one")
        assert await call.read() == b"one"
        call.cancel()
        await until(lambda: driver.front.is_idle)


async def test_a_listener_behind_that_says_goodbye_loses_no_call():
    options = (("grpc.max_connection_age_ms", 50), ("grpc.max_connection_age_grace_ms", 10_000))
    async with driven(behind=options) as driver, channel(driver) as calls:
        for _ in range(60):
            call = bytes_call(calls, "/any.Service/Method")([b"one"])
            assert [answer async for answer in call] == [b"one"]
            await asyncio.sleep(0.01)


async def test_a_connection_without_a_handshake_is_closed():
    async with driven(handshake_s=0.1) as driver:
        for said in (b"", PREFACE[:10], PREFACE):
            wire = await Wire.open(driver)
            wire.send(said)
            await wire.frames()
            wire.close()
        await until(lambda: driver.front.counts().connections == 0)


async def test_a_handshake_keeps_a_connection_open():
    async with driven(handshake_s=0.1) as driver:
        wire = await Wire.open(driver)
        wire.send(HELLO)
        await asyncio.sleep(0.3)
        wire.send(frame(PING, 0, 0, b"12345678"))
        assert (await wire.frame(PING))[2] == b"12345678"
        wire.close()


async def test_an_end_that_comes_together_with_bytes_is_noticed():
    async with driven() as driver:
        with socket.create_connection(("127.0.0.1", driver.front.port)) as caller:
            caller.sendall(HELLO)
            await until(lambda: driver.front.counts().connections == 1)
            await asyncio.sleep(0.05)
            caller.sendall(frame(PING, 0, 0, b"12345678"))
            caller.shutdown(socket.SHUT_WR)
            await until(lambda: driver.front.counts().connections == 0)


async def test_an_idle_connection_is_told_to_go_and_then_closed():
    async with driven(idle_s=0.1, keepalive_timeout_s=0.2) as driver:
        wire = await Wire.open(driver)
        wire.send(HELLO)
        kinds = [kind for kind, *_ in await wire.frames()]
        assert GOAWAY in kinds
        await until(lambda: driver.front.counts().connections == 0)
        wire.close()


async def test_a_silent_connection_is_pinged_and_closed_unless_it_answers():
    async with driven(keepalive_s=0.1, keepalive_timeout_s=0.3) as driver:
        silent, answering = await Wire.open(driver), await Wire.open(driver)
        silent.send(HELLO)
        answering.send(HELLO)
        for _ in range(8):
            flags, _, payload = await answering.frame(PING)
            assert not flags & ACK
            answering.send(frame(PING, ACK, 0, payload))
        assert PING in [kind for kind, *_ in await silent.frames()]
        await until(lambda: driver.front.counts().connections == 1)
        silent.close()
        answering.close()


async def test_a_request_that_does_not_come_is_overdue():
    async with driven(request_s=0.1) as driver:
        wire = await Wire.open(driver)
        body = message(PLAIN.SerializeToString())
        wire.send(HELLO, frame(HEADERS, END_HEADERS, 1, call_headers(SERVICE + "Verify")), frame(DATA, 0, 1, body[:-1]))
        flags, stream, _ = await wire.frame(HEADERS)
        assert (flags & END_STREAM, stream) == (END_STREAM, 1)
        counts = driver.front.counts()
        assert (counts.methods["Verify"][3], counts.refused) == ({4: 1}, {"request_overdue": 1})
        assert driver.front.is_idle
        wire.close()


async def test_a_drain_waits_for_a_request_that_is_on_its_way():
    async with driven() as driver:
        wire = await Wire.open(driver)
        body = message(PLAIN.SerializeToString())
        wire.send(HELLO, frame(HEADERS, END_HEADERS, 1, call_headers(SERVICE + "Verify")), frame(DATA, 0, 1, body[:9]))
        await until(lambda: not driver.front.is_idle)
        driver.front.drain()
        assert not driver.front.is_idle
        wire.send(frame(DATA, END_STREAM, 1, body[9:]))
        await wire.frame(DATA)
        await until(lambda: driver.front.is_idle)
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", driver.front.port), timeout=5)
        wire.close()


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
            await stub.Verify(PLAIN, metadata=(("x-large", "x" * 10_000),), timeout=5)
        assert (await stub.Verify(PLAIN)).trust_list_version == 7


@pytest.mark.parametrize("hosts", [["::1"], ["127.0.0.1", "::1"]], ids=" ".join)
async def test_all_addresses_of_a_host_are_listened_on(hosts):
    if not has_ipv6():
        pytest.skip("this machine has no IPv6")
    async with driven(hosts=hosts) as driver:
        for host in hosts:
            target = f"[{host}]:{driver.front.port}" if ":" in host else f"{host}:{driver.front.port}"
            async with channel(driver, target=target) as calls:
                assert (await pb_grpc.RecognitionServiceStub(calls).Verify(PLAIN)).trust_list_version == 7


async def test_an_address_that_this_machine_does_not_have_is_left_out():
    async with driven(hosts=["192.0.2.1", "127.0.0.1"]) as driver, channel(driver) as calls:
        assert (await pb_grpc.RecognitionServiceStub(calls).Verify(PLAIN)).trust_list_version == 7
    with pytest.raises(OSError):
        async with driven(hosts=["192.0.2.1"]):
            pass


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
