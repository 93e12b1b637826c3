"""The exception service: it files, acknowledges and withdraws reports, each in one transaction with its audit entry."""

import hashlib
import json
import secrets
from collections.abc import Callable
from typing import Any, Final

from onecode_server.errors import AlreadyExists, InvalidRequest, NotFound, PreconditionFailed
from onecode_server.model.identity import Identity
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.recognition.concurrency_limit import ConcurrencyLimit
from onecode_server.recognition.exception_cache import ExceptionCache
from onecode_server.rules import authorisation
from onecode_server.rules import recognition_exceptions as rules
from onecode_server.rules.authorisation import Right
from onecode_server.stores.protocol import (
    AnsweredRequest,
    ExceptionAnswer,
    ExceptionChange,
    ExceptionView,
    Store,
)
from onecode_server.system.clock import Clock
from onecode_server.trust.source import TrustSource

REQUEST_ID_CHARS_MIN: Final = 16
"""A shorter id is likely a counter and not random, so two callers could use the same one."""
REQUEST_ID_CHARS_MAX: Final = 64
"""A UUID has 36 characters, a SHA-256 digest in hex 64."""
STEPS_MAX: Final = 32
"""Steps that one process has in the store at a time, of the 256 calls that may wait there: many steps do not keep
checks and publications from the store."""

ID_CHARS_MAX: Final = 64
"""Three times the length of an id: no report has a longer one, so it is refused before the store is read."""

_ID_BYTES: Final = 8
_UNKNOWN: Final = "there is no report with this id"
_Request = tuple[str | int, ...]


class ExceptionService:
    """Changes exceptions under the rules. ``skew`` is by how many microseconds a reporter's clock may be behind.

    A step with a ``request_id`` is done once: a repeated request with the same content has the same answer. All steps
    raise InvalidRequest, AlreadyExists if a request with other content had the id, PreconditionFailed, whose reason
    names the rule, Overloaded and StoreUnavailable.
    """

    def __init__(self, trust: TrustSource, store: Store, cache: ExceptionCache, clock: Clock, skew: int) -> None:
        self._trust = trust
        self._store = store
        self._cache = cache
        self._clock = clock
        self._skew = skew
        self._limit = ConcurrencyLimit(STEPS_MAX, "steps of exceptions")

    async def report(
        self, by: Identity, host: str, home: str, reason: str, begins: int, ends: int, request_id: str = ""
    ) -> ExceptionAnswer:
        """File a report; it has no effect yet. Times are Unix microseconds. Raises NotPermitted and NotServing, too."""
        authorisation.expect_for(by, Right.REPORT, host)
        if len(reason) > rules.REASON_BYTES_MAX:  # refused before any work on it
            _expect(rules.Obstacle.REASON_MISSING)
        trust, identifier = self._trust.current, f"RE-{secrets.token_hex(_ID_BYTES)}"

        def step(view: ExceptionView, now: int) -> RecognitionException:
            starts = rules.start(begins, now, self._skew)
            report = RecognitionException(identifier, host, home, reason, starts, ends, now, reported_by=str(by))
            _expect(rules.report_obstacle(report, begins, _others(view, report, now), trust))
            return report

        return await self._change("reported", (host, home, reason, begins, ends), by, request_id, step)

    async def acknowledge(self, by: Identity, identifier: str, request_id: str = "") -> ExceptionAnswer:
        """Let a report take effect from its start, or from now if its start is past. Raises NotPermitted and NotFound,
        too."""
        authorisation.expect(by, Right.ACKNOWLEDGE)
        _expect_id(identifier)

        def step(view: ExceptionView, now: int) -> RecognitionException:
            report = _find(view, identifier)
            _expect(rules.acknowledge_obstacle(report, view.acknowledged(report.host, report.home, now), now))
            return report._replace(acknowledged_at=now, acknowledged_by=str(by))

        answer = await self._change("acknowledged", (identifier,), by, request_id, step)
        await self._cache.refresh()  # so that the next check in this process already counts it
        return answer

    async def withdraw(self, by: Identity, identifier: str, request_id: str = "") -> ExceptionAnswer:
        """Withdraw a report before it ends. Raises NotPermitted and NotFound, too."""
        authorisation.expect(by, Right.WITHDRAW)
        _expect_id(identifier)

        def step(view: ExceptionView, now: int) -> RecognitionException:
            report = _find(view, identifier)
            authorisation.expect_for(by, Right.WITHDRAW, report.host)
            _expect(rules.withdraw_obstacle(report, now))
            return report._replace(withdrawn_at=now, withdrawn_by=str(by))

        answer = await self._change("withdrawn", (identifier,), by, request_id, step)
        if answer.report.acknowledged_at is not None:
            await self._cache.refresh()
        return answer

    async def _change(
        self,
        done: str,
        request: _Request,
        by: Identity,
        request_id: str,
        step: Callable[[ExceptionView, int], RecognitionException],
    ) -> ExceptionAnswer:
        if request_id and not REQUEST_ID_CHARS_MIN <= len(request_id) <= REQUEST_ID_CHARS_MAX:
            why = f"request_id has {REQUEST_ID_CHARS_MIN} to {REQUEST_ID_CHARS_MAX} characters"
            raise InvalidRequest("REQUEST_ID_INVALID", why)
        # With the caller: another one that uses the same id must not be given this one's report.
        content = _digest(done, (*request, str(by._replace(gateway="")))) if request_id else b""

        def decide(view: ExceptionView) -> ExceptionChange | ExceptionAnswer:
            if request_id and (known := view.answered(request_id)):
                return _answer_again(view, known, content)
            now = self._clock()  # inside the transaction, so that the wait for it does not make the time too old
            report = step(view, now)
            answered = AnsweredRequest(done, content, report.id, now) if request_id else None
            return ExceptionChange(report, f"exception {done}", now, request_id, answered)

        return await self._limit.run(self._store.change_exceptions(decide))


def _others(view: ExceptionView, report: RecognitionException, now: int) -> rules.Others:
    acknowledged = view.acknowledged(report.host, report.home, now)
    return rules.Others(acknowledged, view.waiting_homes(report.host, now, rules.HOST_OPEN_MAX))


def _expect_id(identifier: str) -> None:
    if len(identifier) > ID_CHARS_MAX:
        raise NotFound("EXCEPTION_UNKNOWN", _UNKNOWN)


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


def _digest(done: str, request: _Request) -> bytes:
    return hashlib.sha256(json.dumps([done, *request]).encode()).digest()


def _expect(obstacle: rules.Obstacle | None) -> None:
    if obstacle is not None:
        raise PreconditionFailed(obstacle.name, obstacle)
