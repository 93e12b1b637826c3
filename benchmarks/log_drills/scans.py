"""Scans at each machine without a pause longer than a tenth of a second, and how fresh the statuses of their answers
were."""

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import status_pb2

from demo.cluster.machine import Machine
from demo.cluster.traffic import HOST, REGION, Connection, end

CODES: Final = 48
"""The codes of a batch: of all twelve partitions."""
PAUSE_S: Final = 0.1
CALL_S: Final = 5.0
PUBLISH_S: Final = 60.0


class Look(NamedTuple):
    """A batch that was answered, or was not where ``codes`` is 0. Times are those of ``time.monotonic``; ``codes``,
    ``current`` and ``stale`` are numbers of codes: the rest is UNAVAILABLE."""

    began_s: float
    ended_s: float
    machine: int
    codes: int
    current: int
    stale: int


class Scans:
    """Scans until it is stopped. ``codes`` are those of REGION's bearers."""

    def __init__(self, machines: Sequence[Machine], codes: Sequence[bytes]) -> None:
        self.looks: list[Look] = []
        self._connections = [Connection(machine) for machine in machines]
        self._codes = codes[:CODES]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Publish a record of each bearer, without which a status is NONE, and begin to scan once each machine has
        them. Raises grpc.RpcError, and TimeoutError where one does not get them."""
        now = Timestamp(seconds=int(time.time()))
        records = [
            status_pb2.StatusRecord(
                publisher=REGION,
                subject=status_pb2.SubjectRef(code=code),
                level=status_pb2.LEVEL_GREEN,
                scope=status_pb2.SCOPE_NATIONAL,
                effective_at=now,
                revision=1,
            )
            for code in self._codes
        ]
        asked = [status_pb2.PublishStatusesRequest(sequence=n, record=one) for n, one in enumerate(records, 1)]
        stub = self._connections[0].status
        answers = [one async for one in stub.PublishStatuses(iter(asked), timeout=PUBLISH_S)]
        if answers[-1].durable_through != len(asked) or any(answer.rejections for answer in answers):
            raise SystemExit(f"the scanned bearers' records were not taken: {answers[-1]}")
        async with asyncio.timeout(PUBLISH_S):
            await asyncio.gather(*(self._await_records(connection) for connection in self._connections))
        self._tasks = [asyncio.create_task(self._scan(connection)) for connection in self._connections]

    async def stop(self) -> None:
        """End the scans. Raises what one has failed with."""
        await end(self._tasks)
        for connection in self._connections:
            await connection.channel.close()

    async def _await_records(self, at: Connection) -> None:
        """Wait until a machine has a record of each bearer: the one that was asked has them first."""
        asked = pb.BatchVerifyRequest(codes=self._codes, host_region=HOST)
        while True:
            answer = await at.recognition.BatchVerify(asked, timeout=PUBLISH_S)
            if all(verdict.status != pb.STATUS_NONE for verdict in answer.verdicts):
                return
            await asyncio.sleep(PAUSE_S)

    async def _scan(self, at: Connection) -> None:
        asked = pb.BatchVerifyRequest(codes=self._codes, host_region=HOST)
        while True:
            began_s = time.monotonic()
            try:
                answer = await at.recognition.BatchVerify(asked, timeout=CALL_S)
            except grpc.RpcError:
                answer = pb.BatchVerifyResponse()
            self.looks.append(_look(answer, began_s, at.machine.number))
            await asyncio.sleep(PAUSE_S)


def _look(answer: pb.BatchVerifyResponse, began_s: float, machine: int) -> Look:
    statuses = [verdict.status for verdict in answer.verdicts]
    if not set(statuses) <= {pb.STATUS_CURRENT, pb.STATUS_STALE, pb.STATUS_UNAVAILABLE}:
        raise SystemExit(f"a code with a record was answered without a status: {answer.verdicts[0]}")
    current, stale = statuses.count(pb.STATUS_CURRENT), statuses.count(pb.STATUS_STALE)
    return Look(began_s, time.monotonic(), machine, len(statuses), current, stale)


class Freshness(NamedTuple):
    """How fresh a machine's statuses were in a period: the share of codes that were STALE or UNAVAILABLE, the time for
    which some were, and the number of calls without an answer."""

    share: float
    seconds: float
    unanswered: int


def freshness(looks: Sequence[Look], machine: int, from_s: float, until_s: float) -> Freshness:
    """Return what the scans of a period at a machine have shown."""
    chosen = [look for look in looks if look.machine == machine and from_s <= look.began_s <= until_s]
    codes, current = sum(look.codes for look in chosen), sum(look.current for look in chosen)
    seconds = sum(following.began_s - look.began_s for look, following in pairwise(chosen) if look.current < look.codes)
    unanswered = sum(not look.codes for look in chosen)
    return Freshness((codes - current) / codes if codes else 0.0, seconds, unanswered)
