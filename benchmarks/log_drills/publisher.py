"""Publishes records at a steady rate through changing machines, partition by partition, and notes each acknowledgement.

Calls of one partition follow each other, so that a partition that stands still is seen, and holds up no other one. What
is not acknowledged in time is sent again to the next machine, which a publisher may always do.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from onecode.v1 import status_pb2 as pb
from onecode_server.model.partition import STATUS_PARTITIONS, partition_of
from onecode_server.model.subject import pseudonym

from demo.cluster.machine import Machine
from demo.cluster.traffic import REGION, Connection

CALL_S: Final = 3.0
"""The time for a call. A machine itself answers within 15 s; a publisher that has several asks the next one sooner."""
TICK_S: Final = 0.25
"""Between two calls of a partition that keeps up."""
CALL_RECORDS_MAX: Final = 500
"""The records of a call that catches up."""
_AGAIN_S: Final = 0.1
"""Before a call is made again that was refused at once."""
_EFFECTIVE_S: Final = 1_750_000_000
"""From when the records count, in Unix seconds: a time that has come, by every clock."""


class Ack(NamedTuple):
    """An acknowledgement of records. Times are those of ``time.monotonic``; ``machine`` is a number from 1 on."""

    began_s: float
    ended_s: float
    partition: int
    machine: int
    records: int


class Publisher:
    """Publishes a record of another subject each time, GREEN, until it is stopped.

    ``acknowledged`` are the subjects (16 bytes) in the order of their acknowledgements, and ``again`` counts calls that
    were made again.
    """

    def __init__(self, machines: Sequence[Machine], pseudonym_key: bytes, records_a_second: float) -> None:
        self.acks: list[Ack] = []
        self.acknowledged: list[bytes] = []
        self.again = 0
        self._connections = [Connection(machine) for machine in machines]
        self._key = pseudonym_key
        self._rate = records_a_second / STATUS_PARTITIONS
        self._names = self._named()
        self._waiting = [deque[tuple[str, bytes]]() for _ in range(STATUS_PARTITIONS)]
        self._ends = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to publish."""
        self._tasks = [asyncio.create_task(self._publish(partition)) for partition in range(STATUS_PARTITIONS)]

    async def stop(self) -> None:
        """End once the calls that run are acknowledged. Raises what a call has failed with."""
        self._ends = True
        await asyncio.gather(*self._tasks)
        for connection in self._connections:
            await connection.channel.close()

    async def _publish(self, partition: int) -> None:
        began_s, sent, turn = time.monotonic(), 0, partition
        while not self._ends:
            await asyncio.sleep(TICK_S)
            due = int((time.monotonic() - began_s) * self._rate) - sent
            batch = self._take(partition, min(due, CALL_RECORDS_MAX))
            sent += len(batch)
            while batch:
                turn += 1
                connection = self._connections[turn % len(self._connections)]
                called_s = time.monotonic()
                through = await self._call(connection, batch)
                if through:
                    machine, ended_s = connection.machine.number, time.monotonic()
                    self.acks.append(Ack(called_s, ended_s, partition, machine, through))
                    self.acknowledged += (subject for _, subject in batch[:through])
                    del batch[:through]
                if batch:
                    self.again += 1
                    await asyncio.sleep(_AGAIN_S)

    async def _call(self, to: Connection, batch: Sequence[tuple[str, bytes]]) -> int:
        """Publish records in one call; return how many of them were acknowledged. Ends the program where one is
        refused by a rule: none breaks any."""
        through = 0
        call = to.status.PublishStatuses(iter(_requests(batch)), timeout=CALL_S)
        try:
            async for answer in call:
                if answer.rejections:
                    raise SystemExit(f"a record was refused: {answer.rejections[0]}")
                through = max(through, answer.durable_through)
        except grpc.RpcError:  # it may come into the log all the same
            pass
        return through

    def _take(self, partition: int, count: int) -> list[tuple[str, bytes]]:
        waiting = self._waiting[partition]
        while len(waiting) < count:
            name, subject = next(self._names)
            self._waiting[partition_of(subject)].append((name, subject))
        return [waiting.popleft() for _ in range(count)]

    def _named(self) -> Iterator[tuple[str, bytes]]:
        number = 0
        while True:
            number += 1
            name = f"drilled-{number}"
            yield name, pseudonym(self._key, REGION, name)


def _requests(batch: Sequence[tuple[str, bytes]]) -> Iterator[pb.PublishStatusesRequest]:
    effective_at = Timestamp(seconds=_EFFECTIVE_S)
    for sequence, (name, _) in enumerate(batch, 1):
        record = pb.StatusRecord(
            publisher=REGION,
            subject=pb.SubjectRef(local=pb.LocalSubject(region=REGION, id=name)),
            level=pb.LEVEL_GREEN,
            scope=pb.SCOPE_NATIONAL,
            effective_at=effective_at,
            revision=1,
        )
        yield pb.PublishStatusesRequest(sequence=sequence, record=record)


def longest_waits_s(acks: Sequence[Ack], from_s: float, until_s: float) -> dict[int, float]:
    """Return for each partition the longest time without an acknowledgement in a period, from its beginning on."""
    longest = dict.fromkeys(range(STATUS_PARTITIONS), 0.0)
    last = dict.fromkeys(range(STATUS_PARTITIONS), from_s)
    for ack in sorted(acks, key=lambda one: one.ended_s):
        if from_s <= ack.ended_s <= until_s:
            longest[ack.partition] = max(longest[ack.partition], ack.ended_s - last[ack.partition])
            last[ack.partition] = ack.ended_s
    return {partition: max(longest[partition], until_s - last[partition]) for partition in longest}
