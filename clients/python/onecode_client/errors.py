"""The exceptions: for calls without an answer, and for files of certificates or tokens that cannot be used."""

from typing import Any, Final

from google.rpc import error_details_pb2, status_pb2

from onecode_client.connection_faults import explain


class ServerError(Exception):
    """A call that the server did not answer. ``code`` is gRPC's name of the status; ``reason`` is the server's own
    (google.rpc.ErrorInfo), empty where it gave none. ``retry_after_s`` is after how many seconds it may be asked again
    (google.rpc.RetryInfo), None where it did not say.

    Some reasons are this client's: CLIENT_CLOSED (with CANCELLED), CALLERS_WAITING and HOSTS_WAITING (with
    RESOURCE_EXHAUSTED) where too many callers wait for gathered answers, and those of ``connection_faults`` (with
    UNAVAILABLE) where the two sides do not agree about TLS.
    """

    def __init__(self, code: str, message: str, reason: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(code, message, reason, retry_after_s)
        self.code = code
        self.reason = reason
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.code}: {self.args[1]}"


class Unauthenticated(ServerError):
    """The server does not know who calls: no certificate or token, or none that it takes. ``reason`` says which."""


class PermissionDenied(ServerError):
    """The server knows who calls, and this caller may not make this call, or not for this region."""


_KINDS: Final = {"UNAUTHENTICATED": Unauthenticated, "PERMISSION_DENIED": PermissionDenied}


class CredentialsUnusable(ValueError):
    """Files of certificates, keys or tokens cannot be used, or not with this server. The text names the file, and
    nothing of its content."""


def closed() -> ServerError:
    """Return the error of a call whose client is closed."""
    return ServerError("CANCELLED", "the client is closed", "CLIENT_CLOSED")


def overdue() -> ServerError:
    """Return the error of a call whose deadline passes before its answer comes."""
    return ServerError("DEADLINE_EXCEEDED", "no answer came within the deadline")


def server_error(fault: Any, *, speaks_tls: bool = False, has_certificate: bool = False) -> ServerError:
    """Return the error of a failed call: what gRPC says, and what it means where no connection was made."""
    code, details, reason = fault.code().name, fault.details() or "", ""
    retry_after_s: float | None = None
    for key, value in fault.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Unpack(info):
                    reason = info.reason
                elif detail.Unpack(retry):
                    retry_after_s = max(0.0, retry.retry_delay.ToNanoseconds() / 1e9)
    if code == "UNAVAILABLE" and not reason:
        why = explain(details, speaks_tls=speaks_tls, has_certificate=has_certificate)
        if why is not None:
            reason, details = why.reason, f"{why.text} ({details})"
    return _KINDS.get(code, ServerError)(code, details, reason, retry_after_s)
