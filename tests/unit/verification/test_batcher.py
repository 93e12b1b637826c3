"""Natural batching: single calls share a batch, and no queue grows without bound."""

import asyncio
from itertools import product
from typing import Any

import pytest

from onecode_server.errors import NotServing, Overloaded
from onecode_server.model.code import Scan, Scans
from onecode_server.model.status import Level, Scope
from onecode_server.model.verdict import Decision
from onecode_server.verification.arrivals import GATHER_S, GATHER_TURNS, GATHERED, ArrivalMonitor
from onecode_server.verification.batcher import BULK_CODES, SINGLES_RESERVED, WAIT_MAX_S, Batcher

from tests.world import World


def batch_sizes(world: World) -> tuple[float, float]:
    get = world.metrics.registry.get_sample_value
    return get("onecode_batch_codes_count") or 0, get("onecode_batch_codes_sum") or 0


async def test_the_first_of_those_that_arrive_together_goes_ahead_and_the_others_are_checked_together(
    world: World,
) -> None:
    codes = [world.code("420000", subject=str(n)) for n in range(50)]
    singles = await asyncio.gather(*(world.batcher.submit(Scan(code, "440000")) for code in codes))
    assert {single.verdict.decision for single in singles} == {Decision.ADMIT}
    assert [single.place for single in singles] == [0, *range(49)]
    assert batch_sizes(world) == (2, 50)


async def test_those_that_are_checked_together_have_the_verdicts_that_they_would_have_alone(world: World) -> None:
    await world.say("540000", Level.RED, "id-1", home="420000", scope=Scope.LOCAL)
    hosts = ("440000", "540000", "110000", "999999")  # an adopter among them, and one that nobody knows
    scans = [
        Scan(world.code("420000", level, subject=f"id-{number % 5}"), host, for_translation)
        for number, (level, host, for_translation) in enumerate(
            product((Level.GREEN, Level.YELLOW, Level.RED), hosts, (False, True))
        )
    ]
    scans += [Scan(world.code("440000", subject=str(n)), host) for n in range(20) for host in hosts]
    expected = [
        (await world.check_all([scan.code], scan.host, for_translation=scan.for_translation)).verdicts[0]
        for scan in scans
    ]
    for _ in range(2):  # templates are learned from the first batch, and used in the second
        together = await asyncio.gather(*map(world.batcher.submit, scans))
        assert [one.verdict for one in together] == expected
        asked = [(one.check.code, scan.code) for one, scan in zip(together, scans, strict=True) if scan.for_translation]
        assert asked
        assert all(one == other for one, other in asked)


async def test_what_arrives_while_the_verifier_is_busy_is_the_next_batch(world: World) -> None:
    first = [asyncio.create_task(world.batcher.submit(Scan(world.code("420000"), "440000"))) for _ in range(8)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = [asyncio.create_task(world.batcher.submit(Scan(b"x", "440000"))) for _ in range(3)]
    await asyncio.gather(*first, *second)
    assert batch_sizes(world) == (2, 11)


async def test_a_lone_call_does_not_wait_for_company(world: World) -> None:
    single = await asyncio.wait_for(world.batcher.submit(Scan(world.code("420000"), "440000")), 5)
    assert single.verdict.decision is Decision.ADMIT


async def test_a_full_queue_turns_callers_away_and_says_when_to_come_back(world: World) -> None:
    batcher = Batcher(world.verifier, world.metrics, codes_max=100)
    running = asyncio.create_task(batcher.submit_batch(Scans.at("440000", [b"x"] * 100)))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as turned_away:
        await batcher.submit_batch(Scans.at("440000", [b"x"]))
    assert turned_away.value.retry_after_s > 0
    await running
    assert (await batcher.submit(Scan(b"x", "440000"))).verdict.decision is Decision.REFUSE
    assert world.metrics.registry.get_sample_value("onecode_shed_codes_total") == 1
    assert world.metrics.registry.get_sample_value("onecode_queue_codes") == 0


async def test_batches_that_fill_the_queue_leave_room_for_single_scans_and_that_has_an_end(world: World) -> None:
    batcher = Batcher(world.verifier, world.metrics, codes_max=100)
    running = asyncio.create_task(batcher.submit_batch(Scans.at("440000", [b"x"] * 100)))
    await asyncio.sleep(0)
    scans = [asyncio.create_task(batcher.submit(Scan(b"x", "440000"))) for _ in range(SINGLES_RESERVED)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await batcher.submit(Scan(b"x", "440000"))
    await running
    assert {one.verdict.decision for one in await asyncio.gather(*scans)} == {Decision.REFUSE}


async def test_nothing_is_done_for_a_caller_that_has_gone(world: World) -> None:
    gone = asyncio.create_task(world.batcher.submit(Scan(b"x", "440000")))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    await world.batcher.submit(Scan(b"y", "440000"))
    assert batch_sizes(world)[1] == 1
    assert world.metrics.registry.get_sample_value("onecode_queue_codes") == 0


async def test_a_failure_reaches_every_caller_and_the_next_batch_runs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(world.trust, "_list", None)
        results = await asyncio.gather(
            *(world.batcher.submit(Scan(b"x", "440000")) for _ in range(3)), return_exceptions=True
        )
    assert [type(result) for result in results] == [NotServing] * 3
    assert (await world.batcher.submit(Scan(b"x", "440000"))).verdict.decision is Decision.REFUSE


class Clock:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def calls(arrivals: ArrivalMonitor, clock: Clock, count: int, apart_s: float) -> list[bool]:
    waits = []
    for _ in range(count):
        clock.now_s += apart_s
        waits.append(arrivals.record_call())
    return waits


def test_a_call_waits_for_others_only_if_the_call_before_was_close() -> None:
    arrivals = ArrivalMonitor(clock := Clock())
    assert not any(calls(arrivals, clock, 1000, 0.006))
    assert all(calls(arrivals, clock, 10, 0.005))
    assert not any(calls(arrivals, clock, 10, 0.006))


def test_a_caller_who_is_alone_is_delayed_ever_more_rarely() -> None:
    arrivals = ArrivalMonitor(clock := Clock())
    calls(arrivals, clock, 1, 0.001)
    for skipped in (4, 8, 16, 32, 64, 128, 256, 256):
        arrivals.record_gathered(1)
        assert calls(arrivals, clock, skipped, 0.001) == [False] * (skipped - 1) + [True]


def test_one_wait_that_gathered_others_ends_the_rarity() -> None:
    arrivals = ArrivalMonitor(clock := Clock())
    for _ in range(9):
        arrivals.record_gathered(1)
    arrivals.record_gathered(2)
    arrivals.record_gathered(1)
    assert calls(arrivals, clock, 5, 0.001)[-1]


async def test_calls_that_keep_coming_are_checked_together(world: World) -> None:
    batcher = Batcher(world.verifier, world.metrics, monotonic=Clock())
    await batcher.submit(Scan(b"x", "440000"))
    before = batch_sizes(world)
    tasks = []
    for _ in range(GATHERED):
        tasks.append(asyncio.create_task(batcher.submit(Scan(b"x", "440000"))))
        for _ in range(GATHER_TURNS // 2):
            await asyncio.sleep(0)  # gRPC hands over one call after the other
    await asyncio.gather(*tasks)
    after = batch_sizes(world)
    assert (after[0] - before[0], after[1] - before[1]) == (1, GATHERED)


async def test_a_wait_is_bounded_in_time_however_long_the_turns_are(world: World) -> None:
    clock = Clock()
    batcher = Batcher(world.verifier, world.metrics, monotonic=clock)
    await batcher.submit(Scan(b"x", "440000"))
    task = asyncio.create_task(batcher.submit(Scan(b"x", "440000")))
    turns = 0
    while not task.done():
        turns += 1
        clock.now_s += GATHER_S / 4
        await asyncio.sleep(0)
    assert turns < GATHER_TURNS // 2


async def test_nobody_waits_for_others_while_a_large_batch_is_checked(world: World) -> None:
    verifier, batcher, _ = slow(world)
    first = await begun(batcher, 1)
    await verifier.takes(0)
    large = [await begun(batcher, count) for count in (BULK_CODES + 1, 1)]
    assert verifier.begun == [1, BULK_CODES + 1, 1]
    for _ in large:
        await verifier.takes(0)
    await asyncio.gather(first, *large)


async def test_a_batch_learns_before_it_is_read_that_there_is_no_room(world: World) -> None:
    batcher = Batcher(world.verifier, world.metrics, codes_max=100)
    batcher.expect_room()
    running = asyncio.create_task(batcher.submit_batch(Scans.at("440000", [b"x"] * 100)))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        batcher.expect_room()
    await running
    batcher.expect_room()
    assert refused(world, "queue_full") == 1


async def test_who_is_alone_is_answered_all_the_same(world: World) -> None:
    batcher = Batcher(world.verifier, world.metrics, monotonic=Clock())
    for _ in range(24):
        answer = await asyncio.wait_for(batcher.submit(Scan(b"x", "440000")), 5)
        assert answer.verdict.decision is Decision.REFUSE


class SlowVerifier:
    """A verifier that does nothing until it is told how long its work took."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.begun: list[int] = []
        self._goes_on = asyncio.Semaphore(0)

    async def verify(self, scans: Scans, is_shared: Any = None) -> int:
        self.begun.append(len(scans.codes))
        await self._goes_on.acquire()
        return len(scans.codes)

    async def takes(self, seconds: float) -> None:
        """Let the work that was begun first end, so many seconds later."""
        self._clock.now_s += seconds
        self._goes_on.release()
        for _ in range(GATHER_TURNS + 10):  # the next work begins after the wait for others
            await asyncio.sleep(0)


def slow(world: World) -> tuple[SlowVerifier, Batcher, Clock]:
    verifier = SlowVerifier(clock := Clock())
    return verifier, Batcher(verifier, world.metrics, monotonic=clock), clock  # type: ignore[arg-type]


async def begun(batcher: Batcher, count: int, left_s: float | None = None) -> asyncio.Task[Any]:
    """Ask for a batch, or a single scan, by a caller who still waits so long."""
    if count == 1:
        task: asyncio.Task[Any] = asyncio.create_task(batcher.submit(Scan(b"x", "440000"), lambda: left_s))
    else:
        task = asyncio.create_task(batcher.submit_batch(Scans.at("440000", [b"x"] * count), lambda: left_s))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


def refused(world: World, reason: str) -> float:
    return world.metrics.registry.get_sample_value("onecode_refused_calls_total", {"reason": reason}) or 0


async def test_large_batches_take_turns_and_small_ones_and_single_scans_do_not_wait_for_them(world: World) -> None:
    verifier, batcher, _ = slow(world)
    large = BULK_CODES + 1
    tasks = [await begun(batcher, count) for count in (large, large, large, BULK_CODES, 1)]
    assert verifier.begun == [large, large, BULK_CODES, 1]
    await verifier.takes(0)
    assert verifier.begun == [large, large, BULK_CODES, 1, large]
    for _ in range(4):
        await verifier.takes(0)
    await asyncio.gather(*tasks)
    assert world.metrics.registry.get_sample_value("onecode_queue_codes") == 0


async def test_a_scan_that_has_waited_too_long_is_refused_and_not_checked(world: World) -> None:
    verifier, batcher, clock = slow(world)
    first, late = await begun(batcher, 1), await begun(batcher, 1)
    clock.now_s += WAIT_MAX_S
    in_time = await begun(batcher, 1)
    await verifier.takes(0.1)
    await verifier.takes(0)
    await asyncio.gather(first, in_time)
    assert isinstance(late.exception(), Overloaded)
    assert verifier.begun == [1, 1]
    assert refused(world, "queue_late") == 1


async def test_a_scan_that_cannot_be_checked_within_its_deadline_is_refused_at_once(world: World) -> None:
    verifier, batcher, _ = slow(world)
    tasks = [await begun(batcher, 1) for _ in range(2)]
    await verifier.takes(0)
    for _ in range(20):  # every run takes a second from now on
        tasks.append(await begun(batcher, 1))
        await verifier.takes(1)
    assert isinstance((await begun(batcher, 1, left_s=0.5)).exception(), Overloaded)
    patient, unbounded = await begun(batcher, 1, left_s=5), await begun(batcher, 1)
    assert not patient.done()
    assert not unbounded.done()
    assert refused(world, "deadline_short") == 1
    for _ in range(3):
        await verifier.takes(0)
    await asyncio.gather(patient, unbounded, *tasks)
    lone = await begun(batcher, 1, left_s=0.5)  # nobody is before it: it is tried, however slow the last ones were
    await verifier.takes(0)
    await lone


async def test_a_large_batch_that_cannot_be_checked_within_its_deadline_is_refused_at_once(world: World) -> None:
    verifier, batcher, _ = slow(world)
    large = 2 * BULK_CODES
    for _ in range(20):
        task = await begun(batcher, large)
        await verifier.takes(3)
        await task
    running = await begun(batcher, large)
    assert isinstance((await begun(batcher, large, left_s=5)).exception(), Overloaded)
    patient = await begun(batcher, large, left_s=7)
    await verifier.takes(0)
    await verifier.takes(0)
    await asyncio.gather(running, patient)
    assert refused(world, "deadline_short") == 1


async def test_a_large_batch_that_waits_too_long_for_its_turn_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onecode_server.verification.batcher.WAIT_MAX_S", 0.01)
    verifier, batcher, _ = slow(world)
    large = BULK_CODES + 1
    tasks = [await begun(batcher, large) for _ in range(2)]
    with pytest.raises(Overloaded):
        await batcher.submit_batch(Scans.at("440000", [b"x"] * large))
    for _ in range(2):
        await verifier.takes(0)
    await asyncio.gather(*tasks)
    after = await begun(batcher, large)
    await verifier.takes(0)
    await after
    assert refused(world, "queue_late") == 1
