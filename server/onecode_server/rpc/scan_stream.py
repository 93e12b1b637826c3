"""StreamVerify: many scans over one call. What arrives while a batch is checked is the next batch.

A reader that is slow to take its answers is held back: its next scans are not read, and HTTP/2's flow control stops it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from onecode.v1 import recognition_pb2 as pb
from onecode_server.engine.batcher import Batcher
from onecode_server.engine.check import Answers
from onecode_server.errors import InvalidRequest, Overloaded
from onecode_server.model.region import is_region_code
from onecode_server.rpc import convert
from onecode_server.rpc.intake import Intake

AHEAD_SCANS: Final = 512
"""Scans that one stream has waiting: what its next batch may hold."""
AHEAD_BYTES: Final = 512 * 1024
"""And how many bytes: room for all of them, but of codes that are the longest a tenth."""
BATCH_SCANS: Final = 256
"""Scans to a batch: enough to fill any signature kernel, few enough to answer the first soon."""
GATHER_S: Final = 0.002
"""How long a stream that does not wait for its answers gathers scans for its next batch. gRPC hands over one after the
other, more slowly than a scan is checked: without this, each would be a batch of its own."""


async def answers(
    scans: AsyncIterator[pb.StreamVerifyRequest], batcher: Batcher, draining: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """Yield an answer, as its bytes, for each request until they end, or until the server drains.

    What was read before that is still answered.

    Raises InvalidRequest, after the answers to what came before it, and NotServing.
    """
    intake = Intake(scans, AHEAD_SCANS, AHEAD_BYTES, pb.StreamVerifyRequest.ByteSize, draining)
    try:
        while batch := await intake.take(BATCH_SCANS):
            fit = next((i for i, request in enumerate(batch) if not is_region_code(request.host_region)), len(batch))
            by_host: dict[str, list[pb.StreamVerifyRequest]] = {}
            for request in batch[:fit]:
                by_host.setdefault(request.host_region, []).append(request)
            for host, requests in by_host.items():
                checked = await _verify(batcher, [request.code for request in requests], host)
                for response in convert.streamed(checked, [request.request_id for request in requests]):
                    yield response
            if fit < len(batch):
                raise InvalidRequest("HOST_REGION_INVALID", f"request {batch[fit].request_id}: not six digits")
            if intake.waiting:  # scans came in before their caller had these answers: it does not wait for them
                await intake.gather(BATCH_SCANS, GATHER_S)
    finally:
        intake.close()


async def _verify(batcher: Batcher, codes: list[bytes], host: str) -> Answers:
    """Check a batch; where the queue is full, wait for room: a stream is held back, never turned away."""
    while True:
        try:
            return await batcher.verify_batch(codes, host)
        except Overloaded as full:
            await asyncio.sleep(full.retry_after_s)
