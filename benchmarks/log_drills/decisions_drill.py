"""Reports, acknowledgements and withdrawals of exceptions at all machines at once, while brokers that lead are killed.

Callers share the reports that they know of, so that steps race for the same times. A caller that is not answered sends
the same step, by its request id, to the next machine. The reason of a report is that id: two reports with one reason
are a retry that had two effects.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, Final, NamedTuple

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from onecode.v1 import exceptions_pb2 as pb
from onecode.v1 import exceptions_pb2_grpc

from benchmarks.log_drills.drilled import Drilled, await_well
from demo.cluster.machine import Machine

HOSTS: Final = ("110000", "440000", "310000")
HOMES: Final = ("420000", "330000")
"""Few pairs, so that their reports overlap."""
CALLERS: Final = 6
KILLS: Final = 4
REPEATED: Final = 0.1
"""The share of answered steps that are taken again, at another machine: the answer must be the same."""
CALL_S: Final = 4.0
"""The time for a call, after which the next machine is asked."""
AWAY_S: Final = 8.0
CALM_S: Final = 8.0
"""Before a broker is killed, and after the last one is back."""
_PAUSE_S: Final = 0.3
_AGAIN_S: Final = 0.1
_HOUR_S: Final = 3600
_AHEAD_H, _LASTS_H = 200, 12
_KNOWN_MAX: Final = 60
"""Reports that callers choose among: the newest."""
_TRANSIENT: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Taken(NamedTuple):
    """What callers were told: ids of reports by step, the steps that a rule refused, those of them that were sent
    again before, the calls that were made again, and the steps that were taken again although they were answered."""

    reported: set[str]
    acknowledged: set[str]
    withdrawn: set[str]
    refused: list[str]
    doubtful: list[str]
    again: list[str]
    repeated: list[str]

    @property
    def done(self) -> int:
        """The number of steps that had an effect."""
        return len(self.reported) + len(self.acknowledged) + len(self.withdrawn)

    @property
    def steps(self) -> int:
        """The number of steps in all."""
        return self.done + len(self.refused)


class Callers:
    """Take steps until they are stopped, each caller at the next machine every time."""

    def __init__(self, machines: Sequence[Machine], chance: random.Random, tick: Callable[[int], None]) -> None:
        self.taken = Taken(set(), set(), set(), [], [], [], [])
        self._channels = [grpc.aio.insecure_channel(machine.address) for machine in machines]
        self._stubs = [exceptions_pb2_grpc.ExceptionServiceStub(channel) for channel in self._channels]
        self._chance, self._tick = chance, tick
        self._known: list[str] = []
        self._least: int | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self._call(number)) for number in range(CALLERS)]

    async def stop(self, least: int) -> None:
        """End once so many steps are taken, and each is answered. Raises what one has failed with."""
        self._least = least
        await asyncio.gather(*self._tasks)

    async def listed(self) -> list[list[pb.RecognitionException]]:
        """Return all reports, as each machine lists them."""
        return [await _all(stub) for stub in self._stubs]

    async def close(self) -> None:
        """Close the connections."""
        for channel in self._channels:
            await channel.close()

    async def _call(self, turn: int) -> None:
        while self._least is None or self.taken.steps < self._least:
            match self._chance.choice("rrraaaww") if self._known else "r":
                case "r":
                    found = await self._take("ReportException", self._report(), turn)
                    self._note(found, self.taken.reported)
                    if found:
                        self._known = [*self._known, found][-_KNOWN_MAX:]
                case "a":
                    asked = pb.AcknowledgeExceptionRequest(id=self._chance.choice(self._known), request_id=_fresh())
                    self._note(await self._take("AcknowledgeException", asked, turn), self.taken.acknowledged)
                case _:
                    gone = pb.WithdrawExceptionRequest(id=self._chance.choice(self._known), request_id=_fresh())
                    self._note(await self._take("WithdrawException", gone, turn), self.taken.withdrawn)
            turn += 1
            self._tick(1)
            await asyncio.sleep(_PAUSE_S)

    def _report(self) -> pb.ReportExceptionRequest:
        begins_s = int(time.time()) + self._chance.randrange(1, _AHEAD_H) * _HOUR_S
        identifier = _fresh()
        return pb.ReportExceptionRequest(
            host_region=self._chance.choice(HOSTS),
            home_region=self._chance.choice(HOMES),
            reason=identifier,
            effective_from=Timestamp(seconds=begins_s),
            effective_until=Timestamp(seconds=begins_s + self._chance.randrange(1, _LASTS_H) * _HOUR_S),
            request_id=identifier,
        )

    def _note(self, found: str | None, among: set[str]) -> None:
        if found is None:
            return
        if found in among:
            raise SystemExit(f"report {found}: the same step was answered to two callers")
        among.add(found)

    async def _take(self, method: str, asked: Any, turn: int) -> str | None:
        """Take a step, and now and then once more, as a caller that was not answered does."""
        found = await self._ask(method, asked, turn)
        if found is not None and self._chance.random() < REPEATED:
            again = await self._ask(method, asked, turn + 1)
            if again != found:
                raise SystemExit(f"{method} {asked.request_id} was answered {found} first and {again} then")
            self.taken.repeated.append(asked.request_id)
        return found

    async def _ask(self, method: str, asked: Any, turn: int) -> str | None:
        """Take a step at one machine after the other until it is answered; return the report's id, None where a rule
        refuses it."""
        attempts = 0
        while True:
            stub = self._stubs[(turn + attempts) % len(self._stubs)]
            try:
                answer = await getattr(stub, method)(asked, timeout=CALL_S)
            except grpc.RpcError as fault:
                if fault.code() in _TRANSIENT:
                    attempts += 1
                    self.taken.again.append(asked.request_id)
                    await asyncio.sleep(_AGAIN_S)
                    continue
                if fault.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                    raise
                self.taken.refused.append(asked.request_id)
                if attempts:
                    self.taken.doubtful.append(asked.request_id)
                return None
            return str(answer.exception.id)


async def run(drilled: Drilled, steps: int, kills: int, chance: random.Random, tick: Callable[[int], None]) -> Callers:
    """Take so many steps, and more while brokers that lead the decisions are still to be killed. The callers have
    stopped then, and are to be closed."""
    brokers = drilled.cluster.brokers
    callers = Callers(drilled.machines, chance, tick)
    callers.start()
    await asyncio.sleep(CALM_S)
    for _ in range(kills):
        node = await asyncio.to_thread(brokers.leader_of, "onecode.decisions", 0)
        node.kill()
        await asyncio.sleep(AWAY_S)
        await asyncio.to_thread(brokers.start, node)
        await asyncio.to_thread(await_well, drilled.cluster)
        await asyncio.sleep(CALM_S)
    await callers.stop(steps)
    return callers


def overlapping(reports: Sequence[pb.RecognitionException]) -> list[tuple[str, str]]:
    """Return the ids of reports of one host and home that were acknowledged at the same time and overlap."""
    acknowledged = [one for one in reports if one.HasField("acknowledged_at")]
    return [(one.id, other.id) for one, other in combinations(acknowledged, 2) if _clash(one, other)]


def _clash(one: pb.RecognitionException, other: pb.RecognitionException) -> bool:
    if (one.host_region, one.home_region) != (other.host_region, other.home_region):
        return False
    if not _meet((one.effective_from, one.effective_until), (other.effective_from, other.effective_until)):
        return False
    return _meet((one.acknowledged_at, _gone(one)), (other.acknowledged_at, _gone(other)))


def _meet(one: tuple[Timestamp, Timestamp], other: tuple[Timestamp, Timestamp]) -> bool:
    return one[0].ToNanoseconds() < other[1].ToNanoseconds() and other[0].ToNanoseconds() < one[1].ToNanoseconds()


def _gone(report: pb.RecognitionException) -> Timestamp:
    return report.withdrawn_at if report.HasField("withdrawn_at") else report.effective_until


async def _all(stub: Any) -> list[pb.RecognitionException]:
    found, token = [], ""
    while True:
        page = await stub.ListExceptions(pb.ListExceptionsRequest(page_size=1000, page_token=token), timeout=CALL_S)
        found += page.exceptions
        if not (token := page.next_page_token):
            return found


def _fresh() -> str:
    return str(uuid.uuid4())
