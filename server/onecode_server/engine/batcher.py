"""Batching: what arrives while the verifier is busy is the next batch, and a crowd is given a moment to come together.

A lone call goes straight through; under load calls share decoding, signature checks and store lookups. gRPC hands over
one call after the other, each more slowly than a code is checked: without that moment every batch would be of one.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
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
GATHER_S: Final = 0.002
"""How long a crowd is waited for: what a call waits for gRPC anyway, when so many are in flight."""
GATHERED: Final = 32
"""Calls that are not kept waiting for more: a signature among so many costs hardly more than among hundreds."""
CROWD_S: Final = 0.001
"""Calls that come closer behind each other than this are a crowd, until they do no longer."""
CROWD_CALLS: Final = 8
ALONE_CALLS: Final = 256
"""One caller may ask again as soon as it has its answer, and looks like a crowd: where nobody else came, so many calls
go straight through before the next try."""
OPEN_S: Final = 0.1
"""Single calls that were this close are there still: large batches are then cut finer. Twenty times what lies between
two calls at 200 a second."""
RETRY_AFTER_S: Final = 0.5


class Single(NamedTuple):
    """The outcome of one code that was checked among others."""

    check: Check
    outcome: Outcome


class Crowd:
    """Tells by when calls come whether many callers are there. ``monotonic`` returns seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last_s = float("-inf")
        self._close = 0
        self._alone = 0

    @property
    def is_here(self) -> bool:
        """Whether most of the last calls came close behind each other."""
        return self._close >= CROWD_CALLS

    @property
    def is_open(self) -> bool:
        """Whether anybody has called lately."""
        return self._monotonic() - self._last_s <= OPEN_S

    def meets(self) -> bool:
        """Note a call, and tell whether it came in a crowd."""
        now_s = self._monotonic()
        is_close = now_s - self._last_s <= CROWD_S
        self._last_s = now_s
        if self._alone:
            self._alone -= 1
        elif is_close:
            self._close = min(self._close + 1, 2 * CROWD_CALLS)
        elif self._close:
            self._close -= 1
        return self.is_here

    def came(self, count: int) -> None:
        """Note how many came together while they were waited for."""
        if count < 2:
            self._close, self._alone = 0, ALONE_CALLS


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
        self._waiting: deque[tuple[Scan, asyncio.Future[Single]]] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._is_busy = False
        self._crowd = Crowd(monotonic)
        self._has_gathered = asyncio.Event()
        self._codes = 0
        metrics.queued.set_function(lambda: self._codes)

    async def verify(self, scan: Scan) -> Single:
        """Check one scan, together with those that wait. Raises Overloaded, NotServing."""
        self._admit(1)
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
        future: asyncio.Future[Single] = asyncio.get_running_loop().create_future()
        self._waiting.append((scan, future))
        if len(self._waiting) >= GATHERED:
            self._has_gathered.set()
        if not self._is_busy:
            self._start()
        return await future

    def _start(self) -> None:
        if self._waiting:
            self._is_busy = True
            self._runner = asyncio.create_task(self._run(), name="batcher")

    async def verify_batch(self, codes: Sequence[bytes], host: str) -> Answers:
        """Check a batch of its own. Raises Overloaded, NotServing."""
        self._admit(len(codes))
        try:
            return await self._verifier.verify(codes, host, lambda: self._crowd.is_open)
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
                await self._gather()
                count = min(len(self._waiting), BATCH_MAX)
                taken = [self._waiting.popleft() for _ in range(count)]
                # A caller that has gone (deadline, broken connection) has cancelled its future: no work for it.
                await self._check([(scan, future) for scan, future in taken if not future.done()])
        finally:
            self._is_busy = False

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
