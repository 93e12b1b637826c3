"""Streams of credentials in the native front: they wait, go on while Python is asked again, and end where it denies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_asked import DENIED, HOST, KIND, Asked, asked, fails, metadata_of
from tests.unit.rpc.front_driver import CROWDED, OVERDUE, until

pytestmark = NEEDS_FRONT


class Scans:
    """A stream of scans."""

    def __init__(self, one: Asked, token: str = "one") -> None:
        self.call: Any = pb_grpc.RecognitionServiceStub(one.calls).StreamVerify(metadata=metadata_of(token), timeout=20)

    async def send(self, number: int, host: str = HOST) -> None:
        await self.call.write(pb.StreamVerifyRequest(request_id=number, code=b"code", host_region=host))

    async def answer(self) -> int:
        answered = await self.call.read()
        assert isinstance(answered, pb.StreamVerifyResponse)
        return answered.request_id

    async def ends(self, status: tuple[int, str, bytes]) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await self.call.read()
        assert (failed.value.code().value[0], failed.value.details()) == status[:2]


@asynccontextmanager
async def _opened(**granted: Any) -> AsyncIterator[tuple[Asked, Scans, int]]:
    """Open a stream that has had one answer."""
    async with asked() as one:
        scans = Scans(one)
        await scans.send(1)
        number = await one.asked()
        one.grant(number, **granted)
        assert await scans.answer() == 1
        yield one, scans, number
        scans.call.cancel()


async def test_a_stream_is_read_once_its_credential_is_granted():
    async with asked() as one:
        scans = Scans(one)
        for number in (1, 2):
            await scans.send(number)
        number = await one.asked()
        await asyncio.sleep(0.05)
        assert one.front.counts().methods["StreamVerify"][1] == 0, "no message was read"
        one.grant(number)
        assert [await scans.answer(), await scans.answer()] == [1, 2]
        await scans.call.done_writing()
        assert await scans.call.code() is grpc.StatusCode.OK
        await until(lambda: one.front.is_idle)


async def test_a_stream_of_a_denied_credential_is_refused():
    async with asked() as one:
        scans = Scans(one)
        one.deny(await one.asked())
        await scans.ends(DENIED)
        await Scans(one).ends(DENIED)
        counts = one.front.counts()
        assert (counts.refused, counts.denied) == ({"caller_denied": 2}, {KIND: 2})


async def test_a_stream_waits_no_longer_than_a_request_may_take():
    async with asked(request_s=0.2) as one:
        await Scans(one).ends(OVERDUE)
        assert one.front.counts().refused == {"caller_unknown": 1}


async def test_a_stream_goes_on_while_python_is_asked_again_and_ends_where_it_is_denied():
    async with _opened() as (one, scans, number):
        one.front.ask_again()
        one.driver.turn()
        assert await one.asked() == number
        await scans.send(2)
        assert await scans.answer() == 2
        one.driver.answers = False
        await scans.send(3)
        await until(lambda: one.driver.works)
        one.deny(number)
        await scans.send(4)
        await asyncio.sleep(0.05)
        assert not scans.call.done(), "an answer is due"
        one.driver.answers = True
        one.driver.answer_all()
        assert await scans.answer() == 3
        await scans.ends(DENIED)
        counts = one.front.counts()
        assert (counts.refused, counts.denied) == ({"caller_denied": 1}, {KIND: 1})


async def test_an_idle_stream_is_asked_about_when_its_grant_ends():
    async with _opened(seconds=0.2) as (one, scans, number):
        assert await one.asked() == number
        one.grant(number, seconds=0.2)
        assert await one.asked() == number
        one.deny(number)
        await scans.ends(DENIED)


async def test_a_stream_ends_where_python_does_not_answer_when_its_grant_has_ended():
    async with asked(request_s=0.3) as one:
        scans = Scans(one)
        await scans.send(1)
        one.grant(await one.asked(), seconds=0.1)
        assert await scans.answer() == 1
        await one.asked()
        await scans.ends(OVERDUE)


async def test_a_stream_that_has_used_its_units_is_read_on_when_it_has_more():
    async with _opened(units=2) as (one, scans, number):
        for request in (2, 3, 4):
            await scans.send(request)
        assert await scans.answer() == 2
        assert await one.asked() == number
        await asyncio.sleep(0.05)
        assert one.front.counts().methods["StreamVerify"][1] == 2
        one.grant(number, units=1)
        assert await scans.answer() == 3
        assert await one.asked() == number
        one.grant(number)
        assert await scans.answer() == 4


async def test_a_message_for_another_host_is_pythons_and_names_the_credential():
    async with _opened(units=2) as (one, scans, number):
        one.driver.answers = False
        await scans.send(2, host="110000")
        await until(lambda: one.driver.works)
        odd = pb.StreamVerifyRequest(request_id=2, code=b"code", host_region="110000").SerializeToString()
        [(_, kind, hosts, codes)] = one.driver.works
        assert (kind, hosts, codes) == ("message", [str(number)], [odd])
        one.driver.answers = True
        one.driver.answer_all()
        assert await scans.answer() == 2
        await scans.send(3)
        assert await scans.answer() == 3, "the other one has taken no unit"


async def test_a_stream_counts_among_the_calls_in_flight_of_its_group():
    async with _opened(in_flight_max=1, group=3) as (one, scans, _):
        await fails(one.verify(), CROWDED)
        second = Scans(one)
        await second.ends(CROWDED)
        await scans.call.done_writing()
        assert await scans.call.code() is grpc.StatusCode.OK
        await one.verify()


async def test_a_caller_who_leaves_while_a_stream_waits_leaves_nothing_open():
    async with asked() as one:
        scans = Scans(one)
        number = await one.asked()
        scans.call.cancel()
        await until(lambda: one.front.is_idle)
        one.grant(number, in_flight_max=1)
        await one.verify()


async def test_a_stream_is_held_back_while_new_calls_are_refused():
    async with _opened(units=1) as (one, scans, number):
        await scans.send(2)
        assert await one.asked() == number
        one.deny(number, ends_streams=False)
        await fails(one.verify(), DENIED)
        await asyncio.sleep(0.1)
        assert not scans.call.done()
        assert one.driver.asked == [], "Python answers anew by itself"
        one.grant(number)
        assert await scans.answer() == 2
        await one.verify()


async def test_streams_of_strangers_take_no_places_of_others():
    async with asked(streams_max=1) as one:
        scans = Scans(one)
        await scans.send(1)
        one.grant(await one.asked())
        assert await scans.answer() == 1
        strangers = [Scans(one, f"stranger {number}") for number in range(5)]
        for stranger in strangers:
            await stranger.send(1)
        await until(lambda: len(one.driver.asked) == 5)
        await scans.send(2)
        assert await scans.answer() == 2
        assert one.front.counts().refused == {}
        for number, *_ in one.driver.asked:
            one.deny(number)
        for stranger in strangers:
            await stranger.ends(DENIED)
        await scans.send(3)
        assert await scans.answer() == 3
