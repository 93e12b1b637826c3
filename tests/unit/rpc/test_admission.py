"""Room for calls: bounded by kind and by time, and whoever does nothing gives way first."""

import asyncio
import gc
import weakref

import pytest

from onecode_server.errors import Idle, OnecodeError, Overloaded, RequestOverdue
from onecode_server.rpc.admission import GROWTH_BYTES_MAX, RUNNING_MAX, Admission
from onecode_server.rpc.growth import Growth
from onecode_server.rpc.silent_calls import (
    REQUEST_S,
    REQUEST_YIELDS_S,
    REQUESTS_BURST,
    REQUESTS_MAX,
    SILENT_MAX,
    STREAM_IDLE_S,
    STREAM_YIELDS_S,
    STREAMS_MAX,
    SWEEP_S,
    Stream,
    Waiting,
)
from onecode_server.system import heap
from onecode_server.telemetry.metrics import Metrics


class Call:
    """A call that waits for its caller, in a task of its own. ``fault`` is what it was ended with."""

    def __init__(self, place: Waiting) -> None:
        self.fault: type[OnecodeError] | None = None
        self.task = asyncio.create_task(self._wait(place))

    async def _wait(self, place: Waiting) -> None:
        try:
            with place:
                await asyncio.Event().wait()
        except OnecodeError as fault:
            self.fault = type(fault)


class Grown(Growth):
    """A growth that a test sets."""

    def __init__(self) -> None:
        self.now = self.trimmed_to = 0

    def __call__(self) -> int:
        return self.now

    async def trim(self) -> None:
        self.now = min(self.now, self.trimmed_to)


class Setup:
    """An admission whose clock a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.metrics = Metrics()
        self.grown = Grown()
        self.bounds = Admission(self.metrics, self.grown, lambda: self.now_s)
        self.calls: list[Call] = []

    async def request(self) -> Call:
        """Begin a call whose request does not come."""
        return await self._begun(self.bounds.requests.begin())

    async def stream(self, peer: str = "gate") -> Call:
        """Open a stream on which nothing comes. Raises Overloaded."""
        return await self._begun(self.bounds.streams.open(peer))

    async def _begun(self, place: Waiting) -> Call:
        self.calls.append(Call(place))
        await asyncio.sleep(0)
        return self.calls[-1]

    async def after(self, seconds: float) -> None:
        """Let time pass and what is overdue be ended."""
        self.now_s += seconds
        await self.bounds.sweep()
        for _ in range(3):
            await asyncio.sleep(0)

    async def end(self) -> None:
        """End all calls."""
        for call in self.calls:
            call.task.cancel()
        await asyncio.wait([call.task for call in self.calls])

    def refused(self, reason: str) -> float:
        """Return how many calls were ended for a reason."""
        found = self.metrics.registry.get_sample_value("onecode_refused_calls_total", {"reason": reason})
        return found or 0


def standing(calls: list[Call]) -> int:
    """Return how many calls were not ended."""
    return [call.fault for call in calls].count(None)


async def test_a_call_whose_request_is_overdue_is_ended_and_those_that_came_later_are_not() -> None:
    setup = Setup()
    early = await setup.request()
    await setup.after(REQUEST_S / 2)
    late = await setup.request()
    await setup.after(REQUEST_S / 2)
    assert (early.fault, late.fault) == (RequestOverdue, None)
    assert setup.refused("request_overdue") == 1
    await setup.end()


async def test_a_call_whose_request_came_is_left_alone() -> None:
    setup = Setup()
    place = setup.bounds.requests.begin()
    with place:
        await asyncio.sleep(0)
    setup.bounds.requests.done(place)
    await setup.after(2 * REQUEST_S)
    place.end(Overloaded("too late", 1))
    await asyncio.sleep(0)  # which would be cancelled


async def test_whoever_is_cancelled_by_its_caller_is_not_told_of_a_fault() -> None:
    setup = Setup()
    call = await setup.request()
    call.task.cancel()
    await asyncio.wait([call.task])
    assert call.task.cancelled()
    assert call.fault is None


async def test_where_too_many_wait_for_their_request_the_first_give_way() -> None:
    setup = Setup()
    calls = [await setup.request() for _ in range(REQUESTS_BURST)]
    assert setup.refused("request_displaced") == 0
    await setup.request()  # one more than may come at once
    await setup.after(0)
    assert [call.fault for call in calls[:2]] == [Overloaded, None]
    await setup.after(REQUEST_YIELDS_S)
    assert standing(calls) == REQUESTS_MAX - 1
    assert calls[-1].fault is None
    late = await setup.request()
    await setup.after(0)
    assert standing(calls) == REQUESTS_MAX - 2
    assert late.fault is None
    await setup.end()


async def test_a_stream_that_says_nothing_is_ended() -> None:
    setup = Setup()
    stream = await setup.stream()
    await setup.after(STREAM_IDLE_S - 1)
    assert stream.fault is None
    await setup.after(1)
    assert stream.fault is Idle
    assert setup.refused("stream_idle") == 1


async def test_a_stream_gives_way_where_it_is_idle_first_that_of_who_has_most() -> None:
    setup = Setup()
    gate = await setup.stream("gate")
    setup.now_s += 1  # the gate's is the one that has been idle longest
    strangers = [await setup.stream("stranger") for _ in range(STREAMS_MAX - 1)]
    with pytest.raises(Overloaded):
        await setup.stream("newcomer")
    setup.now_s += STREAM_YIELDS_S
    newcomer = await setup.stream("newcomer")
    await setup.after(0)
    assert (gate.fault, newcomer.fault) == (None, None)
    assert standing(strangers) == STREAMS_MAX - 2
    await setup.end()


async def test_where_memory_is_short_who_says_nothing_gives_way_and_who_is_at_work_does_not() -> None:
    setup = Setup()
    waiting = [await setup.request() for _ in range(2 * SILENT_MAX)]
    silent = [await setup.stream() for _ in range(2 * SILENT_MAX)]
    setup.grown.now = 2 * GROWTH_BYTES_MAX
    await setup.after(SWEEP_S)  # what is free is given back first, and is enough here
    assert standing(waiting + silent) == 4 * SILENT_MAX
    setup.grown.now = setup.grown.trimmed_to = 2 * GROWTH_BYTES_MAX
    at_work = await setup.stream()
    await setup.after(0)
    assert standing(waiting) == SILENT_MAX
    assert standing(silent) == SILENT_MAX
    assert at_work.fault is None
    assert (setup.refused("request_memory"), setup.refused("stream_memory")) == (SILENT_MAX, SILENT_MAX)
    await setup.end()


async def test_what_ended_a_call_is_not_kept_until_garbage_is_collected() -> None:
    setup, ended = Setup(), []
    gc.collect()
    gc.disable()
    try:
        for place in (setup.bounds.requests.begin(), setup.bounds.streams.open("gate")):
            fault = Overloaded("another has come", 1)
            ended.append(weakref.ref(fault))
            call = Call(place)
            await asyncio.sleep(0)
            place.end(fault)
            del fault
            await asyncio.wait([call.task])
            setup.bounds.streams.close(place) if isinstance(place, Stream) else setup.bounds.requests.done(place)
            del call, place
        assert [kept() for kept in ended] == [None, None]
    finally:
        gc.enable()


async def test_what_the_process_takes_shows_as_growth() -> None:
    gc.collect()
    await heap.trim_on_thread()  # what other tests let go of must not be given back meanwhile
    growth = Growth()
    kept = b"x" * 256 * 2**20
    assert growth() > 128 * 2**20
    assert len(kept) == 256 * 2**20
    growth.close()
    assert growth() <= 0


async def test_no_kind_of_call_takes_the_room_of_single_scans_and_of_health() -> None:
    bounds = Setup().bounds
    others = bounds.running("onecode.v1.StatusService", "GetStatus")
    batches = bounds.running("onecode.v1.RecognitionService", "BatchVerify")
    assert bounds.running("onecode.v1.RecognitionService", "BatchTranslate") is batches
    for kind in (others, batches):
        for _ in range(RUNNING_MAX):
            kind.begin()
        with pytest.raises(Overloaded):
            kind.begin()
    bounds.running("onecode.v1.RecognitionService", "Verify").begin()
    bounds.running("grpc.health.v1.Health", "Check").begin()
    others.done()
    others.begin()
