"""StreamVerify: many scans over one call. The scans that arrive while a batch is checked are the next batch.

A caller that is slow to read its answers is held back: its next scans are not read, and HTTP/2's flow control stops it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final

from onecode.v1 import recognition_pb2 as pb
from onecode_server.errors import InvalidRequest, NotPermitted, OnecodeError, Overloaded
from onecode_server.model.code import Scans
from onecode_server.model.region import is_region_code
from onecode_server.rpc import convert, large_requests
from onecode_server.rpc.callers import Caller
from onecode_server.rpc.read_ahead import ReadAhead
from onecode_server.rules.authorisation import Right
from onecode_server.verification.batcher import Batcher
from onecode_server.verification.check import CheckResults

AHEAD_SCANS: Final = 512
"""The bound on scans that one stream has waiting, from which its next batch is taken."""
AHEAD_BYTES: Final = 512 * 1024
"""The bound on their bytes: enough for all of them, or for a tenth of them where all codes have the greatest length."""
BATCH_SCANS: Final = 256
"""Scans to a batch: enough to fill any signature kernel, few enough to answer the first soon."""
GATHER_S: Final = 0.002
"""The time for which a stream that does not wait for its answers gathers scans for its next batch. gRPC hands over
scans one by one, more slowly than a scan is checked: without this, each scan would be a batch of its own."""


async def answers(
    scans: AsyncIterator[pb.StreamVerifyRequest], caller: Caller, batcher: Batcher, draining: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """Yield an answer, as its bytes, for each request until they end, or until the server drains.

    Requests that were read before the drain are still answered.

    Raises InvalidRequest and NotPermitted, after the answers to the requests before that one, and NotServing.
    """
    ahead = ReadAhead(scans, AHEAD_SCANS, AHEAD_BYTES, pb.StreamVerifyRequest.ByteSize, draining)
    try:
        while batch := await ahead.take(BATCH_SCANS):
            await caller.pace(len(batch))
            may_check = _may_check(caller)
            fit = next((i for i, request in enumerate(batch) if not may_check(request.host_region)), len(batch))
            by_host: dict[str, list[pb.StreamVerifyRequest]] = {}
            for request in batch[:fit]:
                by_host.setdefault(request.host_region, []).append(request)
            for host, requests in by_host.items():
                checked = await _verify(batcher, [request.code for request in requests], host)
                for response in convert.streamed(checked, [request.request_id for request in requests]):
                    yield response
            if fit < len(batch):
                raise _refusal(batch[fit], caller)
            if ahead.waiting:  # scans came in before their caller had these answers: it does not wait for them
                await ahead.gather(BATCH_SCANS, GATHER_S)
    finally:
        ahead.close()


async def answer(message: bytes, caller: Caller, batcher: Batcher) -> bytes:
    """Return the answer to one message of a stream, both as their bytes. Raises InvalidRequest, NotPermitted,
    NotServing."""
    request = large_requests.read(message, pb.StreamVerifyRequest.FromString)
    if not _may_check(caller)(request.host_region):
        raise _refusal(request, caller)
    await caller.pace(1)
    checked = await _verify(batcher, [request.code], request.host_region)
    return convert.streamed(checked, [request.request_id])[0]


def _may_check(caller: Caller) -> Callable[[str], bool]:
    """Return whether codes may be checked for a host: it is six digits, and the caller has the right for it."""
    own = caller.regions(Right.CHECK)
    return is_region_code if own is None else lambda host: host in own and is_region_code(host)


def _refusal(request: pb.StreamVerifyRequest, caller: Caller) -> OnecodeError:
    if is_region_code(request.host_region):
        try:
            caller.expect(Right.CHECK, request.host_region)
        except NotPermitted as refused:
            return NotPermitted(f"request {request.request_id}: {refused}")
    return InvalidRequest("HOST_REGION_INVALID", f"request {request.request_id}: not six digits")


async def _verify(batcher: Batcher, codes: list[bytes], host: str) -> CheckResults:
    """Check a batch; where the queue is full, wait until it is not: a stream is held back, never refused."""
    while True:
        try:
            return await batcher.submit_batch(Scans.at(host, codes))
        except Overloaded as full:
            await asyncio.sleep(full.retry_after_s)
