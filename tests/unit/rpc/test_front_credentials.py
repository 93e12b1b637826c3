"""Credentials in the native front: Python is asked once for each, and calls are answered within what it grants."""

import asyncio

from onecode.v1 import recognition_pb2 as pb

from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_asked import DENIED, HOST, KIND, Asked, asked, fails, metadata_of
from tests.unit.rpc.front_driver import CROWDED, bytes_call, channel, driven, until
from tests.unit.rpc.front_tls import Pki

pytestmark = NEEDS_FRONT


async def test_calls_of_an_unknown_credential_wait_until_it_is_granted():
    async with asked() as one:
        calls = [one.verify() for _ in range(5)] + [one.batch(30)]
        await until(lambda: one.driver.asked)
        [(number, *shown)] = one.driver.asked
        assert shown == [b"", b"Bearer one", True, 0]
        await asyncio.sleep(0.05)
        assert not any(call.done() for call in calls)
        one.grant(number)
        await asyncio.gather(*calls)
        await one.verify()
        assert len(one.driver.asked) == 1, "it is asked about once"
        counts = one.front.counts()
        assert (counts.methods["Verify"][0], counts.passed_on, counts.refused) == (6, 0, {})


async def test_each_token_and_none_is_a_credential_of_its_own():
    async with asked() as one:
        calls = [one.verify(token) for token in ("one", "two", None, "one")]
        await until(lambda: len(one.driver.asked) == 3)
        numbers = {authorization: number for number, _, authorization, *_ in one.driver.asked}
        assert set(numbers) == {b"Bearer one", b"Bearer two", b""}
        one.deny(numbers[b""])
        one.deny(numbers[b"Bearer two"])
        one.grant(numbers[b"Bearer one"])
        for call in calls[1:3]:
            await fails(call, DENIED)
        await asyncio.gather(calls[0], calls[3])


async def test_the_certificate_of_the_connection_is_a_part_of_the_credential():
    pki = Pki()
    first, second = pki.caller(), pki.caller()
    async with driven(identifies=True, tls=pki.tls()) as driver:
        for caller in (first, first, second):
            async with channel(driver, credentials=pki.credentials(caller)) as calls:
                call = Asked(driver, calls).verify(token="one")
                if caller is second or not driver.asked:
                    await until(lambda: driver.asked and driver.asked[-1][1] == caller.der)  # noqa: B023
                    driver.front.grant(driver.asked[-1][0], [HOST], 60, 1000, 10, 1)
                    driver.turn()
                await call
        assert [(certificate, token) for _, certificate, token, *_ in driver.asked] == [
            (first.der, b"Bearer one"),
            (second.der, b"Bearer one"),
        ]


async def test_a_denied_credential_is_refused_until_the_denial_lapses():
    async with asked() as one:
        call = one.verify()
        one.deny(await one.asked(), seconds=0.3)
        await fails(call, DENIED)
        await fails(one.verify(), DENIED)
        await fails(one.batch(4096), DENIED)
        assert one.driver.asked == []
        counts = one.front.counts()
        assert (counts.refused, counts.denied) == ({"caller_denied": 3}, {KIND: 3})
        assert (counts.methods["Verify"][3], counts.methods["BatchVerify"][3]) == ({16: 2}, {16: 1})
        await asyncio.sleep(0.3)
        call = one.verify()
        one.grant(await one.asked())
        await call


async def test_a_grant_lasts_for_its_time_and_its_units():
    async with asked() as one:
        call = one.verify()
        number = await one.asked()
        one.grant(number, units=3)
        await call
        await one.batch(2)
        call = one.verify()
        assert await one.asked() == number
        one.grant(number, units=1000, seconds=0.2)
        await call
        await one.verify()
        await asyncio.sleep(0.2)
        call = one.verify()
        assert await one.asked() == number
        one.grant(number)
        await call


async def test_waiting_calls_ask_again_where_a_grant_has_too_few_units_for_all():
    async with asked() as one:
        calls = [one.verify() for _ in range(5)]
        for _ in range(3):
            number = await one.asked()
            one.grant(number, units=2)
        await asyncio.gather(*calls)


async def test_a_call_for_another_host_is_passed_on_and_with_no_host_any_is_answered():
    async with asked() as one:
        call = one.verify()
        number = await one.asked()
        one.grant(number)
        await call
        other = pb.VerifyRequest(code=b"code", host_region="110000").SerializeToString()
        passed = bytes_call(one.calls, "Verify")([other], metadata=metadata_of("one"))
        assert [answer async for answer in passed] == [other]
        assert one.front.counts().passed_on == 1
        call = one.verify("all", host="110000")
        one.grant(await one.asked(), host=None)
        await call
        await one.verify("all", host="420000")


async def test_more_calls_than_a_group_may_have_in_flight_are_refused():
    async with asked() as one:
        for token in ("one", "two"):
            call = one.verify(token)
            one.grant(await one.asked(), in_flight_max=2, group=7)
            await call
        one.driver.answers = False
        running = [one.verify("one"), one.verify("two")]
        await until(lambda: sum(len(codes) for *_, codes in one.driver.works) == 2)
        await fails(one.verify("one"), CROWDED)
        await fails(one.batch(5, "two"), CROWDED)
        assert one.front.counts().refused == {"caller_crowded": 2}
        one.driver.answers = True
        one.driver.answer_all()
        await asyncio.gather(*running)
        await one.verify("two")


async def test_where_all_that_was_said_lapses_python_is_asked_again():
    async with asked() as one:
        call = one.verify()
        number = await one.asked()
        one.grant(number)
        await call
        one.front.ask_again()
        call = one.verify()
        assert await one.asked() == number
        one.deny(number)
        await fails(call, DENIED)
        one.front.ask_again()
        call = one.verify()
        assert await one.asked() == number
        one.grant(number)
        await call


async def test_an_answer_from_before_does_not_count():
    async with asked() as one:
        call = one.verify()
        number = await one.asked()
        one.front.ask_again()
        one.front.grant(number, [HOST], 60, 1000, 100, 1)
        assert await _is_asked_again(one) == number
        one.deny(number)
        await fails(call, DENIED)


async def _is_asked_again(one: Asked) -> int:
    one.driver.turn()
    return await one.asked()


async def test_a_batch_waits_for_as_many_units_as_it_needs():
    async with asked() as one:
        batch = one.batch(4000)
        one.grant(await one.asked(), units=10)
        await until(lambda: one.driver.asked)
        [(number, *_, wanted)] = one.driver.asked
        one.driver.asked.clear()
        assert wanted == 3990
        assert not batch.done()
        one.grant(number, units=wanted)
        await batch
        call = one.verify()
        await until(lambda: one.driver.asked)
        assert one.driver.asked.pop()[-1] == 1
        one.grant(number, units=1)
        await call


async def test_all_credentials_of_a_group_share_its_units():
    async with asked() as one:
        first = one.verify("one")
        one.grant(await one.asked(), units=3, group=7)
        await first
        second = one.verify("two")
        one.grant(await one.asked(), units=0, group=7)
        await second
        await one.verify("one")
        third = one.verify("two")
        await until(lambda: one.driver.asked)
        [(number, *_, wanted)] = one.driver.asked
        one.driver.asked.clear()
        assert wanted == 1
        one.grant(number, units=1, group=7)
        await third


async def test_the_calls_in_flight_of_a_group_are_told():
    async with asked() as one:
        one.driver.answers = False
        calls = [one.verify() for _ in range(3)]
        one.grant(await one.asked(), group=7)
        await until(lambda: one.front.in_flight(7) == 3)
        assert one.front.in_flight(8) == 0
        one.driver.answers = True
        one.driver.answer_all()
        await asyncio.gather(*calls)
        assert one.front.in_flight(7) == 0


async def test_nothing_is_read_of_a_batch_whose_caller_is_not_known():
    async with asked() as one:
        batch = one.batch(4000)
        number = await one.asked()
        await asyncio.sleep(0.1)
        assert one.front.counts().held_bytes == 0
        one.deny(number)
        await fails(batch, DENIED)


async def test_what_was_shown_can_be_asked_for():
    async with asked() as one:
        call = one.verify()
        number = await one.asked()
        assert one.front.shown(number) == (b"", b"Bearer one", True)
        assert one.front.shown(number + 1) is None
        one.grant(number)
        await call


async def test_a_caller_has_all_hosts_of_its_grant():
    async with asked() as one:
        call = one.verify(host="110000")
        number = await one.asked()
        one.front.grant(number, ["420000", "110000"], 60, 1000, 100, 1)
        one.driver.turn()
        await call
        await one.verify(host="420000")
        assert one.front.counts().passed_on == 0
        await one.verify(host="440000")
        assert one.front.counts().passed_on == 1


async def test_a_caller_without_a_host_is_passed_on():
    async with asked() as one:
        call = one.verify()
        one.front.grant(await one.asked(), [], 60, 1000, 100, 1)
        one.driver.turn()
        await call
        assert one.front.counts().passed_on == 1
