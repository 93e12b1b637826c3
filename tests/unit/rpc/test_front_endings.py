"""The native front and callers that it tells to go: they read why, and then an end that is no reset."""

import asyncio
import socket

import pytest

from benchmarks.attacks.connection import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    call_headers,
    frame,
)
from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_driver import SERVICE, Wire, driven, until

pytestmark = NEEDS_FRONT

ENHANCE_YOUR_CALM = 11
HELLO = PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, ACK, 0)
FLOODS = {
    "pings": frame(PING, 0, 0, b"12345678") * 8000,
    "headers without end": frame(HEADERS, 0, 1, b"\x83") + frame(CONTINUATION, 0, 1, b"\0\1a\1b" * 100) * 400,
    "calls that are reset": b"".join(
        frame(HEADERS, END_HEADERS | END_STREAM, n, call_headers(SERVICE + "Verify"))
        + frame(RST_STREAM, 0, n, b"\0\0\0\x08")
        for n in range(1, 2001, 2)
    ),
}


def reason_of_end(caller: socket.socket, said: bytes) -> int:
    """Send bytes, read to the end, and return the reason of the GOAWAY before it."""
    caller.sendall(said)
    reason = -1
    with caller.makefile("rb") as read:
        while len(head := read.read(9)) == 9:
            payload = read.read(int.from_bytes(head[:3]))
            if head[3] == GOAWAY:
                reason = int.from_bytes(payload[4:8])
    return reason


@pytest.mark.parametrize("name", FLOODS)
async def test_a_short_flood_is_told_why_it_ends_and_is_not_reset(name):
    async with driven() as driver:
        with socket.create_connection(("127.0.0.1", driver.front.port), timeout=20) as caller:
            reason = await asyncio.to_thread(reason_of_end, caller, HELLO + FLOODS[name])
            assert reason == ENHANCE_YOUR_CALM
            await until(lambda: driver.front.counts().connections == 0)
            # A reset would be noted here, even though Linux lets what came before it be read.
            assert caller.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


async def test_a_long_flood_is_read_no_further_than_the_bound():
    async with driven() as driver:
        with socket.create_connection(("127.0.0.1", driver.front.port), timeout=20) as caller:
            with pytest.raises(ConnectionError):
                await asyncio.to_thread(caller.sendall, HELLO + FLOODS["pings"] * 200)
            await until(lambda: driver.front.counts().connections == 0)


async def test_a_caller_that_was_told_and_stays_is_closed_all_the_same():
    async with driven() as driver:
        wire = await Wire.open(driver)
        wire.send(HELLO, FLOODS["pings"])
        assert GOAWAY in [kind for kind, *_ in await wire.frames()]
        await until(lambda: driver.front.counts().connections == 0)
        wire.close()


async def test_a_drain_waits_for_no_caller_that_stays():
    async with driven() as driver:
        wire = await Wire.open(driver)
        wire.send(HELLO)
        await until(lambda: driver.front.counts().connections == 1)
        driver.front.drain()
        _, _, first = await wire.frame(GOAWAY)
        assert first[4:8] == b"\0\0\0\0"
        await until(lambda: driver.front.is_idle)
        wire.close()
