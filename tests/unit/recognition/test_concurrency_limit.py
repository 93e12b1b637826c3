"""A bound on calls of a kind: the next one is refused, and a caller who leaves frees nothing before its work ends."""

import asyncio
import gc

import pytest

from onecode_server.errors import NotFound, Overloaded
from onecode_server.recognition.concurrency_limit import ConcurrencyLimit


async def test_a_call_whose_caller_has_left_counts_until_its_work_ends() -> None:
    limit, gate, done = ConcurrencyLimit(2, "calls"), asyncio.Event(), []

    async def work() -> None:
        await gate.wait()
        done.append(1)

    calls = [asyncio.create_task(limit.run(work())) for _ in range(2)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    with pytest.raises(Overloaded, match="too many calls"):
        await limit.run(work())
    gate.set()
    await asyncio.wait(set(limit._running))
    await asyncio.sleep(0)
    await limit.run(work())
    assert len(done) == 3


async def test_what_the_work_raises_is_raised_and_ends_its_call_and_is_not_told_as_lost() -> None:
    limit, gate, lost = ConcurrencyLimit(1, "calls"), asyncio.Event(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))

    async def fail() -> None:
        await gate.wait()
        raise NotFound("", "nothing")

    left = asyncio.create_task(limit.run(fail()))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait([left])
    running = set(limit._running)
    gate.set()
    await asyncio.wait(running)
    running.clear()
    for _ in range(3):
        with pytest.raises(NotFound):
            await limit.run(fail())
    gc.collect()  # which is when a lost one would be told
    assert not lost
