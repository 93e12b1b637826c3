"""What is done again and again: the environment's faults do not end it, and bugs do."""

import asyncio
import errno
import os
import time

import pytest

from onecode_server.system.clock import every, watch_lag


async def test_what_the_environment_refuses_is_tried_again_and_said_once(caplog):
    faults = [OSError(errno.EMFILE, os.strerror(errno.EMFILE)), MemoryError(), None, OSError("no errno"), None]
    done = asyncio.Event()

    async def work() -> None:
        if not faults:
            done.set()
        elif (fault := faults.pop(0)) is not None:
            raise fault

    watch = asyncio.create_task(every(0, work))
    await asyncio.wait_for(done.wait(), 20)
    assert not watch.done()
    watch.cancel()
    messages = [line.getMessage().rpartition(": ")[2] for line in caplog.records]
    assert messages == ["Too many open files", "OSError"]


@pytest.mark.parametrize("bug", [KeyError, RuntimeError, AssertionError])
async def test_a_bug_ends_it(bug):
    async def work() -> None:
        raise bug

    with pytest.raises(bug):
        await every(0, work)


async def test_a_loop_that_is_held_is_seen_to_be_late():
    lags_s: asyncio.Queue[float] = asyncio.Queue()
    watch = asyncio.create_task(watch_lag(lags_s.put_nowait))
    seen_s = [await asyncio.wait_for(lags_s.get(), 60)]
    time.sleep(0.5)  # noqa: ASYNC251 - what holds the loop
    seen_s += [await asyncio.wait_for(lags_s.get(), 60)]
    watch.cancel()
    assert seen_s[1] >= 0.3
    assert seen_s[0] >= 0
