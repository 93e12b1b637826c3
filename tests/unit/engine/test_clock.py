"""What is done again and again: the environment's faults do not end it, and bugs do."""

import asyncio
import errno
import os

import pytest

from onecode_server.engine.clock import every


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
    told = [line.getMessage().rpartition(": ")[2] for line in caplog.records]
    assert told == ["Too many open files", "OSError"]


@pytest.mark.parametrize("bug", [KeyError, RuntimeError, AssertionError])
async def test_a_bug_ends_it(bug):
    async def work() -> None:
        raise bug

    with pytest.raises(bug):
        await every(0, work)
