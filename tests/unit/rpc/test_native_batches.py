"""The batches of a front take their turns, and end where nobody waits for them."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_server.model.code import Scans
from onecode_server.verification.batcher import WAIT_MAX_S, Remaining
from onecode_server.verification.check import CheckResults

from tests.unit.rpc.stand_in_front import Turned, until
from tests.world import World


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
