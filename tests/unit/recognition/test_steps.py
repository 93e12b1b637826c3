"""A step is decided from its content, the reports, the time and the trust list alone."""

from collections.abc import Sequence
from typing import Any

import pytest

from onecode_server.errors import (
    AlreadyExists,
    InvalidRequest,
    NotFound,
    NotPermitted,
    NotServing,
    OnecodeError,
    PreconditionFailed,
)
from onecode_server.model.identity import LOCAL, Identity, Role
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.trust_list import Region, TrustList
from onecode_server.recognition.steps import Acknowledge, Report, Step, Withdraw, decide, expect_step
from onecode_server.rules.recognition_exceptions import HOST_OPEN_MAX, PAIR_ACKNOWLEDGED_MAX, PAIR_OPEN_MAX
from onecode_server.stores.protocol import AnsweredRequest, ExceptionAnswer, ExceptionChange

from tests import formats

NOW, HOUR, SKEW = 1_800_000_000_000_000, 3_600_000_000, 60_000_000
REGIONS = {code: Region(code, code, formats.JWT) for code in ("000000", "110000", "420000", "440000")}
TRUST = TrustList(1, 0, 0, b"", REGIONS, (), {}, ())
HOST, OTHER = Identity(Role.REGIONAL_OPERATOR, "440000"), Identity(Role.REGIONAL_OPERATOR, "110000")
NATION, SCANNER = Identity(Role.NATIONAL_OPERATOR), Identity(Role.SCANNER, "440000")
REQUEST_ID = "0123456789abcdef"

FILE = Report(HOST, "RE-1", "440000", "420000", "why", NOW, NOW + HOUR)
FILED = RecognitionException(
    "RE-1", "440000", "420000", "why", NOW, NOW + HOUR, NOW, reported_by="region/440000/operator"
)
ACKNOWLEDGED = FILED._replace(acknowledged_at=NOW, acknowledged_by="national/operator")
WITHDRAWN = FILED._replace(withdrawn_at=NOW, withdrawn_by="region/440000/operator")


DIGESTS = {
    "reported": "e9ac65fa9dc2e8c88aa9bfacbc23781dc0b65f99ff11edc5b63b6d8457398910",
    "acknowledged": "b0b4b1b20b73b38592fece6a8909e2e5c682627f4795c6a7b7df53db9edaabb9",
    "withdrawn": "74b6a20bac9b84b1d815261fecb6c3a999a9181d4daeeef62a5d2af8878d1f69",
}
"""SHA-256 of the requests below, as this server has always stored them: they are answered again for ever."""


class Reports:
    """Reports in memory, as an ExceptionView."""

    def __init__(self, *reports: RecognitionException, waiting: Sequence[str] = ()) -> None:
        self.reports = {one.id: one for one in reports}
        self.waiting = list(waiting)
        self.answers: dict[str, AnsweredRequest] = {}

    def report(self, identifier: str) -> RecognitionException | None:
        return self.reports.get(identifier)

    def acknowledged(self, host: str, home: str, now: int) -> list[RecognitionException]:
        return [
            one
            for one in self.reports.values()
            if (one.host, one.home) == (host, home)
            and one.acknowledged_at is not None
            and one.withdrawn_at is None
            and one.effective_until > now
        ]

    def waiting_homes(self, host: str, now: int, limit: int) -> list[str]:
        return self.waiting[:limit]

    def answered(self, request_id: str) -> AnsweredRequest | None:
        return self.answers.get(request_id)

    def take(self, step: Step, now: int = NOW) -> ExceptionAnswer:
        """Decide a step and keep its change, as a store does."""
        outcome = decide(step, self, now, TRUST, SKEW)
        if isinstance(outcome, ExceptionAnswer):
            return outcome
        self.reports[outcome.report.id] = outcome.report
        if outcome.answered is not None:
            self.answers[outcome.request_id] = outcome.answered
        return ExceptionAnswer(outcome.report, outcome.time)


@pytest.mark.parametrize(
    ("step", "before", "event", "after"),
    [
        (FILE, (), "exception reported", FILED),
        (Acknowledge(NATION, "RE-1"), (FILED,), "exception acknowledged", ACKNOWLEDGED),
        (Withdraw(HOST, "RE-1"), (FILED,), "exception withdrawn", WITHDRAWN),
    ],
    ids=["report", "acknowledge", "withdraw"],
)
def test_a_step_changes_its_report_and_names_who_took_it(
    step: Step, before: tuple[RecognitionException, ...], event: str, after: RecognitionException
) -> None:
    assert decide(step, Reports(*before), NOW, TRUST, SKEW) == ExceptionChange(after, event, NOW)


def test_equal_steps_on_equal_reports_have_equal_results() -> None:
    step = FILE._replace(request_id=REQUEST_ID)
    assert len({decide(step, Reports(), NOW, TRUST, SKEW) for _ in range(3)}) == 1


def test_a_reporter_whose_clock_is_behind_begins_now() -> None:
    early = FILE._replace(begins=NOW - SKEW, ends=NOW - SKEW + HOUR)
    assert Reports().take(early).report.effective_from == NOW
    with pytest.raises(PreconditionFailed, match="past"):
        Reports().take(early._replace(begins=NOW - SKEW - 1))


FULL = [
    ACKNOWLEDGED._replace(id=f"RE-{n}", effective_from=NOW + n * HOUR, effective_until=NOW + (n + 1) * HOUR)
    for n in range(2, PAIR_ACKNOWLEDGED_MAX + 2)
]


@pytest.mark.parametrize(
    ("step", "reports", "kind", "reason"),
    [
        (FILE._replace(by=OTHER), Reports(), NotPermitted, ""),
        (FILE._replace(by=NATION), Reports(), NotPermitted, ""),
        (Acknowledge(HOST, "RE-1"), Reports(FILED), NotPermitted, ""),
        (Withdraw(SCANNER, "RE-1"), Reports(FILED), NotPermitted, ""),
        (Withdraw(OTHER, "RE-1"), Reports(FILED), NotPermitted, ""),
        (FILE._replace(home="440000"), Reports(), PreconditionFailed, "HOME_IS_HOST"),
        (FILE._replace(home="999999"), Reports(), PreconditionFailed, "HOME_UNKNOWN"),
        (FILE._replace(reason="x" * 1025), Reports(), PreconditionFailed, "REASON_MISSING"),
        (FILE._replace(reason="绿" * 342), Reports(), PreconditionFailed, "REASON_MISSING"),
        (FILE, Reports(ACKNOWLEDGED._replace(id="RE-2")), PreconditionFailed, "OVERLAPS"),
        (FILE, Reports(waiting=["420000"] * PAIR_OPEN_MAX), PreconditionFailed, "TOO_MANY_OPEN_OF_PAIR"),
        (FILE, Reports(waiting=["110000"] * HOST_OPEN_MAX), PreconditionFailed, "TOO_MANY_OPEN_OF_HOST"),
        (FILE, Reports(FILED), AlreadyExists, "EXCEPTION_ID_USED"),
        (FILE._replace(identifier=""), Reports(), NotFound, "EXCEPTION_UNKNOWN"),
        (Acknowledge(NATION, "RE-2"), Reports(FILED), NotFound, "EXCEPTION_UNKNOWN"),
        (Acknowledge(NATION, "RE-1"), Reports(ACKNOWLEDGED), PreconditionFailed, "ALREADY_ACKNOWLEDGED"),
        (Acknowledge(NATION, "RE-1"), Reports(WITHDRAWN), PreconditionFailed, "ALREADY_WITHDRAWN"),
        (Acknowledge(NATION, "RE-1"), Reports(FILED, *FULL), PreconditionFailed, "TOO_MANY_ACKNOWLEDGED"),
        (Withdraw(HOST, "x" * 65), Reports(), NotFound, "EXCEPTION_UNKNOWN"),
        (Withdraw(HOST, "RE-1"), Reports(WITHDRAWN), PreconditionFailed, "ALREADY_WITHDRAWN"),
        (Withdraw(HOST, "RE-1", "x" * 15), Reports(FILED), InvalidRequest, "REQUEST_ID_INVALID"),
        (FILE._replace(request_id="x" * 65), Reports(), InvalidRequest, "REQUEST_ID_INVALID"),
    ],
)
def test_a_step_against_a_rule_is_refused_with_its_reason(
    step: Step, reports: Reports, kind: type[OnecodeError], reason: str
) -> None:
    with pytest.raises(OnecodeError) as refused:
        decide(step, reports, NOW, TRUST, SKEW)
    assert type(refused.value) is kind
    assert getattr(refused.value, "reason", "") == reason


@pytest.mark.parametrize("step", [Acknowledge(NATION, "RE-1"), Withdraw(HOST, "RE-1")])
def test_a_report_that_has_ended_is_neither_acknowledged_nor_withdrawn(step: Step) -> None:
    assert isinstance(decide(step, Reports(FILED), NOW + HOUR - 1, TRUST, SKEW), ExceptionChange)
    with pytest.raises(PreconditionFailed) as refused:
        decide(step, Reports(FILED), NOW + HOUR, TRUST, SKEW)
    assert refused.value.reason == "ALREADY_ENDED"


def test_only_a_report_needs_a_trust_list() -> None:
    with pytest.raises(NotServing):
        decide(FILE, Reports(), NOW, None, SKEW)
    for step in (Acknowledge(NATION, "RE-1"), Withdraw(HOST, "RE-1")):
        assert isinstance(decide(step, Reports(FILED), NOW, None, SKEW), ExceptionChange)


def test_a_request_that_was_answered_has_the_same_answer_again_whatever_came_later() -> None:
    reports = Reports()
    steps: list[Step] = [
        FILE._replace(request_id="report".ljust(16)),
        Acknowledge(NATION, "RE-1", "acknowledge".ljust(16)),
        Withdraw(HOST, "RE-1", "withdraw".ljust(16)),
    ]
    answers = [reports.take(step, NOW + n) for n, step in enumerate(steps)]
    kept = dict(reports.reports)
    again = [steps[0]._replace(identifier="RE-2"), *steps[1:]]  # a repeated request to report has drawn another id
    assert [reports.take(step, NOW + HOUR) for step in again] == answers
    assert reports.reports == kept


@pytest.mark.parametrize(
    "other",
    [
        FILE._replace(reason="another"),
        FILE._replace(by=LOCAL),
        FILE._replace(ends=NOW + HOUR + 1),
        Withdraw(HOST, "RE-1"),
    ],
)
def test_a_request_id_answers_no_other_request(other: Any) -> None:
    reports = Reports()
    reports.take(FILE._replace(request_id=REQUEST_ID))
    with pytest.raises(AlreadyExists) as refused:
        reports.take(other._replace(request_id=REQUEST_ID, identifier="RE-1"))
    assert refused.value.reason == "REQUEST_ID_USED"


def test_the_digest_of_a_request_is_the_one_that_stores_of_earlier_versions_hold() -> None:
    found = {}
    for step in (FILE, Acknowledge(NATION, "RE-1"), Withdraw(HOST._replace(gateway="gate-7"), "RE-1")):
        change = decide(step._replace(request_id=REQUEST_ID), Reports(*() if step == FILE else (FILED,)), NOW, TRUST, 0)
        assert isinstance(change, ExceptionChange)
        assert change.answered is not None
        found[change.answered.step] = change.answered.content.hex()
    assert found == DIGESTS


def test_what_no_report_can_change_is_refused_without_any() -> None:
    for step in (FILE, Acknowledge(NATION, "RE-1"), Withdraw(HOST, "RE-1")):
        expect_step(step)
    with pytest.raises(NotPermitted):
        expect_step(FILE._replace(by=SCANNER))
    expect_step(Withdraw(OTHER, "RE-1"))  # whose report it is, only the report tells
