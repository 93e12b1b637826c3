"""What credentials may cost the native front: time, calls that wait, room; and those that are odd."""

import asyncio
from contextlib import AsyncExitStack

import grpc
import grpc.aio
import pytest

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_asked import DENIED, HOST, KIND, Asked, asked, fails, metadata_of
from tests.unit.rpc.front_driver import OVERDUE, OVERLOADED, bytes_call, channel, driven, until
from tests.unit.rpc.front_tls import Pki

pytestmark = NEEDS_FRONT
STRANGERS_MAX = 1024  # of front/src/strangers.rs
EACH = 96  # fewer calls than a connection may have

_BEHIND = (("grpc.max_metadata_size", 24 * 1024), ("grpc.absolute_max_metadata_size", 24 * 1024))


async def test_a_call_waits_no_longer_than_a_request_may_take_and_not_beyond_its_deadline():
    async with asked(request_s=0.3) as one:
        await fails(one.verify(), OVERDUE)
        assert one.front.counts().refused == {"caller_unknown": 1}
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await one.verify(timeout=0.1)
        assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        left = one.verify()
        await asyncio.sleep(0.05)
        left.cancel()
        await until(lambda: one.front.is_idle)


async def test_calls_that_want_units_take_no_places_in_the_queue():
    async with asked(queue_codes_max=10) as one:
        known = one.verify()
        number = await one.asked()
        one.grant(number, units=1)
        await known
        waiting = [one.batch(9), one.batch(9), one.verify()]
        await until(lambda: one.driver.asked)
        await asyncio.sleep(0.05)
        counts = one.front.counts()
        assert (counts.queued_codes, counts.refused) == (0, {})
        one.grant(number, units=19)
        await asyncio.gather(*waiting)


async def test_strangers_have_a_bound_of_their_own_and_take_nothing_from_others():
    async with asked() as one, AsyncExitStack() as channels:
        known = one.verify("known")
        one.grant(await one.asked())
        await known
        request = pb.VerifyRequest(code=b"code", host_region=HOST)
        strangers = []
        for number in range(STRANGERS_MAX // EACH + 1):
            calls = await channels.enter_async_context(channel(one.driver))
            verify = pb_grpc.RecognitionServiceStub(calls).Verify
            strangers += [verify(request, metadata=metadata_of(f"stranger {number}"), timeout=60) for _ in range(EACH)]
        too_many = len(strangers) - STRANGERS_MAX
        await until(lambda: sum(call.done() for call in strangers) >= too_many)
        ended = [call for call in strangers if call.done()]
        assert len(ended) == too_many
        for call in ended:
            await fails(call, OVERLOADED)
        await one.verify("known")  # it goes on
        for number, *_ in one.driver.asked:
            one.deny(number)
        for call in strangers:
            if call not in ended:
                await fails(call, DENIED)


@pytest.mark.parametrize(
    "tokens", [("one", "two"), ("x" * 9000,), ("",)], ids=["two", "longer than 8 KiB", "an empty one"]
)
async def test_an_odd_authorization_is_passed_on(tokens):
    async with asked(behind=_BEHIND) as one:
        plain = pb.VerifyRequest(code=b"code", host_region=HOST).SerializeToString()
        metadata = tuple(("authorization", token) for token in tokens)
        call = bytes_call(one.calls, "Verify")([plain], metadata=metadata)
        assert [answer async for answer in call] == [plain]
        assert one.driver.asked == []


async def test_a_token_of_8_kib_and_a_certificate_go_on_to_the_listener_behind():
    pki = Pki(kind="rsa")
    caller = pki.caller(kind="rsa")
    async with (
        driven(identifies=True, tls=pki.tls(), behind=_BEHIND) as driver,
        channel(driver, credentials=pki.credentials(caller)) as calls,
    ):
        metadata = (("authorization", "t" * 8192), ("x-mine", "1"))
        call = bytes_call(calls, "/any.Service/Method")([b"one"], metadata=metadata)
        assert [answer async for answer in call] == [b"one"]
        assert dict(await call.trailing_metadata())["x-onecode-certificate-bin"] == caller.der


async def test_a_thousand_bad_tokens_leave_those_of_others_in_place():
    async with asked(credentials_max=8) as one:
        polite = [f"polite {n}" for n in range(4)]
        for token in polite:
            call = one.verify(token)
            one.grant(await one.asked())
            await call
        one.driver.identify = lambda asking: one.front.deny(asking[0], DENIED, KIND, 60, True)
        for start in range(0, 1000, 4):
            for call in [one.verify(f"bad {start + n}") for n in range(4)]:
                await fails(call, DENIED)
        one.driver.identify = lambda *_: pytest.fail("a polite caller is asked about again")
        for token in polite:
            await one.verify(token)


async def test_where_all_credentials_have_open_calls_there_is_no_room_for_another():
    async with asked(credentials_max=2) as one:
        waiting = [one.verify(token) for token in ("one", "two")]
        await until(lambda: len(one.driver.asked) == 2)
        await fails(one.verify("three"), OVERLOADED)
        assert one.front.counts().refused == {"credentials_full": 1}
        for number, *_ in one.driver.asked:
            one.grant(number)
        await asyncio.gather(*waiting)
        one.driver.asked.clear()
        call = one.verify("three")
        one.grant(await one.asked())
        await call


@pytest.mark.parametrize(
    ("host", "seconds", "reason"), [("42000", 1, "six digits"), ("42000x", 1, "six digits"), (HOST, -1, "negative")]
)
async def test_a_grant_that_makes_no_sense_is_refused(host, seconds, reason):
    async with asked() as one:
        with pytest.raises(ValueError, match=reason):
            one.front.grant(1, [host], seconds, 1, 1, 1)
        one.front.grant(99, [HOST], 1, 1, 1, 1)  # it may have given way
        one.front.deny(99, DENIED, KIND, 1e15, True)


async def test_a_front_that_does_not_identify_asks_nothing():
    async with driven() as driver, channel(driver) as calls:
        await Asked(driver, calls).verify()
        assert driver.asked == []
