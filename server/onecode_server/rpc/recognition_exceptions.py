"""The ExceptionService: reports, acknowledgements, withdrawals, and lists by pages."""

import asyncio
import base64
from typing import Final

from onecode.v1 import exceptions_pb2 as pb
from onecode.v1 import exceptions_pb2_grpc as pb_grpc
from onecode_server.codes.times import TIME_MAX
from onecode_server.errors import InvalidRequest
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.region import is_region_code
from onecode_server.recognition.exception_list import ExceptionList, Wanted
from onecode_server.recognition.exception_service import ExceptionService
from onecode_server.rpc.callers import Caller
from onecode_server.rpc.convert import timestamp
from onecode_server.rpc.records import read_time
from onecode_server.rules.authorisation import Right
from onecode_server.rules.recognition_exceptions import state
from onecode_server.stores.protocol import Place

PAGE_MAX: Final = 1000
PAGE_DEFAULT: Final = 100
SLICE_REPORTS: Final = 100
"""The number of reports that are converted without a pause of the event loop: about 2 ms."""
TOKEN_CHARS_MAX: Final = 256
"""Longer than any page token: a time and an id of at most 64 bytes, in base64."""


class ExceptionServicer(pb_grpc.ExceptionServiceServicer):
    """Converts requests to calls of the exception service, and reports to messages."""

    def __init__(self, service: ExceptionService, reports: ExceptionList) -> None:
        self._service = service
        self._list = reports

    async def ReportException(  # type: ignore[override]
        self, request: pb.ReportExceptionRequest, caller: Caller
    ) -> pb.ReportExceptionResponse:
        """File a report. Raises InvalidRequest, NotServing and what the service raises."""
        for field in ("host_region", "home_region"):
            if not is_region_code(getattr(request, field)):
                raise InvalidRequest(f"{field.upper()}_INVALID", f"{field} is not six digits")
        begins, ends = read_time(request.effective_from), read_time(request.effective_until)
        if not begins or not ends:
            raise InvalidRequest("TIME_INVALID", "effective_from and effective_until are needed, from 1970 to 9999")
        answer = await self._service.report(
            caller.identity,
            request.host_region,
            request.home_region,
            request.reason,
            begins,
            ends,
            request.request_id,
        )
        return pb.ReportExceptionResponse(exception=_message(*answer))

    async def AcknowledgeException(  # type: ignore[override]
        self, request: pb.AcknowledgeExceptionRequest, caller: Caller
    ) -> pb.AcknowledgeExceptionResponse:
        """Put a report into effect. Raises NotFound and what the service raises."""
        answer = await self._service.acknowledge(caller.identity, request.id, request.request_id)
        return pb.AcknowledgeExceptionResponse(exception=_message(*answer))

    async def WithdrawException(  # type: ignore[override]
        self, request: pb.WithdrawExceptionRequest, caller: Caller
    ) -> pb.WithdrawExceptionResponse:
        """End a report before its time. Raises NotFound and what the service raises."""
        answer = await self._service.withdraw(caller.identity, request.id, request.request_id)
        return pb.WithdrawExceptionResponse(exception=_message(*answer))

    async def ListExceptions(  # type: ignore[override]
        self, request: pb.ListExceptionsRequest, caller: Caller
    ) -> pb.ListExceptionsResponse:
        """Return a page of reports, newest first. Raises InvalidRequest, NotPermitted, StoreUnavailable.

        A caller that may read the reports of one region only has to narrow the list to it, as host or as home.
        """
        if not 0 <= request.page_size <= PAGE_MAX:
            raise InvalidRequest("PAGE_SIZE_INVALID", f"page_size is 0 to {PAGE_MAX:,}")
        caller.expect(Right.READ_REPORTS, request.host_region, request.home_region)
        wanted = Wanted(request.host_region, request.home_region, int(request.state))
        page = await self._list.page(wanted, _read_token(request.page_token), request.page_size or PAGE_DEFAULT)
        answer = pb.ListExceptionsResponse(next_page_token="" if page.end is None else _write_token(page.end))
        for number, report in enumerate(page.reports, 1):
            answer.exceptions.append(_message(report, page.time))
            if number % SLICE_REPORTS == 0:
                await asyncio.sleep(0)  # lets other tasks of the loop run
        return answer


def _message(report: RecognitionException, now: int) -> pb.RecognitionException:
    """Return a report as its message, with its state at ``now``."""
    steps = {"acknowledged_at": report.acknowledged_at, "withdrawn_at": report.withdrawn_at}
    return pb.RecognitionException(
        id=report.id,
        host_region=report.host,
        home_region=report.home,
        reason=report.reason,
        effective_from=timestamp(report.effective_from),
        effective_until=timestamp(report.effective_until),
        state=pb.ExceptionState.ValueType(state(report, now)),
        reported_at=timestamp(report.reported_at),
        reported_by=report.reported_by,
        acknowledged_by=report.acknowledged_by,
        withdrawn_by=report.withdrawn_by,
        **{name: timestamp(time) for name, time in steps.items() if time is not None},
    )


def _write_token(place: Place) -> str:
    return base64.urlsafe_b64encode(f"{place.reported_at} {place.id}".encode()).decode()


def _read_token(token: str) -> Place | None:
    if not token:
        return None
    try:
        time, _, identifier = base64.urlsafe_b64decode(token[:TOKEN_CHARS_MAX]).decode().partition(" ")
        place = Place(int(time), identifier)
    except ValueError:
        place = Place(-1, "")
    if not 0 <= place.reported_at < TIME_MAX or len(token) > TOKEN_CHARS_MAX:
        raise InvalidRequest("PAGE_TOKEN_INVALID", "page_token was not issued by this service")
    return place
