"""Batching: what arrives while the verifier is busy is the next batch, and a crowd is given a moment to come together.

A lone call goes straight through; under load calls share decoding, signature checks and store lookups. gRPC hands over
one call after the other, each more slowly than a code is checked: without that moment every batch would be of one.

What could not be answered in time is refused, at once where that is known. Single scans do not wait for large batches,
which take turns and are checked in slices.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

from onecode_server.engine.check import Answers, Check, Outcome
from onecode_server.engine.crowd import Crowd
from onecode_server.engine.pace import Pace
from onecode_server.engine.verifier import Verifier
from onecode_server.errors import Overloaded
from onecode_server.metrics import Metrics
from onecode_server.model.code import Scan

CODES_MAX: Final = 16_384
"""Codes that may wait or be checked at once: about a second of work with PyNaCl, so that nobody waits much longer than
a scanner's patience. Four of the largest batch calls."""
SINGLES_ROOM: Final = 1024
"""Codes of single scans that may wait beyond that: batches without end must not keep the gates out. As many as calls at
once; with PyNaCl some 60 ms more."""
BATCH_MAX: Final = 512
"""Single calls that are checked together: enough to fill any signature kernel, few enough to answer the first soon."""
GATHER_S: Final = 0.002
"""How long a crowd is waited for: what a call waits for gRPC anyway, when so many are in flight."""
GATHERED: Final = 32
"""Calls that are not kept waiting for more: a signature among so many costs hardly more than among hundreds."""
RETRY_AFTER_S: Final = 0.5
WAIT_MAX_S: Final = 2.0
"""What has waited longer is refused: whoever stood at the gate so long has scanned again, and what is new has a chance
to be answered in time. CODES_MAX takes half of it with PyNaCl."""
BULK_CODES: Final = 512
"""Larger batches take turns: all of them at once would be slices before which each of the others waits."""
BULK_TURNS: Final = 2
"""One is checked while the other waits for the store."""
SOON_S: Final = 0.02
"""What is expected sooner is not held against a call's deadline: the measure is no finer, and asking costs as well."""

Remaining = Callable[[], float | None]
"""Returns the seconds that a caller still waits; None where it waits for ever."""


def for_ever() -> None:
    """Say that a caller waits for ever."""


class Single(NamedTuple):
    """The outcome of one code that was checked among others."""

    check: Check
    outcome: Outcome


class Batcher:
    """Takes single scans and batches, checks them, and turns away what would have to wait too long."""

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
        self._waiting: deque[tuple[Scan, asyncio.Future[Single], float]] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._is_busy = False
        self._crowd = Crowd(monotonic)
        self._has_gathered = asyncio.Event()
        self._codes = 0
        self._bulk_codes = 0
        self._runs, self._bulk = Pace(), Pace()
        self._turns = asyncio.Semaphore(BULK_TURNS)
        metrics.queued.set_function(lambda: self._codes)

    async def verify(self, scan: Scan, remaining: Remaining = for_ever) -> Single:
        """Check one scan, together with those that wait. Raises Overloaded, NotServing."""
        expected_s = self._runs.expected_s(1 + len(self._waiting) // BATCH_MAX) if self._is_busy else 0
        self._admit(1, expected_s, remaining, self._codes_max + SINGLES_ROOM)
        try:
            if self._crowd.meets() or self._is_busy:
                return await self._wait(scan)
            return await self._check_alone(scan)
        finally:
            self._release(1)

    async def _check_alone(self, scan: Scan) -> Single:
        """Check a scan that finds the verifier idle: mostly nothing is waited for, and there is no need of a task."""
        self._is_busy = True
        try:
            outcome = await self._verifier.check((scan,))
        finally:
            self._is_busy = False
            self._start()
        return Single(outcome.checks[0], outcome)

    async def _wait(self, scan: Scan) -> Single:
        """Have a scan checked in the next batch."""
        # No variable holds the future: it keeps a failure, which keeps its frames, which would keep the future.
        return await self._enqueue(scan)

    def _enqueue(self, scan: Scan) -> asyncio.Future[Single]:
        future: asyncio.Future[Single] = asyncio.get_running_loop().create_future()
        self._waiting.append((scan, future, self._crowd.last_s))
        if len(self._waiting) >= GATHERED:
            self._has_gathered.set()
        if not self._is_busy:
            self._start()
        return future

    def _start(self) -> None:
        if self._waiting:
            self._is_busy = True
            self._runner = asyncio.create_task(self._run(), name="batcher")

    async def verify_batch(self, codes: Sequence[bytes], host: str, remaining: Remaining = for_ever) -> Answers:
        """Check a batch of its own. Raises Overloaded, NotServing."""
        async with self._batch(len(codes), remaining):
            return await self._verifier.verify(codes, host, lambda: self._crowd.is_open)

    async def check_batch(self, scans: Sequence[Scan], remaining: Remaining = for_ever) -> Outcome:
        """Check a batch of which more than the verdicts is asked for. Raises Overloaded, NotServing."""
        async with self._batch(len(scans), remaining):
            return await self._verifier.check(scans)

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
                await self._gather()
                count = min(len(self._waiting), BATCH_MAX)
                taken = [self._waiting.popleft() for _ in range(count)]
                if taken[0][2] < (late_s := self._monotonic() - WAIT_MAX_S):
                    self._refuse([future for _, future, since_s in taken if since_s < late_s])
                # A caller that has gone (deadline, broken connection) has cancelled its future: no work for it.
                await self._check([(scan, future) for scan, future, _ in taken if not future.done()])
        finally:
            self._is_busy = False

    def _refuse(self, late: list[asyncio.Future[Single]]) -> None:
        for future in late:
            if not future.done():
                future.set_exception(self._shed("queue_late", 1))

    async def _gather(self) -> None:
        """Give a crowd a moment to come together."""
        if len(self._waiting) < GATHERED and self._crowd.is_here:
            self._has_gathered.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._has_gathered.wait(), GATHER_S)
            self._crowd.came(len(self._waiting))

    async def _check(self, taken: list[tuple[Scan, asyncio.Future[Single]]]) -> None:
        if not taken:
            return
        started_s = self._monotonic()
        try:
            outcome = await self._verifier.check([scan for scan, _ in taken])
        except Exception as fault:  # each caller gets it; the runner lives on for the next batch
            for _, future in taken:
                if not future.done():
                    future.set_exception(fault)
            return
        self._runs.took(1, self._monotonic() - started_s)
        for check, (_, future) in zip(outcome.checks, taken, strict=True):
            if not future.done():
                future.set_result(Single(check, outcome))

    def _admit(self, count: int, expected_s: float, remaining: Remaining, codes_max: int) -> None:
        """Count codes in, which are expected to be checked after so long. Raises Overloaded."""
        if self._codes + count > codes_max:
            raise self._shed("queue_full", count)
        if expected_s > SOON_S:
            left_s = remaining()
            if left_s is not None and left_s < expected_s:
                raise self._shed("deadline_short", count)
        self._codes += count

    def _shed(self, reason: str, count: int) -> Overloaded:
        self._metrics.shed.inc(count)
        self._metrics.refused_calls.labels(reason).inc()
        return Overloaded(_WHY[reason].format(self._codes), RETRY_AFTER_S)

    def _release(self, count: int) -> None:
        self._codes -= count


_WHY: Final = {
    "queue_full": "{} codes are waiting to be checked",
    "queue_late": f"not checked within {WAIT_MAX_S:g} s: {{}} codes are waiting",
    "deadline_short": "{} codes are waiting to be checked, longer than this call has time",
}
