"""A coroutine that is started at once has a task only where it waits, and notices no difference afterwards."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from onecode_server.system import immediate


async def test_what_does_not_wait_is_over_at_once() -> None:
    done = []

    async def work() -> None:
        done.append(asyncio.all_tasks())

    before = asyncio.all_tasks()
    assert immediate.start(work()) is None
    assert done == [before]


async def test_what_fails_before_it_waits_raises_at_once() -> None:
    async def work() -> None:
        raise ValueError("at once")

    with pytest.raises(ValueError, match="at once"):
        immediate.start(work())


@pytest.mark.parametrize("pause", [lambda: asyncio.sleep(0), lambda: asyncio.sleep(0.001)])
async def test_what_waits_goes_on_in_a_task_as_often_as_it_waits(pause: Callable[[], Awaitable[None]]) -> None:
    steps = []

    async def work() -> None:
        for step in range(3):
            steps.append(step)
            await pause()

    task = immediate.start(work())
    assert task is not None
    assert steps == [0]
    await task
    assert steps == [0, 1, 2]


async def test_a_failure_of_what_it_waits_for_can_be_caught_and_the_rest_is_done() -> None:
    futures = [asyncio.get_running_loop().create_future() for _ in range(2)]
    caught = []

    async def work() -> None:
        for future in futures:
            try:
                await future
            except ValueError as fault:
                caught.append(str(fault))
        await asyncio.sleep(0)

    task = immediate.start(work())
    assert task is not None
    for number, future in enumerate(futures):
        future.set_exception(ValueError(str(number)))
    await task
    assert caught == ["0", "1"]


async def test_a_failure_that_it_does_not_catch_is_the_failure_of_the_task() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        await future

    task = immediate.start(work())
    assert task is not None
    future.set_exception(ValueError("later"))
    with pytest.raises(ValueError, match="later"):
        await task


async def test_a_cancelled_one_ends_in_its_own_finally() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    task = immediate.start(work())
    assert task is not None
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
