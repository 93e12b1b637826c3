"""The calls of ``onecode-partner`` to one server."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import grpc

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc, status_pb2_grpc
from onecode.v1 import status_pb2 as status
from onecode_client.access import Access
from onecode_client.connection import Connection
from onecode_client.outbox import Outbox
from onecode_client.partner import streams
from onecode_client.partner.options import Options
from onecode_client.partner.retries import answered


class _Stubs(NamedTuple):
    recognition: recognition_pb2_grpc.RecognitionServiceStub
    status: status_pb2_grpc.StatusServiceStub


class Session(Connection[_Stubs]):
    """One connection. What fails is repeated until the time of the options has passed without an answer; then
    ServerError is raised."""

    def __init__(self, options: Options) -> None:
        """Read the files of TLS and of the token. Raises CredentialsUnusable."""
        access = Access(options.server, options.tls, options.token_file)
        super().__init__(access, _stubs, options.timeout_s, connections=1)

    def batch_verify(self, codes: list[bytes], host: str) -> list[pb.Verdict]:
        """Return a verdict for each code, in their order."""
        request = pb.BatchVerifyRequest(codes=codes, host_region=host)
        answer: pb.BatchVerifyResponse = self._repeated(lambda stubs: stubs.recognition.BatchVerify, request)
        return list(answer.verdicts)

    def translate(self, code: bytes, target: str) -> pb.TranslateResponse:
        """Return the answer to one code."""
        request = pb.TranslateRequest(code=code, target_region=target)
        answer: pb.TranslateResponse = self._repeated(lambda stubs: stubs.recognition.Translate, request)
        return answer

    def stream_verify(self, outbox: Outbox[pb.StreamVerifyRequest]) -> Iterator[pb.StreamVerifyResponse]:
        """Yield answers in any order."""
        return self._streamed(lambda stubs: stubs.recognition.StreamVerify, outbox)

    def publish(self, outbox: Outbox[status.PublishStatusesRequest]) -> Iterator[status.PublishStatusesResponse]:
        """Yield acknowledgements in their order."""
        return self._streamed(lambda stubs: stubs.status.PublishStatuses, outbox)

    def _repeated(self, method: Any, request: Any) -> Any:
        return answered(lambda left_s: self._answered(method, request, left_s), self.deadline_s)

    def _streamed(self, method: Any, outbox: Outbox[Any]) -> Iterator[Any]:
        with self._pool.lease() as stubs:
            yield from streams.answers(
                lambda requests: method(stubs)(requests, metadata=self._access.metadata()),
                outbox,
                self.deadline_s,
                self._access.error,
            )


def _stubs(channel: grpc.Channel) -> _Stubs:
    return _Stubs(recognition_pb2_grpc.RecognitionServiceStub(channel), status_pb2_grpc.StatusServiceStub(channel))
