"""A blocking client for operators of a region or the nation: status, exceptions, the trust list."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import grpc
from google.protobuf.json_format import ParseDict, ParseError

from onecode.v1 import (
    exceptions_pb2,
    exceptions_pb2_grpc,
    status_pb2,
    status_pb2_grpc,
    trust_list_pb2,
    trust_list_pb2_grpc,
)
from onecode_client.access import Access
from onecode_client.connection import DEADLINE_S, Connection
from onecode_client.errors import ServerError
from onecode_client.publishing import PATIENCE_S, Outbox, Patience
from onecode_client.tls import Tls

_Step = TypeVar("_Step", exceptions_pb2.AcknowledgeExceptionRequest, exceptions_pb2.WithdrawExceptionRequest)


class _Stubs(NamedTuple):
    status: status_pb2_grpc.StatusServiceStub
    exceptions: exceptions_pb2_grpc.ExceptionServiceStub
    trust: trust_list_pb2_grpc.TrustListServiceStub


class OperatorClient(Connection[_Stubs]):
    """A connection to one server, ``HOST:PORT``. Use it in a ``with`` statement, or close it.

    ``tls`` and ``token_file`` as for ``OnecodeClient``.
    """

    def __init__(
        self,
        server: str,
        deadline_s: float = DEADLINE_S,
        *,
        tls: Tls | None = None,
        token_file: Path | None = None,
    ) -> None:
        """Connect later, at the first call. Raises CredentialsUnusable."""
        super().__init__(Access(server, tls, token_file), _stubs, deadline_s, 1)

    def publish(
        self,
        records: Iterable[status_pb2.StatusRecord],
        first_sequence: int = 1,
        patience_s: float = PATIENCE_S,
        interrupted: Callable[[ServerError], None] | None = None,
    ) -> Iterator[status_pb2.PublishStatusesResponse]:
        """Publish records as one stream, for as long as it takes; yields the server's answers as they come.

        Records are read as they are sent, in a thread of gRPC's, and numbered from ``first_sequence``. Records up to
        ``durable_through`` are on disk or rejected; ``failures`` are the rejections that need attention. Where the
        connection breaks or the server drains, the other records are sent again on a new stream, and ``interrupted`` is
        called with the reason, once for each break. No rejection is lost, and none is yielded twice.

        Raises ServerError where sending again does not help, or brought no acknowledgement within ``patience_s``
        seconds; the other records are then to be published again, which is harmless for records that were published. An
        exception of ``records`` is raised here, after the answers to the records before.
        """
        outbox, patience = Outbox(records, first_sequence), Patience(patience_s, interrupted)
        while True:
            with self._pool.lease() as stubs:
                call = stubs.status.PublishStatuses(outbox.stream(), metadata=self._access.metadata())
                try:
                    for answer in call:
                        outbox.acknowledge(answer.durable_through)
                        patience.renew()
                        yield answer
                    outbox.finish()
                    return
                except grpc.RpcError as fault:
                    error = self._access.error(fault)
                finally:
                    call.cancel()
                    outbox.close()
            patience.spend(error)

    def get_status(
        self, *, region: str = "", local_id: str = "", pseudonym: bytes | None = None, code: bytes | None = None
    ) -> list[status_pb2.StatusRecord]:
        """Return the records of a subject, named in one of three ways. Raises ServerError."""
        request = status_request(region=region, local_id=local_id, pseudonym=pseudonym, code=code)
        return list(self._answered(lambda stubs: stubs.status.GetStatus, request).records)

    def report_exception(
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
        return self._answered(lambda stubs: stubs.exceptions.ReportException, request).exception

    def acknowledge_exception(self, identifier: str, request_id: str = "") -> exceptions_pb2.RecognitionException:
        """Put a report into effect; ``request_id`` as in ``report_exception``. Raises ServerError."""
        request = step_request(exceptions_pb2.AcknowledgeExceptionRequest, identifier, request_id)
        return self._answered(lambda stubs: stubs.exceptions.AcknowledgeException, request).exception

    def withdraw_exception(self, identifier: str, request_id: str = "") -> exceptions_pb2.RecognitionException:
        """End a report before its time; ``request_id`` as in ``report_exception``. Raises ServerError."""
        request = step_request(exceptions_pb2.WithdrawExceptionRequest, identifier, request_id)
        return self._answered(lambda stubs: stubs.exceptions.WithdrawException, request).exception

    def exceptions(self, **filters: Any) -> Iterator[exceptions_pb2.RecognitionException]:
        """Yield the reports, newest first, page by page. Filters are the fields of ListExceptionsRequest."""
        request = exceptions_pb2.ListExceptionsRequest(**filters)
        while True:
            page = self._answered(lambda stubs: stubs.exceptions.ListExceptions, request)
            yield from page.exceptions
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def trust_list(self, if_newer_than: int = 0) -> bytes | None:
        """Return the signed trust list, or None where the server's is not newer. Raises ServerError."""
        request = trust_list_pb2.GetTrustListRequest(if_newer_than=if_newer_than)
        return self._answered(lambda stubs: stubs.trust.GetTrustList, request).signed_list or None


def _stubs(channel: grpc.Channel) -> _Stubs:
    return _Stubs(
        status_pb2_grpc.StatusServiceStub(channel),
        exceptions_pb2_grpc.ExceptionServiceStub(channel),
        trust_list_pb2_grpc.TrustListServiceStub(channel),
    )


def status_request(
    *, region: str, local_id: str, pseudonym: bytes | None, code: bytes | None
) -> status_pb2.GetStatusRequest:
    """Return the request for a subject's records, named in one of three ways."""
    subject = status_pb2.SubjectRef()
    if pseudonym is not None:
        subject.pseudonym = pseudonym
    elif code is not None:
        subject.code = code
    else:
        subject.local.region, subject.local.id = region, local_id
    return status_pb2.GetStatusRequest(subject=subject)


def new_request_id() -> str:
    """Return a unique request id: gRPC may send the request again with it, and it is done once."""
    return uuid.uuid4().hex


def step_request(kind: type[_Step], identifier: str, request_id: str) -> _Step:
    """Return the request for a step of a report, under a request id of its own where none is given."""
    return kind(id=identifier, request_id=request_id or new_request_id())


def report_request(
    host_region: str,
    home_region: str,
    reason: str,
    effective_from: datetime,
    effective_until: datetime,
    request_id: str = "",
) -> exceptions_pb2.ReportExceptionRequest:
    """Return the request that files a report; the times have an offset."""
    request = exceptions_pb2.ReportExceptionRequest(
        host_region=host_region, home_region=home_region, reason=reason, request_id=request_id or new_request_id()
    )
    request.effective_from.FromDatetime(effective_from)
    request.effective_until.FromDatetime(effective_until)
    return request


def status_record(members: Mapping[str, Any]) -> status_pb2.StatusRecord:
    """Return a record from its JSON form, in which enum names may leave out their prefix. Raises ValueError."""
    named = dict(members)
    for field, prefix in (("level", "LEVEL_"), ("scope", "SCOPE_")):
        if field in named:
            named[field] = prefix + str(named[field]).removeprefix(prefix)
    try:
        return ParseDict(named, status_pb2.StatusRecord())
    except ParseError as fault:
        raise ValueError(str(fault)) from None
