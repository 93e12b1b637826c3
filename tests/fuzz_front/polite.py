"""A caller beside the fuzzer, as there are many: its good code and its bad one always have the same verdicts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from onecode.v1 import recognition_pb2 as pb

from tests.fronts import SERVICE, Caller
from tests.fuzz_front.comparison import LATE_MAX, is_late

PAUSE_S: Final = 0.005
HOST: Final = "440000"


class NotAsBefore(Exception):
    """A polite call failed, or its verdict was another one than the first time."""


class Polite:
    """Checks a good code and a bad one in turn."""

    def __init__(self, address: str, good: bytes, bad: bytes) -> None:
        self._address = address
        self._codes = (good, bad)
        self._expected: dict[bytes, pb.Verdict] = {}
        self.calls = 0

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """Call all the time, meanwhile. Raises NotAsBefore at the end of it."""
        caller = Caller(self._address)
        try:
            await self.check(caller)
            task = asyncio.create_task(self._run(caller))
            try:
                yield
            finally:
                task.cancel()
                await asyncio.wait([task])
            if not task.cancelled() and (fault := task.exception()) is not None:
                raise fault
            await self.check(caller)
        finally:
            await caller.channel.close()

    async def check(self, caller: Caller) -> None:
        """Check both codes. Raises NotAsBefore."""
        for code in self._codes:
            verdict = await self._verdict(caller, code)
            if self._expected.setdefault(code, verdict) != verdict:
                raise NotAsBefore(f"a verdict was {verdict}, and is {self._expected[code]} otherwise")
            self.calls += 1
        decisions = [self._expected[code].decision for code in self._codes]
        if decisions != [pb.DECISION_ADMIT, pb.DECISION_REFUSE]:
            raise NotAsBefore(f"the good code and the bad one had the decisions {decisions}")

    async def _verdict(self, caller: Caller, code: bytes) -> pb.Verdict:
        request = pb.VerifyRequest(code=code, host_region=HOST).SerializeToString()
        for _ in range(LATE_MAX):
            ended = await caller.unary(f"/{SERVICE}/Verify", request)
            if not ended.messages:
                raise NotAsBefore(f"a polite call failed: {ended}")
            verdict = pb.VerifyResponse.FromString(ended.messages[0]).verdict
            if not is_late(verdict):
                verdict.ClearField("status_age_s")
                return verdict
        raise NotAsBefore(f"the store did not answer {LATE_MAX} times: {verdict}")

    async def _run(self, caller: Caller) -> None:
        while True:
            await self.check(caller)
            await asyncio.sleep(PAUSE_S)
