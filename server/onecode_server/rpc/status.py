"""The StatusService: streams of records into the store, acknowledged once they are on disk."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from onecode.v1 import status_pb2 as pb
from onecode.v1 import status_pb2_grpc as pb_grpc
from onecode_server.errors import Draining, InvalidRequest
from onecode_server.model.code import Scan
from onecode_server.model.identity import Identity
from onecode_server.publication.publisher import Publisher
from onecode_server.rpc import records
from onecode_server.rpc.callers import Caller
from onecode_server.rpc.read_ahead import ReadAhead
from onecode_server.rules.authorisation import Right
from onecode_server.rules.publication import Rejection

CHUNK_RECORDS: Final = 1000
"""Records to a commit: some milliseconds for the disk, and half a megabyte of memory."""
AHEAD_RECORDS: Final = 2 * CHUNK_RECORDS
"""Records read while a commit runs; a publisher that is faster is held back by HTTP/2's flow control."""
AHEAD_BYTES: Final = 1024 * 1024
"""The bound on their bytes: enough for all of them, even with most subjects named by codes. A chunk has at most as
many."""
GATHER_S: Final = 0.02
"""The time for which a stream that does not wait for its answers gathers records for its next commit. A commit costs
about as much for ten records as for two hundred: without this, half of a long stream's cost was commits."""


class StatusServicer(pb_grpc.StatusServiceServicer):
    """Turns a stream of messages into chunks for the publisher. ``draining`` is set once the server is to end."""

    def __init__(self, publisher: Publisher, draining: asyncio.Event) -> None:
        self._publisher = publisher
        self._draining = draining

    async def PublishStatuses(  # type: ignore[override]
        self, request_iterator: AsyncIterator[pb.PublishStatusesRequest], caller: Caller
    ) -> AsyncIterator[pb.PublishStatusesResponse]:
        """Publish records in chunks, one commit each; after each commit, answer which records are on disk.

        A publisher that sends one record and waits for its answer has it after one commit. After a chunk of several
        records, a short wait gathers many more.

        Raises InvalidRequest for a sequence that does not rise, StoreUnavailable, NotServing, and Draining where the
        server ends: acknowledged records are safe, the others are to be sent again.
        """
        ahead = ReadAhead(
            request_iterator, AHEAD_RECORDS, AHEAD_BYTES, pb.PublishStatusesRequest.ByteSize, self._draining
        )
        last = 0
        try:
            while chunk := await ahead.take(CHUNK_RECORDS):
                rising = _rising(chunk, last)
                await caller.pace(len(chunk))
                if rising:
                    last = rising[-1].sequence
                    yield await self._publish(rising, caller.identity)
                if len(rising) < len(chunk):
                    raise InvalidRequest("SEQUENCE_NOT_RISING", f"the sequence after {last} is not higher")
                if len(chunk) > 1:
                    await ahead.gather(CHUNK_RECORDS, GATHER_S)
            if self._draining.is_set():
                raise Draining("the server is ending; send the unacknowledged records again")
        finally:
            ahead.close()

    async def GetStatus(  # type: ignore[override]
        self, request: pb.GetStatusRequest, caller: Caller
    ) -> pb.GetStatusResponse:
        """Return a subject's records. Raises InvalidRequest, NotPermitted, StoreUnavailable, NotServing.

        A caller that may read the records of one region's subjects is answered with all records of a subject that is
        named as that region's, and with the region's own records where the name does not tell whose subject it is: so
        no record of another publisher, and no other region's subject, can be told from none. A code that is not an
        authentic one of its region is not permitted, whatever it is: nobody may have others' codes checked so.
        """
        name = records.read_subject(request.subject)
        found = None if name is None else await self._publisher.resolve(name)
        own = caller.regions(Right.READ_STATUS)
        if own is not None and isinstance(name, Scan) and (found is None or found.home not in own):
            caller.expect(Right.READ_STATUS)  # it has the right for no region that the code is known to be of
        if found is None:
            raise InvalidRequest("SUBJECT_INVALID", "the subject is missing, or its identifier or code is invalid")
        if found.home is not None:
            caller.expect(Right.READ_STATUS, found.home)
        known = await self._publisher.known(found.subject)
        if own is not None and found.home is None:
            known = tuple(record for record in known if record.publisher in own)
        return pb.GetStatusResponse(records=[records.write_record(found.subject, record) for record in known])

    async def _publish(self, chunk: list[pb.PublishStatusesRequest], by: Identity) -> pb.PublishStatusesResponse:
        read = [records.read_record(request.record) for request in chunk]
        results = iter(await self._publisher.publish([item for item in read if not isinstance(item, Rejection)], by))
        broken = [item if isinstance(item, Rejection) else next(results) for item in read]
        return pb.PublishStatusesResponse(
            durable_through=chunk[-1].sequence,
            rejections=[
                pb.Rejection(
                    sequence=request.sequence,
                    reason=pb.RejectionReason.Value(f"REJECTION_REASON_{rule.name}"),
                    message=rule,
                )
                for request, rule in zip(chunk, broken, strict=True)
                if rule is not None
            ],
        )


def _rising(chunk: list[pb.PublishStatusesRequest], last: int) -> list[pb.PublishStatusesRequest]:
    """Return the part of a chunk before its first sequence that is not higher than the one before it."""
    for index, request in enumerate(chunk):
        if request.sequence <= last:
            return chunk[:index]
        last = request.sequence
    return chunk
