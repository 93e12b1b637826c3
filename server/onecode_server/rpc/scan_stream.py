"""StreamVerify: many scans over one call. What arrives while a batch is checked is the next batch.

A reader that is slow to take its answers is held back: its next scans are not read, and HTTP/2's flow control stops it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from onecode.v1 import recognition_pb2 as pb
from onecode_server.engine.batcher import Batcher
from onecode_server.engine.check import Outcome
from onecode_server.errors import InvalidRequest, Overloaded
from onecode_server.model.code import Scan
from onecode_server.model.region import is_region_code
from onecode_server.rpc import convert
from onecode_server.rpc.intake import Intake

AHEAD_SCANS: Final = 512
"""Scans that one stream has waiting: what its next batch may hold, and 2 MiB at the most."""
BATCH_SCANS: Final = 256
"""Scans to a batch: enough to fill any signature kernel, few enough to answer the first soon."""


async def answers(
    requests: AsyncIterator[pb.StreamVerifyRequest], batcher: Batcher, draining: asyncio.Event
) -> AsyncGenerator[pb.StreamVerifyResponse, None]:
    """Yield an answer for each request until they end, or until the server drains: what was read is still answered.

    Raises InvalidRequest, after the answers to what came before it, and NotServing.
    """
    intake = Intake(requests, AHEAD_SCANS, draining)
    try:
        while batch := await intake.take(BATCH_SCANS):
            fit = next((i for i, request in enumerate(batch) if not is_region_code(request.host_region)), len(batch))
            scans = [Scan(request.code, request.host_region) for request in batch[:fit]]
            outcome = await _check(batcher, scans)
            for request, message in zip(batch[:fit], convert.verdicts(outcome), strict=True):
                yield pb.StreamVerifyResponse(
                    request_id=request.request_id,
                    verdict=message,
                    trust_list_version=outcome.trust.version,
                    checked_at=convert.timestamp(outcome.checked_at),
                )
            if fit < len(batch):
                raise InvalidRequest("HOST_REGION_INVALID", f"request {batch[fit].request_id}: not six digits")
    finally:
        intake.close()


async def _check(batcher: Batcher, scans: list[Scan]) -> Outcome:
    """Check a batch; where the queue is full, wait for room: a stream is held back, never turned away."""
    while True:
        try:
            return await batcher.verify_batch(scans)
        except Overloaded as full:
            await asyncio.sleep(full.retry_after_s)
