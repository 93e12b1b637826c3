"""Open calls whose callers have lost their identity are ended, and the others are not."""

import asyncio

import pytest

from onecode_server.errors import NotServing, Unauthenticated
from onecode_server.rpc.lasting_calls import CHECKED_S, LastingCalls


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def ended() -> None:
    raise Unauthenticated("CERTIFICATE_EXPIRED", "the certificate has expired")


def lives() -> None:
    pass


async def test_a_call_ends_with_the_reason_why_its_caller_has_no_identity_any_more() -> None:
    clock = Clock()
    calls = LastingCalls(clock)

    async def call() -> None:
        with calls.keep(ended):
            await asyncio.Event().wait()

    async def good() -> str:
        with calls.keep(lives):
            await asyncio.sleep(0.05)
        return "answered"

    tasks = [asyncio.create_task(call()), asyncio.create_task(good())]
    await asyncio.sleep(0)
    calls.sweep()  # not yet
    await asyncio.sleep(0)
    assert not tasks[0].done()
    clock.now_s = CHECKED_S
    calls.sweep()
    with pytest.raises(Unauthenticated, match="expired"):
        await tasks[0]
    assert await tasks[1] == "answered"
    assert not calls._open


async def test_a_call_goes_on_while_nobody_can_tell_who_calls() -> None:
    clock = Clock()
    calls = LastingCalls(clock)

    def unready() -> None:
        raise NotServing("no trust list is in force")

    async def call() -> str:
        with calls.keep(unready):
            await asyncio.sleep(0.05)
        return "answered"

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    clock.now_s = CHECKED_S
    calls.sweep()
    assert await task == "answered"


async def test_a_call_that_its_caller_has_cancelled_ends_as_such() -> None:
    calls = LastingCalls(lambda: 0.0)

    async def call() -> None:
        with calls.keep(ended):
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not calls._open
