"""The one place where failures become gRPC statuses, each with google.rpc.ErrorInfo (AIP-193)."""

from functools import lru_cache
from typing import Final, NamedTuple

import grpc
from google.rpc import error_details_pb2, status_pb2

from onecode_server.errors import (
    AlreadyExists,
    Draining,
    Idle,
    InvalidRequest,
    NotFound,
    NotServing,
    OnecodeError,
    Overloaded,
    PreconditionFailed,
    RequestOverdue,
    StoreUnavailable,
)

DOMAIN: Final = "onecode"
FAILURES_KEPT: Final = 256
"""The number of failures whose bytes are kept, some 500 bytes each: a flood of calls is refused with the same
message."""
_DETAILS_KEY: Final = "grpc-status-details-bin"


class Failure(NamedTuple):
    """A status as ``context.abort`` takes it."""

    code: grpc.StatusCode
    message: str
    trailing_metadata: tuple[tuple[str, bytes], ...]


def failure_of(fault: Exception) -> Failure:  # noqa: C901, PLR0911 - a table, a line for each
    """Return the status of a failure. An unexpected exception becomes INTERNAL, without details for the caller."""
    match fault:
        case InvalidRequest():
            return _failure(grpc.StatusCode.INVALID_ARGUMENT, str(fault), fault.reason)
        case PreconditionFailed():
            return _failure(grpc.StatusCode.FAILED_PRECONDITION, str(fault), fault.reason)
        case NotFound():
            return _failure(grpc.StatusCode.NOT_FOUND, str(fault), fault.reason)
        case AlreadyExists():
            return _failure(grpc.StatusCode.ALREADY_EXISTS, str(fault), fault.reason)
        case Draining():
            return _failure(grpc.StatusCode.UNAVAILABLE, str(fault), "DRAINING")
        case Overloaded():
            return _failure(grpc.StatusCode.RESOURCE_EXHAUSTED, str(fault), "OVERLOADED", fault.retry_after_s)
        case RequestOverdue():
            return _failure(grpc.StatusCode.DEADLINE_EXCEEDED, str(fault), "REQUEST_OVERDUE")
        case Idle():
            return _failure(grpc.StatusCode.UNAVAILABLE, str(fault), "STREAM_IDLE")
        case NotServing():
            return _failure(grpc.StatusCode.UNAVAILABLE, str(fault), "NOT_SERVING")
        case StoreUnavailable():
            return _failure(grpc.StatusCode.UNAVAILABLE, "the store does not answer", "STORE_UNAVAILABLE")
        case OnecodeError():
            return _failure(grpc.StatusCode.INTERNAL, "a failure without a status", "INTERNAL")
        case _:
            return _failure(grpc.StatusCode.INTERNAL, "an unexpected failure, which the server has logged", "INTERNAL")


@lru_cache(FAILURES_KEPT)
def _failure(code: grpc.StatusCode, message: str, reason: str, retry_after_s: float | None = None) -> Failure:
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN))
    if retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(round(retry_after_s * 1e9))
        status.details.add().Pack(retry)
    return Failure(code, message, ((_DETAILS_KEY, status.SerializeToString()),))
