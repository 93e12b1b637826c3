"""Calls that stay open: streams that a test feeds, and watches."""

import queue
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc, status_pb2, status_pb2_grpc

from tests.integration.identities import Refused, health_stub, read_refusal

_Request = TypeVar("_Request")


class OpenCall(Generic[_Request]):
    """A call to a method whose answers are streamed, open until the server or the test ends it."""

    def __init__(self, method: Any) -> None:
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self.call = method(iter(self._requests.get, None))

    def send(self, request: _Request) -> None:
        """Send a request."""
        self._requests.put(request)

    def ask(self, *requests: _Request) -> list[Any]:
        """Send requests, and return as many answers. Raises grpc.RpcError where the call ends before."""
        for request in requests:
            self.send(request)
        return [next(self.call) for _ in requests]

    def rest(self) -> list[Any]:
        """Send no more, and return the answers that are left."""
        self._requests.put(None)
        return list(self.call)

    @property
    def is_open(self) -> bool:
        """Whether the server has not ended it."""
        return bool(self.call.is_active())

    def end(self) -> Refused:
        """Return how the server has ended it."""
        self._requests.put(None)
        return read_refusal(self.call)


def scans(channel: grpc.Channel) -> OpenCall[pb.StreamVerifyRequest]:
    """Open a stream of scans."""
    return OpenCall(recognition_pb2_grpc.RecognitionServiceStub(channel).StreamVerify)


def records(channel: grpc.Channel) -> OpenCall[status_pb2.PublishStatusesRequest]:
    """Open a stream of status records."""
    return OpenCall(status_pb2_grpc.StatusServiceStub(channel).PublishStatuses)


def watch(channel: grpc.Channel, service: str = "") -> OpenCall[Any]:
    """Watch the health of a service: the first answer has been read."""
    asked = health_pb2.HealthCheckRequest(service=service)
    opened: OpenCall[Any] = OpenCall(lambda _: health_stub(channel).Watch(asked))
    next(opened.call)
    return opened


def scan(code: bytes, host: str, number: int = 1) -> pb.StreamVerifyRequest:
    """Return a message of a stream of scans."""
    return pb.StreamVerifyRequest(request_id=number, code=code, host_region=host)


def record(publisher: str, sequence: int, local_id: str = "wang") -> status_pb2.PublishStatusesRequest:
    """Return a message of a stream of records: a record of one of the publisher's own."""
    subject = status_pb2.SubjectRef(local=status_pb2.LocalSubject(region=publisher, id=local_id))
    return status_pb2.PublishStatusesRequest(
        sequence=sequence,
        record=status_pb2.StatusRecord(
            publisher=publisher,
            subject=subject,
            level=status_pb2.LEVEL_GREEN,
            scope=status_pb2.SCOPE_NATIONAL,
            effective_at=Timestamp(seconds=int(datetime.now(UTC).timestamp())),
            revision=sequence,
        ),
    )


def numbered(code: bytes, *hosts: str) -> Iterator[pb.StreamVerifyRequest]:
    """Yield messages of a stream of scans for these hosts, numbered from 1."""
    return (scan(code, host, number) for number, host in enumerate(hosts, 1))
