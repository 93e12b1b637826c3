"""A stand-in for the native front, which need not have been built: it has the calls that a test gives it."""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onecode_server.rpc.native_calls import NativeCalls

from tests.world import World

Work = tuple[int, str, list[str], list[bytes]]


class StandIn:
    """A front with the calls that a test gives it. A pipe says that there are some."""

    def __init__(self) -> None:
        self._readable, self._writable = os.pipe()
        self.arriving: list[Work] = []
        self.waiting: list[Work] = []
        self.batches: dict[int, list[bytes]] = {}
        self.left_s: float | None = None
        self.ended: list[int] = []
        self.forgotten: list[int] = []
        self.answers: dict[int, list[bytes]] = {}
        self.failures: dict[int, Any] = {}
        self.reads = 0
        self.fault: Exception | None = None
        self.has_work = False

    def arrive(self, *work: Work) -> None:
        self.arriving += work
        os.write(self._writable, b"!")

    def fileno(self) -> int:
        return self._readable

    def turn(self, reads: bool = True) -> int:
        if self.fault is not None:
            raise self.fault
        if reads and (self.arriving or self.ended):
            os.read(self._readable, 64)
            self.reads += 1
            self.waiting, self.arriving = self.waiting + self.arriving, []
        return sum(len(codes) for _, _, _, codes in self.waiting)

    def take(self, count_max: int) -> list[Work]:
        assert count_max >= sum(len(codes) for _, kind, _, codes in self.waiting if kind in ("single", "stream"))
        taken = [work for work in self.waiting if work[1] != "batch"]
        self.waiting = [work for work in self.waiting if work[1] == "batch"]
        return taken

    def take_batch(self) -> tuple[int, str, int, float | None] | None:
        if not self.waiting:
            return None
        ticket, _, hosts, self.batches[ticket] = self.waiting.pop(0)
        return ticket, hosts[0], len(self.batches[ticket]), self.left_s

    def read_batch(self, ticket: int) -> list[bytes] | None:
        return self.batches.pop(ticket, None)

    def end(self, ticket: int) -> None:
        self.batches.pop(ticket, None)
        self.ended.append(ticket)
        os.write(self._writable, b"!")

    def take_ended(self) -> list[int]:
        ended, self.ended = self.ended, []
        return ended

    def forget(self, ticket: int) -> None:
        self.forgotten.append(ticket)

    def answer(self, ticket: int, pieces: Sequence[bytes], which: Any, tail: bytes) -> None:
        assert which.dtype == np.int64
        self.answers[ticket] = [pieces[place] + tail for place in which.tolist()]

    def answer_whole(self, ticket: int, message: bytes) -> None:
        self.answers[ticket] = [message]

    def fail(self, ticket: int, status: Any) -> None:
        self.failures[ticket] = status

    def close(self) -> None:
        os.close(self._readable)
        os.close(self._writable)


class Turned(StandIn):
    """A stand-in with the calls that turn it."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.calls = NativeCalls(self, world.batcher)  # type: ignore[arg-type]

    async def done(self, *tickets: int) -> None:
        """Wait until tickets were answered or failed."""
        await until(lambda: {*tickets} <= {*self.answers, *self.failures})


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
