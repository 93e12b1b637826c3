"""A connection to one server: what all clients here share. Failures of calls become ServerError."""

import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc
from google.rpc import error_details_pb2, status_pb2

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
    # By default a server that was away for a minute is looked for every two: these find it within seconds.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
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


class Connection:
    """A channel to a server, ``HOST:PORT``. Use it in a ``with`` statement, or close it."""

    def __init__(self, server: str, deadline_s: float = DEADLINE_S) -> None:
        self.channel = grpc.insecure_channel(server, options=_OPTIONS)
        self.deadline_s = deadline_s

    def close(self) -> None:
        """End the connection."""
        self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def answered(call: Callable[[], _T]) -> _T:
    """Return what a call returns. Raises ServerError where it is not answered."""
    try:
        return call()
    except grpc.RpcError as fault:
        raise server_error(fault) from None


def server_error(fault: Any) -> ServerError:
    """Return what a call that failed came to."""
    reason = ""
    for key, value in fault.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            info = error_details_pb2.ErrorInfo()
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(info):
                    reason = info.reason
    return ServerError(fault.code().name, fault.details() or "", reason)
