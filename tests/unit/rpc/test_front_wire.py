"""The native front on the wire: its timers, addresses and drain, and what is passed on both ways."""

import asyncio
import socket

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
from tests.unit.rpc.ipv6 import has_ipv6

pytestmark = NEEDS_FRONT

ENHANCE_YOUR_CALM = 11
PLAIN = pb.VerifyRequest(code=b"c", host_region="420000")
HELLO = PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0)


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
