"""An asyncio client for operators of a region or the nation: status, exceptions, the trust list."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc.aio

from onecode.v1 import (
    exceptions_pb2,
    exceptions_pb2_grpc,
    status_pb2,
    status_pb2_grpc,
    trust_list_pb2,
    trust_list_pb2_grpc,
)
from onecode_client.access import Access
from onecode_client.aio_connection import AsyncConnection
from onecode_client.connection import DEADLINE_S
from onecode_client.operating import report_request, status_request, step_request
from onecode_client.tls import Tls

if TYPE_CHECKING:
    _Status = status_pb2_grpc.StatusServiceAsyncStub
    _Exceptions = exceptions_pb2_grpc.ExceptionServiceAsyncStub
    _Trust = trust_list_pb2_grpc.TrustListServiceAsyncStub
else:
    _Status = _Exceptions = _Trust = Any  # there is one class of stubs, whatever the channel


class _Stubs(NamedTuple):
    status: _Status
    exceptions: _Exceptions
    trust: _Trust


class AsyncOperatorClient(AsyncConnection[_Stubs]):
    """A client of one server, ``HOST:PORT``, for one event loop. Use it in an ``async with`` statement, or close it.

    Records are published with ``OperatorClient.publish``, which reads them as they are sent: use it in a separate
    thread. ``tls`` and ``token_file`` as for ``AsyncOnecodeClient``.
    """

    def __init__(
        self,
        server: str,
        deadline_s: float = DEADLINE_S,
        *,
        wait_for_ready: bool = False,
        tls: Tls | None = None,
        token_file: Path | None = None,
    ) -> None:
        """Connect later, at the first call. ``wait_for_ready`` lets calls wait for an unreachable server.

        Raises CredentialsUnusable.
        """
        super().__init__(Access(server, tls, token_file), _stubs, deadline_s, 1, wait_for_ready=wait_for_ready)

    async def get_status(
        self, *, region: str = "", local_id: str = "", pseudonym: bytes | None = None, code: bytes | None = None
    ) -> list[status_pb2.StatusRecord]:
        """Return the records of a subject, named in one of three ways. Raises ServerError."""
        request = status_request(region=region, local_id=local_id, pseudonym=pseudonym, code=code)
        return list((await self._answered(lambda stubs: stubs.status.GetStatus, request)).records)

    async def report_exception(
        self,
        *,
        host_region: str,
        home_region: str,
        reason: str,
        effective_from: datetime,
        effective_until: datetime,
        request_id: str = "",
    ) -> exceptions_pb2.RecognitionException:
        """File a report; the times have an offset.

        ``request_id`` (16 to 64 characters) is for a call that is repeated after a failure, also in another process:
        a request id is filed once. Without it the client makes a random one for each call. Raises ServerError.
        """
        request = report_request(host_region, home_region, reason, effective_from, effective_until, request_id)
        return (await self._answered(lambda stubs: stubs.exceptions.ReportException, request)).exception

    async def acknowledge_exception(self, identifier: str, request_id: str = "") -> exceptions_pb2.RecognitionException:
        """Put a report into effect; ``request_id`` as in ``report_exception``. Raises ServerError."""
        request = step_request(exceptions_pb2.AcknowledgeExceptionRequest, identifier, request_id)
        return (await self._answered(lambda stubs: stubs.exceptions.AcknowledgeException, request)).exception

    async def withdraw_exception(self, identifier: str, request_id: str = "") -> exceptions_pb2.RecognitionException:
        """End a report before its time; ``request_id`` as in ``report_exception``. Raises ServerError."""
        request = step_request(exceptions_pb2.WithdrawExceptionRequest, identifier, request_id)
        return (await self._answered(lambda stubs: stubs.exceptions.WithdrawException, request)).exception

    async def exceptions(self, **filters: Any) -> AsyncIterator[exceptions_pb2.RecognitionException]:
        """Yield the reports, newest first, page by page. Filters are the fields of ListExceptionsRequest."""
        request = exceptions_pb2.ListExceptionsRequest(**filters)
        while True:
            page = await self._answered(lambda stubs: stubs.exceptions.ListExceptions, request)
            for report in page.exceptions:
                yield report
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def trust_list(self, if_newer_than: int = 0) -> bytes | None:
        """Return the signed trust list, or None where the server's is not newer. Raises ServerError."""
        request = trust_list_pb2.GetTrustListRequest(if_newer_than=if_newer_than)
        return (await self._answered(lambda stubs: stubs.trust.GetTrustList, request)).signed_list or None


def _stubs(channel: grpc.aio.Channel) -> _Stubs:
    return _Stubs(
        status_pb2_grpc.StatusServiceStub(channel),
        exceptions_pb2_grpc.ExceptionServiceStub(channel),
        trust_list_pb2_grpc.TrustListServiceStub(channel),
    )
