"""The callers of the machines: a publisher of records, and a scanner at each machine. All run on one event loop."""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Final

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc, status_pb2, status_pb2_grpc

from demo.cluster.machine import Machine

REGION: Final = "420000"
HOST: Final = "110000"
SUBJECTS: Final = 200
"""Bearers whose records are published over and over, each with the next revision. Their codes name them."""
PUBLISHERS: Final = 4
"""Records that are on their way at once."""
_PAUSE_S: Final = 0.2
"""Between a publisher's records, and between a scanner's batches: the figures show delays, and not what the computer
can do."""
_BATCH: Final = 50
_PUBLISH_S: Final = 20.0
"""The time for a record. A machine itself answers within 15 s."""
_CALL_S: Final = 10.0
"""The time for a check or a look. Only a computer that is busy with other things takes as long."""
_SEEN_S: Final = 30.0
"""The longest wait for another machine to show a record: a broker that leads is replaced within 6 s."""
_LOOK_S: Final = 0.01
_DELAYS_MAX: Final = 1000
"""The newest delays, of which the percentiles are shown."""
_RECONNECT_MS_MAX: Final = 500
"""A server that is back is found within half a second."""


class Connection:
    """The stubs of one machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        options = [("grpc.max_reconnect_backoff_ms", _RECONNECT_MS_MAX), ("grpc.initial_reconnect_backoff_ms", 100)]
        self.channel = grpc.aio.insecure_channel(machine.address, options)
        self.recognition = recognition_pb2_grpc.RecognitionServiceStub(self.channel)
        self.status = status_pb2_grpc.StatusServiceStub(self.channel)

    async def revision(self, code: bytes) -> int:
        """Return the highest revision that the machine has of a code's bearer, 0 for none. Raises grpc.RpcError."""
        named = status_pb2.GetStatusRequest(subject=status_pb2.SubjectRef(code=code))
        answer = await self.status.GetStatus(named, timeout=_CALL_S)
        return max((record.revision for record in answer.records), default=0)


async def end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """End calls that go on without an end. Raises what one has failed with."""
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


class Traffic:
    """Publishes and scans until it is closed. ``codes`` are those of REGION's bearers.

    ``published`` counts records that were acknowledged, ``refused`` those that were not, and ``seen`` the acknowledged
    ones that all other machines have shown; ``statuses`` counts answered codes by how fresh their status was.
    """

    def __init__(self, machines: Sequence[Machine], codes: Sequence[bytes]) -> None:
        self.published = self.refused = self.seen = 0
        self.statuses: Counter[str] = Counter()
        self.answered: Counter[int] = Counter()
        self.delays_s: deque[float] = deque(maxlen=_DELAYS_MAX)
        self._connections = [Connection(machine) for machine in machines]
        self._codes = codes
        self._acknowledged: dict[int, int] = {}
        self._number = 0
        scanners = [self._scan(connection) for connection in self._connections]
        publishers = [self._publish() for _ in range(PUBLISHERS)]
        self._tasks = [asyncio.create_task(work) for work in (*scanners, *publishers)]

    async def stop(self) -> None:
        """End the calls."""
        await end(self._tasks)

    async def missing(self, machines: Sequence[Machine]) -> list[str]:
        """Return a line for each acknowledged record that a machine does not have, or for a machine that does not
        tell."""
        lines = []
        for connection in self._connections:
            if connection.machine in machines:
                try:
                    lines += [line async for line in self._missing_at(connection)]
                except grpc.RpcError as fault:
                    lines.append(f"machine {connection.machine.number} does not tell: {fault.code().name}")
        return lines

    async def _missing_at(self, connection: Connection) -> AsyncIterator[str]:
        for bearer, revision in self._acknowledged.items():
            found = await connection.revision(self._codes[bearer])
            if found < revision:
                which = f"machine {connection.machine.number}, bearer {bearer}"
                yield f"{which}: revision {revision} was acknowledged, and {found} is there"

    async def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            await connection.channel.close()

    async def _publish(self) -> None:
        while True:
            running = [connection for connection in self._connections if connection.machine.is_running]
            if running:
                self._number += 1
                await self._publish_at(running[self._number % len(running)], self._number, running)
            await asyncio.sleep(_PAUSE_S)

    async def _publish_at(self, to: Connection, number: int, running: Sequence[Connection]) -> None:
        bearer, revision, began_s = number % len(self._codes), number // len(self._codes) + 1, time.monotonic()
        code = self._codes[bearer]
        now = Timestamp()
        now.FromDatetime(datetime.now(UTC))
        record = status_pb2.StatusRecord(
            publisher=REGION,
            subject=status_pb2.SubjectRef(code=code),
            level=status_pb2.LEVEL_YELLOW if number % 2 else status_pb2.LEVEL_GREEN,
            scope=status_pb2.SCOPE_NATIONAL,
            effective_at=now,
            revision=revision,
        )
        asked = status_pb2.PublishStatusesRequest(sequence=1, record=record)
        try:
            answers = [one async for one in to.status.PublishStatuses(iter([asked]), timeout=_PUBLISH_S)]
        except grpc.RpcError:  # it may come into the log all the same
            self.refused += 1
            return
        if any(answer.rejections for answer in answers):
            self.refused += 1
            return
        self.published += 1
        self._acknowledged[bearer] = max(revision, self._acknowledged.get(bearer, 0))
        others = [one for one in running if one is not to]
        delays = await asyncio.gather(*(self._delay_s(one, code, revision, began_s) for one in others))
        found = [delay_s for delay_s in delays if delay_s is not None]
        self.delays_s.extend(found)
        self.seen += len(found) == len(others)

    async def _delay_s(self, at: Connection, code: bytes, revision: int, began_s: float) -> float | None:
        """Return how long after its publication a machine shows a record; None where the machine goes away."""
        while at.machine.is_running and time.monotonic() < began_s + _SEEN_S:
            try:
                if await at.revision(code) >= revision:
                    return time.monotonic() - began_s
            except grpc.RpcError:
                await asyncio.sleep(_PAUSE_S)
            await asyncio.sleep(_LOOK_S)
        return None

    async def _scan(self, at: Connection) -> None:
        while True:
            codes = random.choices(self._codes, k=_BATCH)  # noqa: S311 - no secret
            asked = pb.BatchVerifyRequest(codes=codes, host_region=HOST)
            try:
                answer = await at.recognition.BatchVerify(asked, timeout=_CALL_S)
            except grpc.RpcError:
                answer = pb.BatchVerifyResponse()
            self.answered[at.machine.number] += len(answer.verdicts)
            self.statuses.update(_STATUSES[verdict.status] for verdict in answer.verdicts)
            await asyncio.sleep(_PAUSE_S)


_STATUSES: Final = {
    number: name.removeprefix("STATUS_") for number, name in zip(pb.Status.values(), pb.Status.keys(), strict=True)
}
