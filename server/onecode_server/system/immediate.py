"""Starts a coroutine at once, in the caller's turn of the event loop. It gets a task only where it has to wait.

A check whose statuses are in memory never waits. A task would cost it some microseconds and a turn of the loop. Python
3.12 has eager tasks for this purpose, and this project runs on 3.11 as well. Until it waits for the first time the
coroutine has no task, so that ``asyncio.timeout`` cannot be used in it.
"""

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any


def start(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run a coroutine until it waits or ends. Return the task that carries it on, or None where it has ended.

    Raises what the coroutine raises before it waits. The caller keeps the task: asyncio has only a weak reference.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration:
        return None
    return asyncio.create_task(_carry_on(coroutine, awaited))


async def _carry_on(coroutine: Coroutine[Any, Any, None], awaited: Any) -> None:
    await _rest_of(coroutine, awaited)


@types.coroutine
def _rest_of(coroutine: Any, awaited: Any) -> Generator[Any, Any, None]:
    """Yield what a started coroutine waits for, and then all that it yields."""
    try:
        yield awaited
    except BaseException as fault:  # what it waits for has failed, or the task is cancelled: the coroutine decides
        try:
            awaited = coroutine.throw(fault)
        except StopIteration:
            return
        yield from _rest_of(coroutine, awaited)
    else:
        yield from coroutine  # begins by sending None, which is what asyncio sends
