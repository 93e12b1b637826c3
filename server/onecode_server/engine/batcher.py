"""Natural batching: what arrives while the verifier is busy is the next batch. There is no timer.

A lone call goes straight through; under load calls share decoding, signature checks and store lookups.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from onecode_server.engine.check import Answers, Check, Outcome
from onecode_server.engine.verifier import Verifier
from onecode_server.errors import Overloaded
from onecode_server.metrics import Metrics
from onecode_server.model.code import Scan

CODES_MAX: Final = 16_384
"""Codes that may wait or be checked at once: about a second of work with PyNaCl, so that nobody waits much longer than
a scanner's patience. Four of the largest batch calls."""
BATCH_MAX: Final = 512
"""Single calls that are checked together: enough to fill any signature kernel, few enough to answer the first soon."""
RETRY_AFTER_S: Final = 0.5


class Single(NamedTuple):
    """The outcome of one code that was checked among others."""

    check: Check
    outcome: Outcome


class Batcher:
    """Takes single scans and batches, checks them, and turns away what would have to wait too long."""

    def __init__(self, verifier: Verifier, metrics: Metrics, codes_max: int = CODES_MAX) -> None:
        self._verifier = verifier
        self._metrics = metrics
        self._codes_max = codes_max
        self._waiting: deque[tuple[Scan, asyncio.Future[Single]]] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._is_checking = False
        self._codes = 0
        metrics.queued.set_function(lambda: self._codes)

    async def verify(self, scan: Scan) -> Single:
        """Check one scan, together with those that wait. Raises Overloaded, NotServing."""
        self._admit(1)
        try:
            if self._runner is None and not self._is_checking:
                return await self._check_alone(scan)
            return await self._wait(scan)
        finally:
            self._release(1)

    async def _check_alone(self, scan: Scan) -> Single:
        """Check a scan that finds the verifier idle: mostly nothing is waited for, and there is no need of a task."""
        self._is_checking = True
        try:
            outcome = await self._verifier.check((scan,))
        finally:
            self._is_checking = False
            if self._waiting and self._runner is None:
                self._runner = asyncio.create_task(self._run(), name="batcher")
        return Single(outcome.checks[0], outcome)

    async def _wait(self, scan: Scan) -> Single:
        """Have a scan checked in the next batch.

        Who finds the verifier at work waits, and whoever is checking alone starts the runner at the end.
        """
        future: asyncio.Future[Single] = asyncio.get_running_loop().create_future()
        self._waiting.append((scan, future))
        return await future

    async def verify_batch(self, codes: Sequence[bytes], host: str) -> Answers:
        """Check a batch of its own. Raises Overloaded, NotServing."""
        self._admit(len(codes))
        try:
            return await self._verifier.verify(codes, host)
        finally:
            self._release(len(codes))

    async def check_batch(self, scans: Sequence[Scan]) -> Outcome:
        """Check a batch of which more than the verdicts is asked for. Raises Overloaded, NotServing."""
        self._admit(len(scans))
        try:
            return await self._verifier.check(scans)
        finally:
            self._release(len(scans))

    async def _run(self) -> None:
        try:
            while self._waiting:
                count = min(len(self._waiting), BATCH_MAX)
                taken = [self._waiting.popleft() for _ in range(count)]
                # A caller that has gone (deadline, broken connection) has cancelled its future: no work for it.
                await self._check([(scan, future) for scan, future in taken if not future.done()])
        finally:
            self._runner = None

    async def _check(self, taken: list[tuple[Scan, asyncio.Future[Single]]]) -> None:
        if not taken:
            return
        try:
            outcome = await self._verifier.check([scan for scan, _ in taken])
        except Exception as fault:  # each caller gets it; the runner lives on for the next batch
            for _, future in taken:
                if not future.done():
                    future.set_exception(fault)
            return
        for check, (_, future) in zip(outcome.checks, taken, strict=True):
            if not future.done():
                future.set_result(Single(check, outcome))

    def _admit(self, count: int) -> None:
        if self._codes + count > self._codes_max:
            self._metrics.shed.inc(count)
            raise Overloaded(f"{self._codes} codes are waiting to be checked", RETRY_AFTER_S)
        self._codes += count

    def _release(self, count: int) -> None:
        self._codes -= count
