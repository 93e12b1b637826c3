"""The lists of a front are checked and answered: the front is a stand-in here, and need not have been built."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
import numpy as np
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_server.model.code import Scans
from onecode_server.rpc.authenticator import OnlyLocal
from onecode_server.rpc.failures import failure_of
from onecode_server.rpc.native_calls import LISTS_MAX, NativeCalls
from onecode_server.verification.batcher import WAIT_MAX_S, Remaining
from onecode_server.verification.check import CheckResults

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
        self.calls = NativeCalls(self, world.batcher, OnlyLocal())  # type: ignore[arg-type]

    async def done(self, *tickets: int) -> None:
        """Wait until tickets were answered or failed."""
        await until(lambda: {*tickets} <= {*self.answers, *self.failures})


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)


@pytest.fixture
async def front(world: World) -> AsyncIterator[Turned]:
    turned = Turned(world)
    yield turned
    turned.calls.stop()
    turned.close()


async def test_codes_of_all_hosts_calls_and_streams_are_checked_as_one_list(front: Turned, world: World) -> None:
    codes = [world.code("420000", subject=str(number)) for number in range(20)] + [b"x"]
    hosts = ["440000", "999999"] * 10 + ["110000"]
    front.arrive((1, "single", hosts, codes), (2, "stream", hosts, codes))
    await front.done(1, 2)
    expected = [(await world.check_all([code], host)).verdicts[0] for code, host in zip(codes, hosts, strict=True)]
    singles: list[Any] = [pb.VerifyResponse.FromString(answer) for answer in front.answers[1]]
    streamed: list[Any] = [pb.StreamVerifyResponse.FromString(answer) for answer in front.answers[2]]
    assert [one.verdict.reason for one in singles] == [verdict.reason for verdict in expected]
    assert [one.verdict for one in singles] == [one.verdict for one in streamed]
    assert {one.trust_list_version for one in (*singles, *streamed)} == {world.trust.current.version}
    assert world.metrics.registry.get_sample_value("onecode_batch_codes_count") == 1


async def test_a_list_that_does_not_wait_is_answered_in_the_turn_that_took_it(front: Turned, world: World) -> None:
    await world.verify_all([world.code("420000")])
    tasks = asyncio.all_tasks()
    front.arrive((1, "single", ["440000"], [world.code("420000")]))
    await front.done(1)
    assert asyncio.all_tasks() == tasks


async def test_a_batch_is_answered_as_grpc_answers_it(front: Turned, world: World) -> None:
    codes = [world.code("420000", subject=str(number)) for number in range(600)]
    front.arrive((1, "batch", ["440000"], codes), (2, "single", ["440000"], codes[:1]))
    await front.done(1, 2)
    assert list(front.answers) == [2, 1]
    response = pb.BatchVerifyResponse.FromString(front.answers[1][0])
    assert {verdict.decision for verdict in response.verdicts} == {pb.DECISION_ADMIT}
    assert len(response.verdicts) == len(codes)


async def test_a_batch_whose_caller_leaves_is_checked_no_further(
    front: Turned, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def check_slices(*_: Any) -> CheckResults:
        begun.set()
        try:
            while True:  # noqa: ASYNC110 - as slices do it
                await asyncio.sleep(0)
        finally:
            ended.set()

    monkeypatch.setattr(world.verifier, "verify", check_slices)
    front.arrive((1, "batch", ["440000"], [b"x"] * 600))
    await begun.wait()
    assert front.batches == {}, "the codes were taken"
    front.end(1)
    await ended.wait()
    await until(lambda: front.forgotten == [1])
    assert (front.answers, front.failures) == ({}, {})


async def test_batches_that_end_before_their_turn_are_not_read(front: Turned, world: World) -> None:
    tickets = range(4)
    front.arrive(*((ticket, "batch", ["440000"], [b"x"] * 600) for ticket in tickets))
    for ticket in tickets:
        front.ended.append(ticket)
    await until(lambda: sorted(front.forgotten) == [*tickets])
    assert set(front.batches) == {*tickets}
    assert world.metrics.registry.get_sample_value("onecode_batch_codes_count") == 0
    assert (front.answers, front.failures) == ({}, {})


async def test_a_batch_that_nobody_waits_for_when_its_codes_are_read_is_forgotten(front: Turned) -> None:
    front.read_batch = lambda ticket: None  # type: ignore[method-assign]
    front.arrive((1, "batch", ["440000"], [b"x"]))
    await until(lambda: front.forgotten == [1])
    assert (front.answers, front.failures) == ({}, {})


async def test_a_batch_that_has_waited_too_long_is_refused_unread(front: Turned, world: World) -> None:
    front.calls._batches._monotonic = iter([0.0, WAIT_MAX_S + 1]).__next__  # when it is taken, and when it would begin
    front.arrive((1, "batch", ["440000"], [b"x"] * 7))
    await front.done(1)
    assert front.failures[1][0] == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert set(front.batches) == {1}
    assert world.metrics.registry.get_sample_value("onecode_shed_codes_total") == 7


@pytest.mark.parametrize("left_s", [None, 5.0])
async def test_the_batcher_knows_how_long_the_caller_of_a_batch_waits(
    front: Turned, world: World, monkeypatch: pytest.MonkeyPatch, left_s: float | None
) -> None:
    told: list[float | None] = []
    submit = world.batcher.submit_unread_batch

    async def submit_batch(count: int, read: Callable[[], Scans], remaining: Remaining) -> CheckResults:
        told.append(remaining())
        return await submit(count, read, remaining)

    monkeypatch.setattr(world.batcher, "submit_unread_batch", submit_batch)
    front.left_s = left_s
    front.arrive((1, "batch", ["440000"], [b"x"]))
    await front.done(1)
    assert told == [None] if left_s is None else 0 < (told[0] or 0) <= left_s


async def test_an_odd_message_of_a_stream_is_answered_or_fails_as_grpc_has_it(front: Turned) -> None:
    good = pb.StreamVerifyRequest(request_id=7, code=b"x" * 5000, host_region="440000").SerializeToString()
    nowhere = pb.StreamVerifyRequest(request_id=8, code=b"x", host_region="44").SerializeToString()
    front.arrive(*((ticket, "message", [], [one]) for ticket, one in enumerate((good, nowhere, b"\xff"), 1)))
    await front.done(1, 2, 3)
    answer = pb.StreamVerifyResponse.FromString(front.answers[1][0])
    assert (answer.request_id, answer.verdict.reason) == (7, pb.REASON_CODE_TOO_LARGE)
    assert (front.failures[2][0], front.failures[2][1]) == (3, "request 8: not six digits")
    assert b"HOST_REGION_INVALID" in front.failures[2][2]
    assert b"REQUEST_MALFORMED" in front.failures[3][2]


async def test_a_failure_of_the_check_reaches_every_caller_and_the_next_list_is_answered(
    front: Turned, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(world.trust, "_list", None)
        front.arrive((1, "single", ["440000"], [b"x"]), (2, "stream", ["440000"], [b"x"]))
        await front.done(1, 2)
    assert front.failures[1] == front.failures[2]
    assert b"NOT_SERVING" in front.failures[1][2]
    front.arrive((3, "single", ["440000"], [b"x"]))
    await front.done(3)
    assert 3 in front.answers


async def test_a_bug_in_a_check_is_internal_and_says_nothing(
    front: Turned, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def verify(*_: Any) -> CheckResults:
        raise KeyError("a bearer's name")

    monkeypatch.setattr(world.verifier, "verify", verify)
    front.arrive((1, "single", ["440000"], [b"x"]))
    await front.done(1)
    assert front.failures[1] == failure_of(KeyError()).status


async def test_lists_that_wait_for_the_store_are_bounded_and_reading_goes_on(
    front: Turned, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, verify = asyncio.Event(), world.verifier.verify

    async def wait_first(scans: Scans, *more: Any) -> CheckResults:
        await store.wait()
        return await verify(scans, *more)

    monkeypatch.setattr(world.verifier, "verify", wait_first)
    for ticket in range(LISTS_MAX + 3):
        front.arrive((ticket, "single", ["440000"], [b"x"]))
        await until(lambda: not front.arriving)
        await asyncio.sleep(0)
    assert len(front.waiting) == 3
    store.set()
    await front.done(*range(LISTS_MAX + 3))
    assert sorted(front.answers) == [*range(LISTS_MAX + 3)]


async def test_a_fault_of_the_front_ends_the_turns_and_is_raised_for_the_server_to_end(front: Turned) -> None:
    front.calls.raise_fault()
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    front.fault = RuntimeError("a broken front")
    front.arrive((1, "single", ["440000"], [b"x"]))
    with pytest.raises(RuntimeError, match="a broken front"):  # noqa: PT012 - it is raised at some turn
        async with asyncio.timeout(10):
            while True:
                front.calls.raise_fault()
                await asyncio.sleep(0)
