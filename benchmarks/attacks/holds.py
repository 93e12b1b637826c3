"""Attacks that take something and hold it: calls, connections, memory."""

import asyncio
from contextlib import ExitStack, closing

from onecode.v1 import recognition_pb2 as pb

from benchmarks.attacks.connection import Connection, call_headers, message
from benchmarks.attacks.floods import STREAM_VERIFY, VERIFY
from benchmarks.attacks.target import Target, again
from benchmarks.workload import HOST_REGION

BATCH_VERIFY = "/onecode.v1.RecognitionService/BatchVerify"
PUBLISH = "/onecode.v1.StatusService/PublishStatuses"
WATCH = "/grpc.health.v1.Health/Watch"
CONNECTIONS, CALLS_EACH = 11, 95
"""Over a thousand calls, fewer on each connection than it may have."""
LARGE_BYTES = 4 * 2**20 - 64


async def idle_calls(target: Target) -> None:
    """1,045 calls of Verify whose request never comes"""
    await _hold(target, VERIFY, b"")


async def idle_streams(target: Target) -> None:
    """1,045 streams of scans that never come"""
    await _hold(target, STREAM_VERIFY, b"")


async def idle_publications(target: Target) -> None:
    """1,045 publications without a record"""
    await _hold(target, PUBLISH, b"")


async def idle_watches(target: Target) -> None:
    """1,045 health watches"""
    await _hold(target, WATCH, message(b""))


async def half_requests(target: Target) -> None:
    """1,045 calls of BatchVerify that send half a kilobyte of the 4 MiB that they announce"""
    await _hold(target, BATCH_VERIFY, b"\0" + LARGE_BYTES.to_bytes(4, "big") + bytes(512))


async def unread_stream(target: Target) -> None:
    """a stream of 4 MiB codes, 10 a second, whose answers nobody takes"""
    body = pb.StreamVerifyRequest(request_id=1, code=b"A" * LARGE_BYTES, host_region=HOST_REGION).SerializeToString()

    async def once() -> None:
        with closing(await Connection.open(target.address, 0, takes=False)) as connection:
            stream = await connection.begin(call_headers(STREAM_VERIFY))
            async for count in target.paced(10):
                for _ in range(count):
                    await connection.send(stream, message(body))

    await again(once)


async def unread_scans(target: Target) -> None:
    """a stream of good codes, 5,000 a second, whose answers nobody takes"""
    bodies = [
        message(pb.StreamVerifyRequest(request_id=1, code=code, host_region=HOST_REGION).SerializeToString())
        for code in target.codes[:50]
    ]

    async def once() -> None:
        with closing(await Connection.open(target.address, 0, takes=False)) as connection:
            stream = await connection.begin(call_headers(STREAM_VERIFY))
            async for count in target.paced(100):
                await connection.send(stream, b"".join(bodies) * count)

    await again(once)


async def unread_batches(target: Target) -> None:
    """5 batches of 1,000 codes a second, 90 on a connection, whose answers nobody takes"""
    request = pb.BatchVerifyRequest(codes=(target.codes * 1000)[:1000], host_region=HOST_REGION)
    body = message(request.SerializeToString())

    async def once() -> None:
        with ExitStack() as opened:
            connection = None
            async for count in target.paced(5):
                for _ in range(count):
                    if connection is None or connection.streams >= 90:
                        connection = await Connection.open(target.address, 0, takes=False)
                        opened.callback(connection.close)
                    await connection.send(await connection.begin(call_headers(BATCH_VERIFY)), body, ends=True)

    await again(once)


async def unread_calls(target: Target) -> None:
    """9,500 calls of Verify over 100 connections, whose answers nobody takes and which nobody ends"""
    request = pb.VerifyRequest(code=target.codes[0], host_region=HOST_REGION).SerializeToString()

    async def one() -> None:
        with closing(await Connection.open(target.address, 0, takes=False)) as connection:
            async for count in target.paced(20):
                for _ in range(min(count, CALLS_EACH - connection.streams)):
                    await connection.send(await connection.begin(call_headers(VERIFY)), message(request), ends=True)

    await asyncio.gather(*(again(one) for _ in range(100)))


async def _hold(target: Target, method: str, begins_with: bytes) -> None:
    """Keep as many calls open as there is room for; what the server ends is begun anew."""
    headers = call_headers(method)

    async def one() -> None:
        with closing(await Connection.open(target.address)) as connection:
            async for count in target.paced(100):
                for _ in range(min(count, CALLS_EACH - connection.streams)):
                    stream = await connection.begin(headers)
                    if begins_with:
                        await connection.send(stream, begins_with)

    await asyncio.gather(*(again(one) for _ in range(CONNECTIONS)))
