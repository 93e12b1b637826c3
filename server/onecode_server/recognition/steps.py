"""Steps of recognition exceptions as data, and the function that decides one. No clock and no I/O.

The same step, decided on the same reports at the same time, has the same result everywhere. A ``StepsWriter`` calls
``decide`` where the reports are written, so that no other step comes between the decision and the write.
"""

import hashlib
import json
from typing import Any, Final, NamedTuple, Protocol

from onecode_server.errors import AlreadyExists, InvalidRequest, NotFound, NotServing, PreconditionFailed
from onecode_server.model.identity import Identity
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.trust_list import TrustList
from onecode_server.rules import authorisation
from onecode_server.rules import recognition_exceptions as rules
from onecode_server.rules.authorisation import Right
from onecode_server.stores.protocol import AnsweredRequest, ExceptionAnswer, ExceptionChange, ExceptionView

REQUEST_ID_CHARS_MIN: Final = 16
"""A shorter id is likely a counter and not random, so two callers could use the same one."""
REQUEST_ID_CHARS_MAX: Final = 64
"""A UUID has 36 characters, a SHA-256 digest in hex 64."""
ID_CHARS_MAX: Final = 64
"""Three times the length of an id: no report has a longer one, so it is refused before the store is read."""

_UNKNOWN: Final = "there is no report with this id"


class Report(NamedTuple):
    """Files a report; it has no effect yet. ``identifier`` is the new report's id, which the server has drawn; times
    are Unix microseconds."""

    by: Identity
    identifier: str
    host: str
    home: str
    reason: str
    begins: int
    ends: int
    request_id: str = ""


class Acknowledge(NamedTuple):
    """Lets a report take effect from its start, or from now if its start is past."""

    by: Identity
    identifier: str
    request_id: str = ""


class Withdraw(NamedTuple):
    """Withdraws a report before it ends."""

    by: Identity
    identifier: str
    request_id: str = ""


Step = Report | Acknowledge | Withdraw
"""A step that ``by`` takes. Where it has a ``request_id``, it is taken once: an equal request has the same answer."""

_DONE: Final[dict[type[Step], str]] = {Report: "reported", Acknowledge: "acknowledged", Withdraw: "withdrawn"}
"""The names of steps in the audit record and in the results of request ids: they are stored, and do not change."""


class StepsWriter(Protocol):
    """Takes steps: each in one transaction with its audit entry."""

    async def take(self, step: Step) -> ExceptionAnswer:
        """Write the report after a step; return it, on disk when this returns. Raises what ``decide`` raises, and
        StoreUnavailable."""
        ...


def expect_step(step: Step) -> None:
    """Raise why a step cannot be taken, whatever the reports are.

    Raises NotPermitted for a right that the caller lacks, InvalidRequest for a request id that is too short or too
    long, PreconditionFailed for a reason that is too long, and NotFound for an id that no report can have.
    """
    match step:
        case Report():
            authorisation.expect_for(step.by, Right.REPORT, step.host)
            if len(step.reason) > rules.REASON_BYTES_MAX:  # refused before any work on it
                _expect(rules.Obstacle.REASON_MISSING)
        case Acknowledge():
            authorisation.expect(step.by, Right.ACKNOWLEDGE)
        case Withdraw():
            authorisation.expect(step.by, Right.WITHDRAW)
    if not 0 < len(step.identifier) <= ID_CHARS_MAX:
        raise NotFound("EXCEPTION_UNKNOWN", _UNKNOWN)
    if step.request_id and not REQUEST_ID_CHARS_MIN <= len(step.request_id) <= REQUEST_ID_CHARS_MAX:
        why = f"request_id has {REQUEST_ID_CHARS_MIN} to {REQUEST_ID_CHARS_MAX} characters"
        raise InvalidRequest("REQUEST_ID_INVALID", why)


def decide(
    step: Step, view: ExceptionView, now: int, trust: TrustList | None, skew: int
) -> ExceptionChange | ExceptionAnswer:
    """Return the change that a step makes at ``now``, or the answer to an equal request that was answered before.

    ``now`` and ``skew``, by which a reporter's clock may be behind, are microseconds. ``trust`` is needed for a Report
    only. Raises what ``expect_step`` raises; NotFound for an unknown report; AlreadyExists if a request with other
    content had the request id, or another report has the id of this one; PreconditionFailed, whose reason names the
    rule; NotPermitted for another host's report; NotServing for a Report without a trust list.
    """
    expect_step(step)
    content = _content(step) if step.request_id else b""
    if step.request_id and (known := view.answered(step.request_id)):
        return _answer_again(view, known, content)
    match step:
        case Report():
            report = _filed(step, view, now, trust, skew)
        case Acknowledge():
            report = _acknowledged(step, view, now)
        case Withdraw():
            report = _withdrawn(step, view, now)
    done = _DONE[type(step)]
    answered = AnsweredRequest(done, content, report.id, now) if step.request_id else None
    return ExceptionChange(report, f"exception {done}", now, step.request_id, answered)


def _filed(step: Report, view: ExceptionView, now: int, trust: TrustList | None, skew: int) -> RecognitionException:
    if trust is None:
        raise NotServing("no trust list has been accepted yet")
    if view.report(step.identifier) is not None:
        raise AlreadyExists("EXCEPTION_ID_USED", "another report has this id")
    starts, by = rules.start(step.begins, now, skew), str(step.by)
    report = RecognitionException(
        step.identifier, step.host, step.home, step.reason, starts, step.ends, now, reported_by=by
    )
    acknowledged = view.acknowledged(report.host, report.home, now)
    others = rules.Others(acknowledged, view.waiting_homes(report.host, now, rules.HOST_OPEN_MAX))
    _expect(rules.report_obstacle(report, step.begins, others, trust))
    return report


def _acknowledged(step: Acknowledge, view: ExceptionView, now: int) -> RecognitionException:
    report = _find(view, step.identifier)
    _expect(rules.acknowledge_obstacle(report, view.acknowledged(report.host, report.home, now), now))
    return report._replace(acknowledged_at=now, acknowledged_by=str(step.by))


def _withdrawn(step: Withdraw, view: ExceptionView, now: int) -> RecognitionException:
    report = _find(view, step.identifier)
    authorisation.expect_for(step.by, Right.WITHDRAW, report.host)
    _expect(rules.withdraw_obstacle(report, now))
    return report._replace(withdrawn_at=now, withdrawn_by=str(step.by))


def _find(view: ExceptionView, identifier: str) -> RecognitionException:
    report = view.report(identifier)
    if report is None:
        raise NotFound("EXCEPTION_UNKNOWN", _UNKNOWN)
    return report


def _answer_again(view: ExceptionView, known: AnsweredRequest, content: bytes) -> ExceptionAnswer:
    """Return the earlier answer to a request: the report as its step left it, without later steps."""
    if known.content != content:
        raise AlreadyExists("REQUEST_ID_USED", "another request used this request_id")
    later = {"reported": ("acknowledged", "withdrawn"), "acknowledged": ("withdrawn",)}.get(known.step, ())
    not_yet: dict[str, Any] = {f"{step}_at": None for step in later} | {f"{step}_by": "" for step in later}
    return ExceptionAnswer(_find(view, known.report_id)._replace(**not_yet), known.time)


def _content(step: Step) -> bytes:
    """Return the digest of a request. It covers the caller: another one that uses the same request id must not be given
    this one's report. It does not cover a new report's id, which is drawn anew for each request."""
    asked: tuple[str | int, ...] = (step.identifier,)
    if isinstance(step, Report):
        asked = (step.host, step.home, step.reason, step.begins, step.ends)
    caller = str(step.by._replace(gateway=""))
    return hashlib.sha256(json.dumps([_DONE[type(step)], *asked, caller]).encode()).digest()


def _expect(obstacle: rules.Obstacle | None) -> None:
    if obstacle is not None:
        raise PreconditionFailed(obstacle.name, obstacle)
