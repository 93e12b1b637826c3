"""The connections between the native front and the listener behind it, and the bytes that wait to be passed on."""

import asyncio
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb

from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_driver import OVERLOADED, SERVICE, bytes_call, channel, driven, until
from tests.unit.rpc.unix_relay import UnixRelay

pytestmark = NEEDS_FRONT

OTHER = "/any.Service/Method"
ODD = pb.BatchVerifyRequest(codes=[b"c" * 1000] * 2000, host_region="nowhere").SerializeToString()
"""A batch that is read as a whole, found to be odd, and passed on. The sockets in between hold a part of it only."""


async def echoed(calls: grpc.aio.Channel, said: bytes = b"one") -> bool:
    """Return whether the listener behind answers a call."""
    return [answer async for answer in bytes_call(calls, OTHER)([said])] == [said]


async def open_calls(calls: grpc.aio.Channel, count: int) -> list[Any]:
    """Begin calls that stay open, each with an answer to its first message."""
    opened = [bytes_call(calls, OTHER)() for _ in range(count)]
    for call in opened:
        await call.write(b"first")
        assert await call.read() == b"first"
    return opened


async def test_all_calls_of_a_caller_share_one_inner_connection_and_each_caller_has_its_own():
    async with driven(relay=(relay := UnixRelay())) as driver, channel(driver) as one, channel(driver) as other:
        assert all(await asyncio.gather(*(echoed(one) for _ in range(40))))
        assert relay.opened == 1
        assert all(await asyncio.gather(*(echoed(calls) for calls in (one, other) for _ in range(40))))
        assert relay.opened == 2


async def test_an_inner_connection_is_closed_with_the_callers():
    async with driven(relay=(relay := UnixRelay())) as driver, channel(driver) as stays:
        assert await echoed(stays)
        async with channel(driver) as leaves:
            assert await echoed(leaves)
            assert relay.open == 2
        await until(lambda: relay.open == 1)
        assert await echoed(stays)
        assert relay.opened == 2


async def test_calls_on_an_inner_connection_that_ends_are_told_and_the_next_ones_open_one_other():
    async with driven(relay=(relay := UnixRelay())) as driver, channel(driver) as calls, channel(driver) as others:
        running = await open_calls(calls, 3)
        (undisturbed,) = await open_calls(others, 1)
        relay.cut_first()
        assert [await call.code() for call in running] == [grpc.StatusCode.CANCELLED] * 3
        assert all(await asyncio.gather(*(echoed(calls) for _ in range(40))))
        assert relay.opened == 3
        await undisturbed.write(b"second")
        assert await undisturbed.read() == b"second"
        undisturbed.cancel()
        await until(lambda: driver.front.is_idle)


async def test_calls_that_wait_for_a_place_on_an_inner_connection_that_ends_are_told_too():
    behind = (("grpc.max_concurrent_streams", 1),)
    async with driven(relay=(relay := UnixRelay()), behind=behind) as driver, channel(driver) as calls:
        assert await echoed(calls)
        (running,) = await open_calls(calls, 1)
        waiting = [asyncio.create_task(echoed(calls)) for _ in range(5)]
        passed_on = 0

        def are_passed_on() -> bool:
            nonlocal passed_on
            passed_on += driver.front.counts().passed_on
            return passed_on == 7

        await until(are_passed_on)
        relay.cut_first()
        for ended in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(ended, grpc.aio.AioRpcError)
            assert ended.code() is grpc.StatusCode.UNAVAILABLE
        assert await running.code() is grpc.StatusCode.CANCELLED
        assert await echoed(calls)
        assert relay.opened == 2


async def test_a_large_request_counts_until_the_listener_behind_has_taken_it():
    async with driven(relay=(relay := UnixRelay())) as driver, channel(driver) as calls:
        relay.passes.clear()
        call = bytes_call(calls, SERVICE + "BatchVerify")([ODD])
        await until(lambda: driver.front.counts().passed_on)
        assert driver.front.counts().held_bytes > len(ODD)
        relay.passes.set()
        assert [answer async for answer in call] == [ODD]
        await until(lambda: driver.front.counts().held_bytes == 0)


@pytest.mark.parametrize("how", ["the call is cancelled", "the caller disconnects", "the listener ends"])
async def test_a_request_whose_call_ends_counts_until_no_part_of_it_waits_for_the_listener(how):
    async with driven(relay=(relay := UnixRelay())) as driver, channel(driver) as calls:
        relay.passes.clear()
        call = bytes_call(calls, SERVICE + "BatchVerify")([ODD])
        await until(lambda: relay.opened)
        assert driver.front.counts().held_bytes > len(ODD)
        if how == "the call is cancelled":
            call.cancel()
        elif how == "the caller disconnects":
            await calls.close()
        else:
            relay.cut_first()
        await until(lambda: driver.front.is_idle)  # a drain does not wait for what nobody waits for
        relay.passes.set()  # a frame of it may have been begun
        await until(lambda: driver.front.counts().held_bytes == 0)
        with suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
            await call.read()


async def test_requests_that_wait_to_be_passed_on_are_bounded_for_all_callers_together():
    budget = len(ODD) * 3 // 4  # one message may take twice as much, which leaves no room for another
    async with driven(relay=(relay := UnixRelay()), held_bytes_max=budget) as driver, channel(driver) as first:
        relay.passes.clear()
        waiting = bytes_call(first, SERVICE + "BatchVerify")([ODD])
        await until(lambda: driver.front.counts().passed_on)
        async with channel(driver) as other:
            refused = bytes_call(other, SERVICE + "BatchVerify")([ODD])
            assert ((await refused.code()).value[0], await refused.details()) == OVERLOADED[:2]
        counts = driver.front.counts()
        assert counts.refused == {"request_memory": 1}
        assert len(ODD) < counts.held_bytes <= 2 * budget
        relay.passes.set()
        assert [answer async for answer in waiting] == [ODD]
        async with channel(driver) as other:
            assert [answer async for answer in bytes_call(other, SERVICE + "BatchVerify")([ODD])] == [ODD]
