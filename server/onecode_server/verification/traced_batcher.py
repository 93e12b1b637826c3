"""Traced batches: a span around each, with links to the calls whose codes are in it."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from onecode_server.model.code import Scan, Scans
from onecode_server.verification.batcher import Batcher, Remaining, no_deadline
from onecode_server.verification.check import CheckResult, CheckResults

if TYPE_CHECKING:  # OpenTelemetry is an extra
    from onecode_server.telemetry.tracing import CallContext, Tracing


class TracedBatcher(Batcher):
    """A batcher that records a span for each batch that is checked."""

    def __init__(self, tracing: "Tracing", *of: Any) -> None:
        """Trace batches; ``of`` are the arguments of a Batcher."""
        super().__init__(*of)
        self._tracing = tracing
        # By scan that waits, bounded as those are.
        self._calls: dict[asyncio.Future[CheckResult], CallContext | None] = {}

    async def _check_alone(self, scan: Scan) -> CheckResult:
        with self._tracing.batch(1, [self._tracing.asks(1)]):
            return await super()._check_alone(scan)

    def _enqueue(self, scan: Scan) -> asyncio.Future[CheckResult]:
        future = super()._enqueue(scan)
        self._calls[future] = self._tracing.asks(1)
        future.add_done_callback(self._calls.pop)
        return future

    async def _check_together(self, taken: list[tuple[Scan, asyncio.Future[CheckResult]]]) -> None:
        with self._tracing.batch(len(taken), [self._calls.get(future) for _, future in taken]):
            await super()._check_together(taken)

    async def submit_unread_batch(
        self, count: int, read: Callable[[], Scans], remaining: Remaining = no_deadline
    ) -> CheckResults:
        """Check a batch as a Batcher does. Its span begins when its turn has come."""
        call = self._tracing.asks(count)
        with ExitStack() as spans:

            def begin() -> Scans:
                spans.enter_context(self._tracing.batch(count, [call]))
                return read()

            return await super().submit_unread_batch(count, begin, remaining)
