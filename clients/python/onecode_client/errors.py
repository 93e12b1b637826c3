"""The exception for calls without an answer."""

from collections.abc import Callable
from typing import Any, TypeVar

import grpc
from google.rpc import error_details_pb2, status_pb2

_T = TypeVar("_T")


class ServerError(Exception):
    """A call that the server did not answer. ``code`` is gRPC's name of the status; ``reason`` is the server's own
    (google.rpc.ErrorInfo), empty where it gave none.

    Three reasons are this client's: CLIENT_CLOSED (with CANCELLED), and CALLERS_WAITING and HOSTS_WAITING (with
    RESOURCE_EXHAUSTED) where too many callers wait for gathered answers.
    """

    def __init__(self, code: str, message: str, reason: str = "") -> None:
        super().__init__(code, message, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.code}: {self.args[1]}"


def closed() -> ServerError:
    """Return the error of a call whose client is closed."""
    return ServerError("CANCELLED", "the client is closed", "CLIENT_CLOSED")


def overdue() -> ServerError:
    """Return the error of a call whose deadline passes before its answer comes."""
    return ServerError("DEADLINE_EXCEEDED", "no answer came within the deadline")


def answered(call: Callable[[], _T]) -> _T:
    """Return the result of a call. Raises ServerError where it has no answer."""
    try:
        return call()
    except grpc.RpcError as fault:
        raise server_error(fault) from None


def server_error(fault: Any) -> ServerError:
    """Return the error of a failed call."""
    reason = ""
    for key, value in fault.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            info = error_details_pb2.ErrorInfo()
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(info):
                    reason = info.reason
    return ServerError(fault.code().name, fault.details() or "", reason)
