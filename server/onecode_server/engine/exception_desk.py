"""Where recognition exceptions are filed, acknowledged and withdrawn: each step in one transaction, with its audit."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final

from onecode_server.engine.clock import Clock
from onecode_server.engine.exception_book import ExceptionBook
from onecode_server.engine.trust_source import TrustSource
from onecode_server.errors import NotFound, PreconditionFailed
from onecode_server.model.exception import RecognitionException
from onecode_server.rules import exceptions as rules
from onecode_server.stores.protocol import ExceptionChange, Store

_ID_BYTES: Final = 8
_Reports = Sequence[RecognitionException]


class ExceptionDesk:
    """Changes exceptions under the rules. ``skew`` is microseconds by which a reporter's clock may be behind."""

    def __init__(self, trust: TrustSource, store: Store, book: ExceptionBook, clock: Clock, skew: int) -> None:
        self._trust = trust
        self._store = store
        self._book = book
        self._clock = clock
        self._skew = skew

    async def report(self, host: str, home: str, reason: str, begins: int, ends: int) -> RecognitionException:
        """File a report; it has no effect yet. Times are Unix microseconds.

        Raises PreconditionFailed, whose reason names the rule, NotServing and StoreUnavailable.
        """
        trust, now = self._trust.current, self._clock()
        if now - self._skew <= begins < now:
            begins = now  # the reporter's clock is behind ours: meant was from now on, and nothing counts backwards
        identifier = f"RE-{secrets.token_hex(_ID_BYTES)}"
        report = RecognitionException(identifier, host, home, reason, begins, ends, now)

        def decide(reports: _Reports) -> ExceptionChange:
            _expect(rules.report_obstacle(report, reports, trust))
            return ExceptionChange(report, "exception reported", now)

        return await self._change(decide)

    async def acknowledge(self, identifier: str) -> RecognitionException:
        """Let a report take effect: from its beginning, or from now where that is past.

        Raises NotFound, PreconditionFailed, StoreUnavailable.
        """
        return await self._step(identifier, rules.acknowledge_obstacle, "acknowledged")

    async def withdraw(self, identifier: str) -> RecognitionException:
        """End a report before its time. Raises NotFound, PreconditionFailed, StoreUnavailable."""
        return await self._step(identifier, rules.withdraw_obstacle, "withdrawn")

    async def _step(
        self, identifier: str, obstacle: Callable[[RecognitionException, int], rules.Obstacle | None], done: str
    ) -> RecognitionException:
        now = self._clock()

        def decide(reports: _Reports) -> ExceptionChange:
            report = _find(reports, identifier)
            _expect(obstacle(report, now))
            changed: dict[str, Any] = {f"{done}_at": now}
            return ExceptionChange(report._replace(**changed), f"exception {done}", now)

        return await self._change(decide)

    async def _change(self, decide: Callable[[_Reports], ExceptionChange]) -> RecognitionException:
        changed = await self._store.change_exceptions(decide)
        await self._book.refresh()  # whoever filed it here is answered by it here at once
        return changed


def _find(reports: _Reports, identifier: str) -> RecognitionException:
    for report in reports:
        if report.id == identifier:
            return report
    raise NotFound("EXCEPTION_UNKNOWN", "there is no report with this id")


def _expect(obstacle: rules.Obstacle | None) -> None:
    if obstacle is not None:
        raise PreconditionFailed(obstacle.name, obstacle)
