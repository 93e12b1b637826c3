"""The one place where failures become gRPC statuses, each with google.rpc.ErrorInfo (AIP-193)."""

import asyncio
import logging
from functools import lru_cache
from typing import Any, Final, NamedTuple

import grpc
import grpc.aio
from google.rpc import error_details_pb2, status_pb2

from onecode_server.errors import (
    AlreadyExists,
    Draining,
    Idle,
    InvalidRequest,
    NotFound,
    NotPermitted,
    NotServing,
    OnecodeError,
    Overloaded,
    PreconditionFailed,
    RequestOverdue,
    SigningUnavailable,
    StoreUnavailable,
    Unauthenticated,
)

DOMAIN: Final = "onecode"
FAILURES_KEPT: Final = 256
"""The number of failures whose bytes are kept, some 500 bytes each: a flood of calls is refused with the same
message."""
CODES: Final = (
    grpc.StatusCode.OK,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNAUTHENTICATED,
)
"""The codes with which calls of known methods end: those below, and CANCELLED of callers who went."""
_DETAILS_KEY: Final = "grpc-status-details-bin"

_log = logging.getLogger(__name__)


class Failure(NamedTuple):
    """A status as ``context.abort`` takes it, and the reason in its ErrorInfo, which is one of a fixed number."""

    code: grpc.StatusCode
    message: str
    trailing_metadata: tuple[tuple[str, bytes], ...]
    reason: str

    @property
    def status(self) -> tuple[int, str, bytes]:
        """The status as the native front takes it: the code's number, the message, and the serialized
        google.rpc.Status of the trailing metadata."""
        return self.code.value[0], self.message, self.trailing_metadata[0][1]


def failure_of(fault: Exception) -> Failure:  # noqa: C901, PLR0911, PLR0912 - a table, a line for each
    """Return the status of a failure. An unexpected exception becomes INTERNAL, without details for the caller."""
    match fault:
        case InvalidRequest():
            return _failure(grpc.StatusCode.INVALID_ARGUMENT, str(fault), fault.reason)
        case PreconditionFailed():
            return _failure(grpc.StatusCode.FAILED_PRECONDITION, str(fault), fault.reason)
        case NotFound():
            return _failure(grpc.StatusCode.NOT_FOUND, str(fault), fault.reason)
        case Unauthenticated():
            return _failure(grpc.StatusCode.UNAUTHENTICATED, str(fault), fault.reason)
        case NotPermitted():
            return _failure(grpc.StatusCode.PERMISSION_DENIED, str(fault), "NOT_PERMITTED")
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
        case SigningUnavailable():
            return _failure(grpc.StatusCode.UNAVAILABLE, "the gateway keys cannot be used now", "SIGNING_UNAVAILABLE")
        case OnecodeError():
            return _failure(grpc.StatusCode.INTERNAL, "a failure without a status", "INTERNAL")
        case _:
            return _failure(grpc.StatusCode.INTERNAL, "an unexpected failure, which the server has logged", "INTERNAL")


async def abort(context: grpc.aio.ServicerContext[Any, Any], failure: Failure) -> None:
    """End a call with a failure. gRPC raises AbortError itself once its method has returned.

    If AbortError left this function, its traceback would keep the frames, these the call, and the call the error: 21
    objects for each refused call until garbage is collected, which then takes tens of milliseconds.
    """
    try:
        await context.abort(failure.code, failure.message, failure.trailing_metadata)
    except grpc.aio.AbortError as ended:
        ended.__traceback__ = None
    except grpc.aio.BaseError:  # the caller has gone
        raise asyncio.CancelledError from None


def log_unexpected(fault: Exception, method: str) -> None:
    """Log a failure of a method unless it is an expected one. Its text may contain parts of a request."""
    if not isinstance(fault, OnecodeError):
        _log.error("unexpected failure: %s", type(fault).__name__, extra={"rpc": method})


@lru_cache(FAILURES_KEPT)
def _failure(code: grpc.StatusCode, message: str, reason: str, retry_after_s: float | None = None) -> Failure:
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN))
    if retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(round(retry_after_s * 1e9))
        status.details.add().Pack(retry)
    return Failure(code, message, ((_DETAILS_KEY, status.SerializeToString()),), reason)
