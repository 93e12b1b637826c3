"""Requests that are too large: what is left of them is small, and is answered as all of them would be."""

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from onecode.v1 import exceptions_pb2, recognition_pb2, status_pb2
from onecode_server.model.code import CODE_BYTES_MAX
from onecode_server.model.region import is_region_code
from onecode_server.model.scanned import AROUND_BYTES_MAX, SCAN_BYTES_MAX, bare, enough
from onecode_server.rpc.large_requests import REQUEST_BYTES_MAX, cut
from onecode_server.rpc.records import read_record
from onecode_server.rules.recognition_exceptions import REASON_BYTES_MAX

LARGE = 4 * 1024 * 1024 - 1000
UNKNOWN_FIELD = b"\xfa\x07\x80\x92\xf4\x01" + bytes(4_000_000)


@pytest.mark.parametrize("end", [b"x", b" ", b"\n" * 300, b"\xef\xbb\xbf"])
def test_what_is_left_of_a_long_scan_is_longer_than_a_code_whatever_is_around_it(end: bytes) -> None:
    scan = b" " * 300 + b"x" * LARGE + end
    assert len(enough(scan)) == SCAN_BYTES_MAX + 1
    assert len(bare(enough(scan))) > CODE_BYTES_MAX


def test_a_scan_that_may_be_a_code_is_left_as_it_is() -> None:
    scan = b" " * AROUND_BYTES_MAX + b"x" * CODE_BYTES_MAX + b" " * AROUND_BYTES_MAX
    assert enough(scan) is scan
    assert bare(scan) == b"x" * CODE_BYTES_MAX


@pytest.mark.parametrize(
    "request_",
    [
        recognition_pb2.VerifyRequest(code=b"x" * LARGE, host_region="440000"),
        recognition_pb2.StreamVerifyRequest(request_id=7, code=b"x" * LARGE, host_region="440000"),
        recognition_pb2.TranslateRequest(code=b"x" * LARGE, target_region="440000"),
        recognition_pb2.VerifyRequest(code=b"x", host_region="4" * LARGE),
    ],
)
def test_a_scan_keeps_what_it_asks_and_no_more_of_its_code(request_: Any) -> None:
    kept = cut(request_)
    assert kept.ByteSize() < REQUEST_BYTES_MAX
    fields = {field.name: value for field, value in kept.ListFields()}
    for field, value in request_.ListFields():
        assert fields[field.name] == (value if isinstance(value, int) else value[: len(fields[field.name])])


def test_fields_that_nobody_knows_are_not_kept() -> None:
    known = recognition_pb2.StreamVerifyRequest(request_id=7, code=b"x", host_region="440000")
    read = recognition_pb2.StreamVerifyRequest.FromString(known.SerializeToString() + UNKNOWN_FIELD)
    assert read.ByteSize() > REQUEST_BYTES_MAX
    assert cut(read).SerializeToString() == known.SerializeToString()


SUBJECTS = [
    {"pseudonym": b"p" * LARGE},
    {"local": {"region": "420000", "id": "i" * LARGE}},
    {"local": {"region": "4" * LARGE, "id": "i"}},
    {"code": b"SH-" + b"a" * LARGE},
    {},
]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_record_is_judged_by_what_is_kept_as_by_all_of_it(subject: Any) -> None:
    record = status_pb2.StatusRecord(
        publisher="420000",
        subject=subject,
        level=status_pb2.LEVEL_GREEN,
        scope=status_pb2.SCOPE_NATIONAL,
        revision=5,
        effective_at=Timestamp(seconds=1),
    )
    kept = cut(status_pb2.PublishStatusesRequest(sequence=9, record=record))
    assert kept.ByteSize() < 2 * REQUEST_BYTES_MAX
    assert kept.sequence == 9
    before, after = read_record(record), read_record(kept.record)
    if not subject:
        assert before == after
    else:
        assert isinstance(before, tuple)
        assert isinstance(after, tuple)
        assert before[1] == after[1]
        assert type(before[0]) is type(after[0])


def test_a_publisher_with_a_long_name_is_still_nobody() -> None:
    record = status_pb2.StatusRecord(publisher="4" * LARGE, expires_at=Timestamp(seconds=5, nanos=7))
    kept = cut(status_pb2.PublishStatusesRequest(record=record)).record
    assert not is_region_code(kept.publisher)
    assert kept.HasField("expires_at")
    assert not kept.HasField("effective_at")
    assert kept.expires_at == record.expires_at


def test_a_batch_is_left_as_it_is() -> None:
    batch = recognition_pb2.BatchVerifyRequest(codes=[b"x" * 4000] * 1000, host_region="440000")
    assert cut(batch) is batch


def test_a_reason_that_is_too_long_stays_so() -> None:
    kept = cut(exceptions_pb2.ReportExceptionRequest(reason="r" * LARGE, effective_from=Timestamp(seconds=5)))
    assert len(kept.reason) > REASON_BYTES_MAX
    assert kept.effective_from == Timestamp(seconds=5)
    assert kept.ByteSize() < REQUEST_BYTES_MAX
