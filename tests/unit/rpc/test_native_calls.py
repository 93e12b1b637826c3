"""The lists of a front are checked and answered: the front is a stand-in here, and need not have been built."""

import asyncio
from typing import Any

import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode_server.model.code import Scans
from onecode_server.rpc.failures import failure_of
from onecode_server.rpc.native_calls import LISTS_MAX
from onecode_server.verification.check import CheckResults

from tests.unit.rpc.stand_in_front import Turned, until
from tests.world import World


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


async def test_an_odd_message_of_a_stream_is_answered_or_fails_as_grpc_has_it(front: Turned) -> None:
    good = pb.StreamVerifyRequest(request_id=7, code=b"x" * 5000, host_region="440000").SerializeToString()
    nowhere = pb.StreamVerifyRequest(request_id=8, code=b"x", host_region="44").SerializeToString()
    front.arrive(*((ticket, "message", ["0"], [one]) for ticket, one in enumerate((good, nowhere, b"\xff"), 1)))
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
