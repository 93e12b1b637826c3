"""Attacks by calls that are well-formed: too many, too large, or of no use to anybody."""

import asyncio
from contextlib import ExitStack, closing, suppress
from itertools import count as numbers
from itertools import cycle, islice

from google.protobuf.timestamp_pb2 import Timestamp

from onecode.v1 import exceptions_pb2, status_pb2
from onecode.v1 import recognition_pb2 as pb

from benchmarks.attacks.connection import Connection, call_headers, message
from benchmarks.attacks.holds import BATCH_VERIFY, LARGE_BYTES, PUBLISH
from benchmarks.attacks.target import Target, again
from benchmarks.workload import HOST_REGION

EXCEPTIONS = "/onecode.v1.ExceptionService/"
PUBLISHER = "420000"
PUBLISHERS = 400
LARGEST_BATCH = 4096


async def large_codes(target: Target) -> None:
    """records about codes of 4 MiB, 10 a second"""
    record = status_pb2.StatusRecord(publisher=PUBLISHER, level=1, scope=1, revision=1)  # type: ignore[arg-type]
    record.subject.code = b"A" * LARGE_BYTES
    body = message(status_pb2.PublishStatusesRequest(sequence=1, record=record).SerializeToString())

    async def once() -> None:
        with closing(await Connection.open(target.address)) as connection:
            stream = await connection.begin(call_headers(PUBLISH))
            async for count in target.paced(10):
                for _ in range(count):
                    await connection.send(stream, body)

    await again(once)


async def publishers(target: Target) -> None:
    """400 ordinary publishers, 1,000 records a second in all"""
    sequence = numbers(1)

    def body() -> bytes:
        number = next(sequence)
        record = status_pb2.StatusRecord(publisher=PUBLISHER, level=1, scope=1, revision=1)  # type: ignore[arg-type]
        record.subject.local.region, record.subject.local.id = PUBLISHER, f"busy-{number}"
        record.effective_at.CopyFrom(Timestamp(seconds=1))
        return message(status_pb2.PublishStatusesRequest(sequence=number, record=record).SerializeToString())

    async def once() -> None:
        with ExitStack() as opened:
            several = [opened.enter_context(closing(await Connection.open(target.address))) for _ in range(8)]
            streams = [(one, await one.begin(call_headers(PUBLISH))) for one in several * (PUBLISHERS // len(several))]
            turns = cycle(streams)
            async for count in target.paced(1_000):
                for connection, stream in islice(turns, count):
                    await connection.send(stream, body())

    await again(once)


async def reports(target: Target) -> None:
    """200 reports of exceptions a second"""
    request = exceptions_pb2.ReportExceptionRequest(host_region="110000", home_region="310000", reason="a" * 200)
    request.effective_from.GetCurrentTime()
    request.effective_until.CopyFrom(Timestamp(seconds=request.effective_from.seconds + 7200))
    await _call(target, EXCEPTIONS + "ReportException", request.SerializeToString(), 200)


async def acknowledgements(target: Target) -> None:
    """500 acknowledgements a second of reports that are not there"""
    request = exceptions_pb2.AcknowledgeExceptionRequest(id="RE-0000000000000000")
    await _call(target, EXCEPTIONS + "AcknowledgeException", request.SerializeToString(), 500)


async def lists(target: Target) -> None:
    """100 lists of exceptions a second"""
    request = exceptions_pb2.ListExceptionsRequest(page_size=1000)
    await _call(target, EXCEPTIONS + "ListExceptions", request.SerializeToString(), 100)


async def batches(target: Target) -> None:
    """40 batches of 4,096 codes a second, whether they are answered or not"""
    codes = (target.codes * LARGEST_BATCH)[:LARGEST_BATCH]
    await _call(
        target, BATCH_VERIFY, pb.BatchVerifyRequest(codes=codes, host_region=HOST_REGION).SerializeToString(), 40
    )


async def malformed(target: Target) -> None:
    """10 batches a second of codes that begin well and go on for 4 KiB"""
    codes = [code[:200] + b"0" * 3800 for code in (target.codes * 1000)[:1000]]
    await _call(
        target, BATCH_VERIFY, pb.BatchVerifyRequest(codes=codes, host_region=HOST_REGION).SerializeToString(), 10
    )


async def page(target: Target) -> None:
    """20 scrapes of the metrics page a second beside 64 connections to it that say nothing"""
    host, _, port = target.page.rpartition(":")

    async def silent() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        with closing(writer):
            await reader.read()

    async def scrape() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        with closing(writer):
            writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
            await reader.read()

    async def scrapes() -> None:
        async for count in target.paced(20):
            for _ in range(count):
                with suppress(TimeoutError):
                    await asyncio.wait_for(scrape(), 1)

    await asyncio.gather(*(again(silent) for _ in range(64)), again(scrapes))


async def _call(target: Target, method: str, body: bytes, per_s: float) -> None:
    """Make calls over four connections, at most 90 on each at a time."""
    headers, framed = call_headers(method), message(body)

    async def once() -> None:
        with closing(await Connection.open(target.address)) as connection:
            async for count in target.paced(per_s / 4):
                for _ in range(min(count, 90 - connection.streams)):
                    await connection.send(await connection.begin(headers), framed, ends=True)

    await asyncio.gather(*(again(once) for _ in range(4)))
