"""A blocking client for commands, scripts and gateways that check codes in batches."""

import json
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc
from google.rpc import error_details_pb2, status_pb2

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

BATCH_CODES_MAX: Final = 4096
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
DEADLINE_S: Final = 30.0
"""For one call: a full batch takes a PyNaCl server well under a second; the rest is for a server under load."""

_SERVICE_CONFIG: Final = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{"service": "onecode.v1.RecognitionService"}],
                # Checks change nothing, so that asking again is safe.
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
                },
            }
        ]
    }
)
_OPTIONS: Final = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
)
_T = TypeVar("_T")


class ServerError(Exception):
    """A call that the server did not answer. ``code`` is gRPC's name of the status; ``reason`` is the server's own
    (google.rpc.ErrorInfo), empty where it gave none."""

    def __init__(self, code: str, message: str, reason: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.reason = reason


class OnecodeClient:
    """A connection to one server, ``HOST:PORT``. Use it in a ``with`` statement, or close it."""

    def __init__(self, server: str, deadline_s: float = DEADLINE_S) -> None:
        self._channel = grpc.insecure_channel(server, options=_OPTIONS)
        self._stub = pb_grpc.RecognitionServiceStub(self._channel)
        self._deadline_s = deadline_s

    def verify(self, code: bytes, host_region: str) -> pb.VerifyResponse:
        """Check one code as scanned. Raises ServerError."""
        request = pb.VerifyRequest(code=code, host_region=host_region)
        return _answered(lambda: self._stub.Verify(request, timeout=self._deadline_s))

    def verify_all(self, codes: Iterable[bytes], host_region: str) -> Iterator[pb.Verdict]:
        """Check any number of codes in batches; yields one verdict a code, in order. Raises ServerError."""
        for batch in batches(codes):
            request = pb.BatchVerifyRequest(codes=batch, host_region=host_region)
            yield from _answered(lambda r=request: self._stub.BatchVerify(r, timeout=self._deadline_s)).verdicts  # type: ignore[misc]

    def translate(self, code: bytes, target_region: str) -> pb.TranslateResponse:
        """Translate one code as scanned. Raises ServerError."""
        request = pb.TranslateRequest(code=code, target_region=target_region)
        return _answered(lambda: self._stub.Translate(request, timeout=self._deadline_s))

    def translate_all(self, codes: Iterable[bytes], target_region: str) -> Iterator[pb.BatchTranslateResult]:
        """Translate any number of codes in batches; yields one result a code, in order. Raises ServerError."""
        for batch in batches(codes):
            request = pb.BatchTranslateRequest(codes=batch, target_region=target_region)
            yield from _answered(lambda r=request: self._stub.BatchTranslate(r, timeout=self._deadline_s)).results  # type: ignore[misc]

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def batches(codes: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Group codes so that each group fits one call: at most 4,096 codes and 4 MiB."""
    batch: list[bytes] = []
    size = 0
    for code in codes:
        if batch and (len(batch) == BATCH_CODES_MAX or size + len(code) > BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(code)
        size += len(code)
    if batch:
        yield batch


def _answered(call: Callable[[], _T]) -> _T:
    try:
        return call()
    except grpc.RpcError as fault:
        raise _server_error(fault) from None


def _server_error(fault: Any) -> ServerError:
    reason = ""
    for key, value in fault.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            info = error_details_pb2.ErrorInfo()
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(info):
                    reason = info.reason
    return ServerError(fault.code().name, fault.details() or "", reason)
