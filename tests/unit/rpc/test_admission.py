"""Room for calls: bounded by kind and by time, and whoever does nothing gives way first."""

import asyncio
import gc
from typing import Any

import grpc
import pytest

from onecode_server.errors import Overloaded
from onecode_server.metrics import Metrics
from onecode_server.rpc.admission import (
    GROWTH_BYTES_MAX,
    REQUEST_S,
    REQUEST_YIELDS_S,
    REQUESTS_BURST,
    REQUESTS_MAX,
    RUNNING_MAX,
    SILENT_MAX,
    STREAM_IDLE_S,
    STREAM_YIELDS_S,
    STREAMS_MAX,
    SWEEP_S,
    Admission,
)
from onecode_server.rpc.growth import Growth


class Call:
    """What gRPC knows of a call, as far as it is asked here."""

    def __init__(self, peer: str = "ipv4:127.0.0.1:1") -> None:
        self._peer = peer
        self.ended: grpc.StatusCode | None = None

    def peer(self) -> str:
        return self._peer

    async def abort(self, code: grpc.StatusCode, details: str, trailing: Any) -> None:
        assert details
        assert trailing
        self.ended = code
        raise grpc.aio.AbortError


class Grown(Growth):
    """A growth that a test sets."""

    def __init__(self) -> None:
        self.now = self.trimmed_to = 0

    def __call__(self) -> int:
        return self.now

    def trim(self) -> None:
        self.now = min(self.now, self.trimmed_to)


class Setup:
    """An admission whose clock a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.metrics = Metrics()
        self.grown = Grown()
        self.room = Admission(self.metrics, self.grown, lambda: self.now_s)

    async def after(self, seconds: float) -> None:
        self.now_s += seconds
        await self.room.sweep()
        await asyncio.sleep(0)

    def refused(self, reason: str) -> float:
        found = self.metrics.registry.get_sample_value("onecode_refused_calls_total", {"reason": reason})
        return found or 0


async def test_a_call_whose_request_is_overdue_is_ended_and_those_that_came_later_are_not() -> None:
    setup, early, late = Setup(), Call(), Call()
    setup.room.requests.begin(early)
    await setup.after(REQUEST_S / 2)
    setup.room.requests.begin(late)
    await setup.after(REQUEST_S / 2)
    assert (early.ended, late.ended) == (grpc.StatusCode.DEADLINE_EXCEEDED, None)
    assert setup.refused("request_overdue") == 1


async def test_a_call_whose_request_came_is_left_alone() -> None:
    setup, call = Setup(), Call()
    setup.room.requests.begin(call)
    setup.room.requests.done(call)
    await setup.after(2 * REQUEST_S)
    assert call.ended is None


async def test_where_too_many_wait_for_their_request_the_first_give_way() -> None:
    setup, calls = Setup(), [Call() for _ in range(REQUESTS_BURST)]
    for call in calls:
        setup.room.requests.begin(call)
    assert setup.refused("request_displaced") == 0
    setup.room.requests.begin(Call())  # one more than may come at once
    await setup.after(0)
    assert [call.ended for call in calls[:2]] == [grpc.StatusCode.RESOURCE_EXHAUSTED, None]
    await setup.after(REQUEST_YIELDS_S)
    assert [call.ended for call in calls].count(None) == REQUESTS_MAX - 1
    assert calls[-1].ended is None
    late = Call()
    setup.room.requests.begin(late)
    await setup.after(0)
    assert [call.ended for call in calls].count(None) == REQUESTS_MAX - 2
    assert late.ended is None


async def opened(setup: Setup, call: Call) -> asyncio.Task[None]:
    """Open a stream in a task of its own, as a call has one, which does nothing from then on."""

    async def work() -> None:
        stream = setup.room.streams.open(call)
        try:
            await asyncio.Event().wait()
        finally:
            setup.room.streams.close(stream)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    return task


async def test_a_stream_that_says_nothing_is_ended_and_may_be_opened_again() -> None:
    setup, call = Setup(), Call()
    task = await opened(setup, call)
    await setup.after(STREAM_IDLE_S - 1)
    assert call.ended is None
    await setup.after(1)
    await asyncio.wait([task])
    assert call.ended is grpc.StatusCode.UNAVAILABLE
    assert setup.refused("stream_idle") == 1


async def test_a_stream_gives_way_where_it_is_idle_first_that_of_who_has_most() -> None:
    setup, gate, stranger = Setup(), Call("gate"), Call("stranger")
    tasks = [await opened(setup, gate)]
    setup.now_s += 1  # the gate's is the one that has been idle longest
    tasks += [await opened(setup, stranger) for _ in range(STREAMS_MAX - 1)]
    refused = await opened(setup, Call("newcomer"))
    assert isinstance(refused.exception(), Overloaded)
    setup.now_s += STREAM_YIELDS_S
    newcomer = Call("newcomer")
    tasks.append(await opened(setup, newcomer))
    await asyncio.sleep(0)
    assert (gate.ended, newcomer.ended, stranger.ended) == (None, None, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert sum(task.done() for task in tasks) == 1
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_where_memory_is_short_who_says_nothing_gives_way_and_who_is_at_work_does_not() -> None:
    setup = Setup()
    waiting = [Call() for _ in range(2 * SILENT_MAX)]
    silent = [Call() for _ in range(2 * SILENT_MAX)]
    for call in waiting:
        setup.room.requests.begin(call)
    tasks = [await opened(setup, call) for call in silent]
    setup.grown.now = 2 * GROWTH_BYTES_MAX
    await setup.after(SWEEP_S)  # what is free is given back first, and is enough here
    assert {call.ended for call in waiting + silent} == {None}
    at_work = Call()
    setup.grown.now = setup.grown.trimmed_to = 2 * GROWTH_BYTES_MAX
    tasks.append(await opened(setup, at_work))
    await setup.after(0)
    assert [call.ended for call in waiting].count(None) == SILENT_MAX
    assert [call.ended for call in silent].count(None) == SILENT_MAX
    assert {call.ended for call in waiting + silent} == {None, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert at_work.ended is None
    assert (setup.refused("request_memory"), setup.refused("stream_memory")) == (SILENT_MAX, SILENT_MAX)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def test_what_the_process_takes_shows_as_growth() -> None:
    gc.collect()
    growth = Growth()
    growth.trim()  # what other tests let go of must not be given back meanwhile
    growth.close()
    growth = Growth()
    kept = b"x" * 256 * 2**20
    assert growth() > 128 * 2**20
    assert len(kept) == 256 * 2**20
    growth.close()
    assert growth() <= 0


async def test_no_kind_of_call_takes_the_room_of_single_scans_and_of_health() -> None:
    room = Setup().room
    others = room.running("onecode.v1.StatusService", "GetStatus")
    assert room.running("onecode.v1.RecognitionService", "BatchVerify") is others
    for _ in range(RUNNING_MAX):
        others.begin()
    with pytest.raises(Overloaded):
        others.begin()
    room.running("onecode.v1.RecognitionService", "Verify").begin()
    room.running("grpc.health.v1.Health", "Check").begin()
    others.done()
    others.begin()
