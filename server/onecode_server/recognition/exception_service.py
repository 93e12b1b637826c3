"""The exception service: it has steps of reports taken, each in one transaction with its audit entry."""

import secrets
from typing import Final

from onecode_server.model.identity import Identity
from onecode_server.recognition.concurrency_limit import ConcurrencyLimit
from onecode_server.recognition.exception_cache import ExceptionCache
from onecode_server.recognition.steps import Acknowledge, Report, Step, StepsWriter, Withdraw, expect_step
from onecode_server.stores.protocol import ExceptionAnswer

STEPS_MAX: Final = 32
"""Steps that one process has in the store at a time, of the 256 calls that may wait there: many steps do not keep
checks and publications from the store."""

_ID_BYTES: Final = 8


class ExceptionService:
    """Changes exceptions under the rules.

    A step with a ``request_id`` is done once: a repeated request with the same content has the same answer. All steps
    raise InvalidRequest, AlreadyExists if a request with other content had the id, PreconditionFailed, whose reason
    names the rule, NotPermitted, Overloaded and StoreUnavailable.
    """

    def __init__(self, steps: StepsWriter, cache: ExceptionCache) -> None:
        self._steps = steps
        self._cache = cache
        self._limit = ConcurrencyLimit(STEPS_MAX, "steps of exceptions")

    async def report(
        self, by: Identity, host: str, home: str, reason: str, begins: int, ends: int, request_id: str = ""
    ) -> ExceptionAnswer:
        """File a report; it has no effect yet. Times are Unix microseconds. Raises NotServing, too."""
        identifier = f"RE-{secrets.token_hex(_ID_BYTES)}"
        return await self._take(Report(by, identifier, host, home, reason, begins, ends, request_id))

    async def acknowledge(self, by: Identity, identifier: str, request_id: str = "") -> ExceptionAnswer:
        """Let a report take effect from its start, or from now if its start is past. Raises NotFound, too."""
        answer = await self._take(Acknowledge(by, identifier, request_id))
        await self._cache.refresh()  # so that the next check in this process already counts it
        return answer

    async def withdraw(self, by: Identity, identifier: str, request_id: str = "") -> ExceptionAnswer:
        """Withdraw a report before it ends. Raises NotFound, too."""
        answer = await self._take(Withdraw(by, identifier, request_id))
        if answer.report.acknowledged_at is not None:
            await self._cache.refresh()
        return answer

    async def _take(self, step: Step) -> ExceptionAnswer:
        expect_step(step)  # before the limit: a refusal that needs no store takes no other step's place
        return await self._limit.run(self._steps.take(step))
