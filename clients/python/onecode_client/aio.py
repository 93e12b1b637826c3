"""An asyncio client for gateways and partner systems: single checks of many tasks share calls."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from copy import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc
from onecode_client.access import Access
from onecode_client.aio_connection import AsyncConnection
from onecode_client.batches import batches
from onecode_client.channels import CONNECTIONS
from onecode_client.connection import DEADLINE_S
from onecode_client.errors import closed, overdue
from onecode_client.gathering import Batch, Caller, Gathering
from onecode_client.tls import Tls

if TYPE_CHECKING:
    _Stub = pb_grpc.RecognitionServiceAsyncStub
else:
    _Stub = Any  # there is one class of stubs, whatever the channel


class _Caller(Caller):
    """A waiting task."""

    __slots__ = ("result",)
    result: asyncio.Future[pb.VerifyResponse]


class AsyncOnecodeClient(AsyncConnection[_Stub]):
    """A client of one server, ``HOST:PORT``, for one event loop. Use it in an ``async with`` statement, or close it.

    Checks that tasks ``verify`` at the same time are gathered into batch calls. The client opens up to ``connections``
    (1 to 64), each when the others are busy. ``deadline_s`` is the time for a call, in seconds, where the call sets
    none. With ``wait_for_ready``, a call waits as long for an unreachable server; else it is tried four times within a
    second or two. Make the client after a fork, not before.

    With ``tls`` the connections are TLS, else plaintext; ``token_file`` has a token that is sent with every call. The
    files may be replaced at any time, and are looked at once a second: calls go on.
    """

    def __init__(
        self,
        server: str,
        deadline_s: float = DEADLINE_S,
        *,
        connections: int = CONNECTIONS,
        wait_for_ready: bool = False,
        tls: Tls | None = None,
        token_file: Path | None = None,
    ) -> None:
        """Connect later, at the first call.

        Raises ValueError where ``connections`` is not 1 to 64, and CredentialsUnusable, which is one.
        """
        access = Access(server, tls, token_file)
        super().__init__(access, pb_grpc.RecognitionServiceStub, deadline_s, connections, wait_for_ready=wait_for_ready)
        self._gathering = Gathering[_Caller](connections)
        self._calls: dict[Batch[_Caller], asyncio.Task[None]] = {}

    async def verify(self, code: bytes, host_region: str, *, deadline_s: float | None = None) -> pb.VerifyResponse:
        """Check one code as scanned, together with those that other tasks check for the same host meanwhile.

        Where no call for the host is in flight, the code is sent at once, alone. The cancellation of a task affects no
        other. Raises ServerError: at its own deadline (DEADLINE_EXCEEDED), and where the shared call failed. Raises
        TypeError or ValueError where a request cannot hold these arguments.
        """
        self._pool.expect_own_process()
        patience_s = self.deadline_s if deadline_s is None else deadline_s
        caller = _Caller(code, host_region, time.monotonic() + patience_s)
        self._gathering.add(caller)
        batch = self._gathering.take()
        if batch is not None and batch.callers == [caller]:
            return await self._verify_alone(batch, patience_s)
        loop = asyncio.get_running_loop()
        caller.result = loop.create_future()
        self._send(batch)
        timer = loop.call_later(max(0.0, patience_s), self._give_up, caller)
        try:
            return await caller.result
        except asyncio.CancelledError:
            self._leave(caller)
            raise
        finally:
            timer.cancel()

    async def verify_all(self, codes: Iterable[bytes], host_region: str) -> AsyncIterator[pb.Verdict]:
        """Check any number of codes in batches; yields one verdict a code, in order. Raises ServerError."""
        for batch in batches(codes):
            request = pb.BatchVerifyRequest(codes=batch, host_region=host_region)
            response = await self._answered(lambda stub: stub.BatchVerify, request)
            for verdict in response.verdicts:
                yield verdict

    async def translate(self, code: bytes, target_region: str) -> pb.TranslateResponse:
        """Translate one code as scanned. Raises ServerError."""
        request = pb.TranslateRequest(code=code, target_region=target_region)
        return await self._answered(lambda stub: stub.Translate, request)

    async def translate_all(self, codes: Iterable[bytes], target_region: str) -> AsyncIterator[pb.BatchTranslateResult]:
        """Translate any number of codes in batches; yields one result a code, in order. Raises ServerError."""
        for batch in batches(codes):
            request = pb.BatchTranslateRequest(codes=batch, target_region=target_region)
            response = await self._answered(lambda stub: stub.BatchTranslate, request)
            for result in response.results:
                yield result

    async def close(self) -> None:
        """Close the connections. Callers that still wait for an answer get ServerError (CANCELLED, CLIENT_CLOSED)."""
        self._is_closed = True
        for caller in self._gathering.close():
            _complete(caller, fault=closed())
        calls = list(self._calls.values())
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await super().close()

    async def _verify_alone(self, batch: Batch[_Caller], patience_s: float) -> pb.VerifyResponse:
        try:
            return await self._answered(lambda stub: stub.Verify, batch.request_alone(), patience_s)
        finally:
            self._end(batch)

    def _send(self, batch: Batch[_Caller] | None) -> None:
        """Send a batch, and any other that may be sent. Each call is a task of its own, which outlives its callers."""
        while batch is not None:
            self._calls[batch] = call = asyncio.create_task(self._carry(batch), name="onecode gathered call")
            call.add_done_callback(partial(self._carried, batch))
            batch = self._gathering.take()

    async def _carry(self, batch: Batch[_Caller]) -> None:
        try:
            if len(batch.callers) == 1:
                answers = [await self._answered(lambda stub: stub.Verify, batch.request_alone(), batch.timeout_s())]
            else:
                response = await self._answered(lambda stub: stub.BatchVerify, batch.request(), batch.timeout_s())
                answers = batch.answers(response)
            for caller, answer in zip(batch.callers, answers, strict=True):
                _complete(caller, answer=answer)
        except Exception as fault:
            _fail_all(batch, fault)
        # Callers that have their answer call again in this turn of the loop, so that the next batch includes them.
        await asyncio.sleep(0)

    def _carried(self, batch: Batch[_Caller], call: asyncio.Task[None]) -> None:
        del self._calls[batch]
        if call.cancelled():  # by close(), maybe before it began
            _fail_all(batch, closed())
        self._end(batch)

    def _end(self, batch: Batch[_Caller]) -> None:
        self._gathering.end(batch)
        self._send(self._gathering.take())

    def _give_up(self, caller: _Caller) -> None:
        if not caller.result.done():
            _complete(caller, fault=overdue())
            self._leave(caller)

    def _leave(self, caller: _Caller) -> None:
        deserted = self._gathering.leave(caller)
        if deserted in self._calls:
            self._calls[deserted].cancel()


def _complete(caller: _Caller, answer: pb.VerifyResponse | None = None, fault: Exception | None = None) -> None:
    if caller.result.done():  # it waits no longer
        return
    if answer is not None:
        caller.result.set_result(answer)
    else:
        caller.result.set_exception(fault or closed())
        caller.result.exception()  # a caller cancelled at this moment never retrieves it, which is harmless


def _fail_all(batch: Batch[_Caller], fault: Exception) -> None:
    for caller in batch.callers:
        _complete(caller, fault=copy(fault))  # a copy for each, since raising an exception changes it
