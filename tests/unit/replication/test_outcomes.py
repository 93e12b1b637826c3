"""Outcomes: the machine that waits gets the same answer and the same refusal as from an embedded store."""

import pytest

from onecode_server.errors import (
    AlreadyExists,
    InvalidRequest,
    LogUnavailable,
    NotFound,
    NotPermitted,
    NotServing,
    OnecodeError,
    PreconditionFailed,
    StoredDamaged,
    TrustListRefused,
)
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.replication import outcomes
from onecode_server.rules.publication import Outcome, Rejection, Replay
from onecode_server.stores.protocol import ExceptionAnswer

REPORT = RecognitionException("RE-1", "440000", "420000", "为什么", 1, 2, 3, reported_by="national/operator")
READERS = [outcomes.read_records, outcomes.read_answer, outcomes.read_number, outcomes.expect_done]
REFUSED: list[OnecodeError] = [
    InvalidRequest("REASON", "text"),
    AlreadyExists("REASON", "text"),
    PreconditionFailed("REASON", "text"),
    NotFound("REASON", "text"),
    NotPermitted("text"),
    NotServing("text"),
    LogUnavailable("text"),
    TrustListRefused("text"),
]


def test_every_outcome_of_a_record_is_read_as_it_was_written() -> None:
    every: list[Outcome] = [None, Replay.KNOWN, *Rejection]
    assert outcomes.read_records(outcomes.of_records(every)) == every
    assert len(outcomes.of_records(every)) == 1 + len(every)


def test_an_answer_a_number_and_a_plain_end_are_read_as_they_were_written() -> None:
    answer = ExceptionAnswer(REPORT, 1_800_000_000_000_000)
    assert outcomes.read_answer(outcomes.of_answer(answer)) == answer
    assert outcomes.read_number(outcomes.of_number(2**63 - 1)) == 2**63 - 1
    outcomes.expect_done(outcomes.done())


@pytest.mark.parametrize("refusal", REFUSED, ids=lambda refusal: type(refusal).__name__)
@pytest.mark.parametrize("read", READERS)
def test_a_refusal_is_raised_again_with_its_reason_and_message(refusal: OnecodeError, read) -> None:
    with pytest.raises(type(refusal), match=r"text\Z") as raised:
        read(outcomes.of_refusal(refusal))
    assert type(raised.value) is type(refusal)
    assert getattr(raised.value, "reason", "") == getattr(refusal, "reason", "")


def test_every_kind_of_refusal_is_among_those_that_are_tried() -> None:
    assert {type(refusal) for refusal in REFUSED} == set(outcomes.REFUSALS)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "damaged", [b"", b"?", b"x", b"x[]", b'x["Unknown", "", ""]', b"r\xfe", b"a", b"nothing", b"dd"]
)
def test_an_outcome_of_another_kind_or_damaged_bytes_say_so(read, damaged: bytes) -> None:
    with pytest.raises(StoredDamaged):
        read(damaged)
