"""Batching: calls that arrive while the verifier is busy form the next batch.

A lone call goes straight through; under load calls share decoding, signature checks and store lookups. gRPC hands over
one call at a time, and takes longer for it than the check of a code takes. So with many callers the batcher waits a
moment for more calls; otherwise every batch would hold one code.

A call that cannot be answered in time is refused, as soon as that is known. Single scans do not wait for large batches:
those take turns and are checked in slices.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from onecode_server.errors import Overloaded
from onecode_server.model.code import Scan, Scans
from onecode_server.telemetry.metrics import Metrics
from onecode_server.verification.arrivals import ArrivalMonitor
from onecode_server.verification.check import CheckResult, CheckResults
from onecode_server.verification.pace import Pace
from onecode_server.verification.verifier import Verifier

CODES_MAX: Final = 16_384
"""Codes that may be queued or in check at once: about a second of work with PyNaCl, and four of the largest batch
calls. The limit keeps waits near what a scanner accepts."""
SINGLES_RESERVED: Final = 1024
"""Codes of single scans that may be queued beyond CODES_MAX, so that a stream of batches cannot shut out single scans.
It equals the limit on concurrent calls; with PyNaCl it is some 60 ms of work."""
BATCH_MAX: Final = 512
"""Single calls that are checked together: enough to fill any signature kernel, few enough that the first is answered
soon."""
RETRY_AFTER_S: Final = 0.5
WAIT_MAX_S: Final = 2.0
"""A scan that has waited longer is refused: its code has been scanned again by then, and newer scans can still be
answered in time. With PyNaCl, CODES_MAX codes take half of this time."""
BULK_CODES: Final = 512
"""Batches of more codes than this take turns. If all ran at once, each would wait for the slices of all the others."""
BULK_TURNS: Final = 2
"""Large batches that run at once: one is checked while the other waits for the store."""
SHORT_WAIT_S: Final = 0.02
"""An expected wait shorter than this is not compared with the call's deadline: the estimate is not finer than that, and
reading the deadline has a cost."""

Remaining = Callable[[], float | None]
"""Returns the seconds that a caller still waits, or None if it has no deadline."""


def no_deadline() -> None:
    """Return None: the caller has no deadline."""


class Batcher:
    """Checks single scans and batches, and refuses calls that would have to wait too long."""

    def __init__(
        self,
        verifier: Verifier,
        metrics: Metrics,
        codes_max: int = CODES_MAX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._verifier = verifier
        self._metrics = metrics
        self._codes_max = codes_max
        self._monotonic = monotonic
        self._waiting: deque[tuple[Scan, asyncio.Future[CheckResult], float]] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._is_busy = False
        self._arrivals = ArrivalMonitor(monotonic)
        self._codes = 0
        self._bulk_codes = 0
        self._runs, self._bulk = Pace(), Pace()
        self._turns = asyncio.Semaphore(BULK_TURNS)
        self.queued_before = 0
        """Codes that wait in a queue before this one: of the native front, as it reported last."""
        metrics.queued.set_function(lambda: self._codes + self.queued_before)

    async def submit(self, scan: Scan, remaining: Remaining = no_deadline) -> CheckResult:
        """Check one scan, together with others that are waiting. Raises Overloaded, NotServing."""
        expected_s = self._runs.expected_s(1 + len(self._waiting) // BATCH_MAX) if self._is_busy else 0
        self._admit(1, expected_s, remaining, self._codes_max + SINGLES_RESERVED)
        try:
            if self._arrivals.record_call() or self._is_busy:
                return await self._wait(scan)
            return await self._check_alone(scan)
        finally:
            self._release(1)

    async def _check_alone(self, scan: Scan) -> CheckResult:
        """Check a scan while the verifier is idle: most such checks never suspend, so no task is created."""
        self._is_busy = True
        try:
            return CheckResult(await self._verifier.verify(_together([scan])))
        finally:
            self._is_busy = False
            self._start()

    async def _wait(self, scan: Scan) -> CheckResult:
        """Return the result of a scan that is checked in the next batch."""
        # No variable holds the future: its exception refers to this frame, and a variable would close a cycle.
        return await self._enqueue(scan)

    def _enqueue(self, scan: Scan) -> asyncio.Future[CheckResult]:
        future: asyncio.Future[CheckResult] = asyncio.get_running_loop().create_future()
        self._waiting.append((scan, future, self._arrivals.last_s))
        if not self._is_busy:
            self._start()
        return future

    def _start(self) -> None:
        if self._waiting:
            self._is_busy = True
            self._runner = asyncio.create_task(self._run(), name="batcher")

    def expect_room(self) -> None:
        """Raise Overloaded where no batch can be taken, of whatever size."""
        if self._codes >= self._codes_max:
            raise self._shed("queue_full", 0)  # how many codes it has, nobody knows yet

    def shed_late(self, count: int) -> Overloaded:
        """Count a batch that another queue has held for longer than WAIT_MAX_S, and return its refusal."""
        return self._shed("queue_late", count)

    async def check_gathered(self, scans: Scans) -> CheckResults:
        """Check single scans that another queue has gathered, which has bounds of its own. Raises NotServing.

        Large batches take them into account as they do single scans that were submitted here.
        """
        self._arrivals.record_call()
        self._codes += len(scans.codes)
        try:
            return await self._verifier.verify(scans, lambda: False)
        finally:
            self._release(len(scans.codes))

    async def submit_batch(self, scans: Scans, remaining: Remaining = no_deadline) -> CheckResults:
        """Check a batch by itself. Raises Overloaded, NotServing."""
        return await self.submit_unread_batch(len(scans.codes), lambda: scans, remaining)

    async def submit_unread_batch(
        self, count: int, read: Callable[[], Scans], remaining: Remaining = no_deadline
    ) -> CheckResults:
        """Check a batch of ``count`` codes, which are read when its turn has come. Raises Overloaded, NotServing, and
        what ``read`` raises."""
        async with self._batch(count, remaining):
            return await self._verifier.verify(read(), lambda: self._arrivals.is_active)

    @asynccontextmanager
    async def _batch(self, count: int, remaining: Remaining) -> AsyncIterator[None]:
        if count <= BULK_CODES:
            self._admit(count, 0, remaining, self._codes_max)
            try:
                yield
            finally:
                self._release(count)
            return
        before = self._bulk_codes
        self._admit(count, self._bulk.expected_s(before + count) if before else 0, remaining, self._codes_max)
        self._bulk_codes += count
        try:
            started_s = self._monotonic()
            await self._take_turn(count)
            try:
                yield
            finally:
                self._turns.release()
            self._bulk.took(before + count, self._monotonic() - started_s)
        finally:
            self._bulk_codes -= count
            self._release(count)

    async def _take_turn(self, count: int) -> None:
        try:
            async with asyncio.timeout(WAIT_MAX_S):
                await self._turns.acquire()
        except TimeoutError:
            raise self._shed("queue_late", count) from None

    async def _run(self) -> None:
        try:
            while self._waiting:
                if not self._bulk_codes:  # the slice of a large batch is a longer wait than any that pays
                    await self._arrivals.gather(self._waiting)
                count = min(len(self._waiting), BATCH_MAX)
                taken = [self._waiting.popleft() for _ in range(count)]
                if taken[0][2] < (late_s := self._monotonic() - WAIT_MAX_S):
                    self._refuse([future for _, future, since_s in taken if since_s < late_s])
                # A caller that has gone (deadline, broken connection) has cancelled its future; its scan is skipped.
                await self._check([(scan, future) for scan, future, _ in taken if not future.done()])
        finally:
            self._is_busy = False

    def _refuse(self, late: list[asyncio.Future[CheckResult]]) -> None:
        for future in late:
            if not future.done():
                future.set_exception(self._shed("queue_late", 1))

    async def _check(self, taken: list[tuple[Scan, asyncio.Future[CheckResult]]]) -> None:
        for for_translation in (False, True):
            if some := [one for one in taken if one[0].for_translation is for_translation]:
                await self._check_together(some)

    async def _check_together(self, taken: list[tuple[Scan, asyncio.Future[CheckResult]]]) -> None:
        started_s = self._monotonic()
        try:
            results = await self._verifier.verify(_together([scan for scan, _ in taken]))
        except Exception as fault:  # each caller gets it; the runner lives on for the next batch
            for _, future in taken:
                if not future.done():
                    future.set_exception(fault)
            return
        self._runs.took(1, self._monotonic() - started_s)
        for place, (_, future) in enumerate(taken):
            if not future.done():
                future.set_result(CheckResult(results, place))

    def _admit(self, count: int, expected_s: float, remaining: Remaining, codes_max: int) -> None:
        """Count codes whose check is expected to end after ``expected_s``. Raises Overloaded."""
        if self._codes + count > codes_max:
            raise self._shed("queue_full", count)
        if expected_s > SHORT_WAIT_S:
            left_s = remaining()
            if left_s is not None and left_s < expected_s:
                raise self._shed("deadline_short", count)
        self._codes += count

    def _shed(self, reason: str, count: int) -> Overloaded:
        self._metrics.shed.inc(count)
        self._metrics.refused_calls.labels(reason).inc()
        return Overloaded(_MESSAGES[reason].format(self._codes), RETRY_AFTER_S)

    def _release(self, count: int) -> None:
        self._codes -= count


_MESSAGES: Final = {
    "queue_full": "{} codes are waiting to be checked",
    "queue_late": f"not checked within {WAIT_MAX_S:g} s: {{}} codes are waiting",
    "deadline_short": "{} codes are waiting to be checked, for longer than this call's deadline allows",
}


def _together(scans: Sequence[Scan]) -> Scans:
    """Return scans as a batch: all of them for translations, or none."""
    return Scans([scan.code for scan in scans], [scan.host for scan in scans], scans[0].for_translation)
