"""The ExceptionService: reports, acknowledgements, withdrawals, and lists by pages."""

import base64
from typing import Any, Final

import grpc.aio

from onecode.v1 import exceptions_pb2 as pb
from onecode.v1 import exceptions_pb2_grpc as pb_grpc
from onecode_server.engine.clock import Clock
from onecode_server.engine.exception_desk import ExceptionDesk
from onecode_server.errors import InvalidRequest
from onecode_server.model.exception import RecognitionException
from onecode_server.model.region import is_region_code
from onecode_server.rpc.convert import timestamp
from onecode_server.rpc.records import read_time
from onecode_server.rules.exceptions import state
from onecode_server.stores.protocol import Store

PAGE_MAX: Final = 1000
PAGE_DEFAULT: Final = 100

_Context = grpc.aio.ServicerContext[Any, Any]


class ExceptionServicer(pb_grpc.ExceptionServiceServicer):
    """Turns requests into steps at the desk, and reports into messages."""

    def __init__(self, desk: ExceptionDesk, store: Store, clock: Clock) -> None:
        self._desk = desk
        self._store = store
        self._clock = clock

    async def ReportException(
        self, request: pb.ReportExceptionRequest, context: _Context
    ) -> pb.ReportExceptionResponse:
        """File a report. Raises InvalidRequest, PreconditionFailed, NotServing, StoreUnavailable."""
        for field in ("host_region", "home_region"):
            if not is_region_code(getattr(request, field)):
                raise InvalidRequest(f"{field.upper()}_INVALID", f"{field} is not six digits")
        begins, ends = read_time(request.effective_from), read_time(request.effective_until)
        if not begins or not ends:
            raise InvalidRequest("TIME_INVALID", "effective_from and effective_until are needed, from 1970 to 9999")
        report = await self._desk.report(request.host_region, request.home_region, request.reason, begins, ends)
        return pb.ReportExceptionResponse(exception=self._message(report))

    async def AcknowledgeException(
        self, request: pb.AcknowledgeExceptionRequest, context: _Context
    ) -> pb.AcknowledgeExceptionResponse:
        """Let a report take effect. Raises NotFound, PreconditionFailed, StoreUnavailable."""
        return pb.AcknowledgeExceptionResponse(exception=self._message(await self._desk.acknowledge(request.id)))

    async def WithdrawException(
        self, request: pb.WithdrawExceptionRequest, context: _Context
    ) -> pb.WithdrawExceptionResponse:
        """End a report before its time. Raises NotFound, PreconditionFailed, StoreUnavailable."""
        return pb.WithdrawExceptionResponse(exception=self._message(await self._desk.withdraw(request.id)))

    async def ListExceptions(self, request: pb.ListExceptionsRequest, context: _Context) -> pb.ListExceptionsResponse:
        """Return a page of reports, newest first. Raises InvalidRequest, StoreUnavailable."""
        if not 0 <= request.page_size <= PAGE_MAX:
            raise InvalidRequest("PAGE_SIZE_INVALID", f"page_size is 0 to {PAGE_MAX:,}")
        after, now = _read_token(request.page_token), self._clock()
        found = [
            report
            for report in await self._store.exceptions()
            if (not request.host_region or report.host == request.host_region)
            and (not request.home_region or report.home == request.home_region)
            and (not request.state or state(report, now) == int(request.state))
            and (after is None or _place(report) < after)
        ]
        found.sort(key=_place, reverse=True)
        size = request.page_size or PAGE_DEFAULT
        token = _write_token(found[size - 1]) if len(found) > size else ""
        return pb.ListExceptionsResponse(exceptions=map(self._message, found[:size]), next_page_token=token)

    def _message(self, report: RecognitionException) -> pb.RecognitionException:
        steps = {"acknowledged_at": report.acknowledged_at, "withdrawn_at": report.withdrawn_at}
        return pb.RecognitionException(
            id=report.id,
            host_region=report.host,
            home_region=report.home,
            reason=report.reason,
            effective_from=timestamp(report.effective_from),
            effective_until=timestamp(report.effective_until),
            state=pb.ExceptionState.ValueType(state(report, self._clock())),
            reported_at=timestamp(report.reported_at),
            **{name: timestamp(time) for name, time in steps.items() if time is not None},
        )


def _place(report: RecognitionException) -> tuple[int, str]:
    """Return where a report stands in the list: a place that other reports do not move, so that pages hold."""
    return report.reported_at, report.id


def _write_token(report: RecognitionException) -> str:
    return base64.urlsafe_b64encode(f"{report.reported_at} {report.id}".encode()).decode()


def _read_token(token: str) -> tuple[int, str] | None:
    if not token:
        return None
    try:
        time, _, identifier = base64.urlsafe_b64decode(token).decode().partition(" ")
        return int(time), identifier
    except ValueError:
        raise InvalidRequest("PAGE_TOKEN_INVALID", "page_token is not one that this service gave") from None
