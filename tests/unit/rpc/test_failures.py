"""What a failure of the store is called to a caller: busy is not broken."""

from collections.abc import Iterator
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from onecode_server.errors import (
    LogBroken,
    LogUnavailable,
    SigningUnavailable,
    StoreBusy,
    StoredDamaged,
    StoreUnavailable,
)
from onecode_server.rpc.failures import failure_of

Detail = TypeVar("Detail", bound=Message)


def details(fault: Exception, kind: type[Detail]) -> Iterator[Detail]:
    """Return the details of a kind that a caller gets."""
    status = status_pb2.Status.FromString(failure_of(fault).trailing_metadata[0][1])
    for packed in status.details:
        if packed.Is(kind.DESCRIPTOR):
            packed.Unpack(found := kind())
            yield found


def test_a_store_for_which_too_much_waits_is_exhausted_and_says_when_to_come_back() -> None:
    fault = StoreBusy("too many calls wait for the store", 1.0)
    assert isinstance(fault, StoreUnavailable)  # so that whoever bears a store that does not answer bears this too
    assert failure_of(fault).code is grpc.StatusCode.RESOURCE_EXHAUSTED
    (retry,) = details(fault, error_details_pb2.RetryInfo)
    assert retry.retry_delay.ToNanoseconds() == 10**9


def test_a_store_that_fails_or_is_damaged_and_a_log_that_does_not_answer_are_unavailable() -> None:
    damaged, late = StoredDamaged("a stored record cannot be read"), LogUnavailable("broker 10.0.0.1 is down")
    for fault in (StoreUnavailable("it failed"), damaged, late):
        assert failure_of(fault).code is grpc.StatusCode.UNAVAILABLE
        assert failure_of(fault).message == "the store does not answer"  # without what is written for operators
        (info,) = details(fault, error_details_pb2.ErrorInfo)
        assert info.reason == "STORE_UNAVAILABLE"
        assert list(details(fault, error_details_pb2.RetryInfo)) == []


def test_a_broken_log_is_described_to_operators_only() -> None:
    failure = failure_of(LogBroken("partition 3 begins at 900, and this machine is at 7"))
    assert failure.code is grpc.StatusCode.INTERNAL
    assert "900" not in failure.message


def test_a_token_that_does_not_sign_is_unavailable_and_is_not_described_to_callers() -> None:
    failure = failure_of(SigningUnavailable("pkcs11:token=onecode: DeviceRemoved"))
    assert (failure.code, failure.message) == (grpc.StatusCode.UNAVAILABLE, "the gateway keys cannot be used now")
