"""A thread of its own: in order, within bounds, and no matter to whom it belongs when its device hangs."""

import asyncio
import os
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from onecode_server.system import own_thread
from onecode_server.system.own_thread import OwnThread, ThreadBusy

LONG_S = 60.0
WAITING_MAX = 3


@pytest.fixture
def thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnThread]:
    monkeypatch.setattr(own_thread, "CLOSE_S", 0.01)
    made = OwnThread("device", WAITING_MAX)
    yield made
    made.close()


@pytest.fixture
def device() -> Iterator[threading.Event]:
    """A device that hangs until it is set."""
    event = threading.Event()
    yield event
    event.set()


async def begun(thread: OwnThread, device: threading.Event) -> asyncio.Task[bool]:
    """Have the thread wait for the device; return the call."""
    waits = threading.Event()

    def work() -> bool:
        waits.set()
        return device.wait()

    task = asyncio.create_task(thread.call(work, LONG_S))
    await asyncio.to_thread(waits.wait)
    return task


async def test_all_work_is_done_on_one_thread_in_order(thread: OwnThread) -> None:
    done: list[int] = []

    def work(number: int) -> int:
        done.append(number)
        return threading.get_ident()

    threads = await asyncio.gather(*(thread.call(partial(work, n), LONG_S) for n in range(WAITING_MAX)))
    assert done == [*range(WAITING_MAX)]
    assert len({*threads}) == 1
    assert threads[0] != threading.get_ident()


async def test_what_work_raises_is_raised(thread: OwnThread) -> None:
    with pytest.raises(KeyError):
        await thread.call(lambda: os.environ["NO_SUCH_VARIABLE"], LONG_S)
    assert await thread.call(lambda: 1, LONG_S) == 1


async def test_no_more_work_waits_than_may(thread: OwnThread, device: threading.Event) -> None:
    first = await begun(thread, device)
    waiting = [asyncio.create_task(thread.call(lambda: 1, LONG_S)) for _ in range(WAITING_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(ThreadBusy):
        await thread.call(lambda: 1, LONG_S)
    device.set()
    assert await asyncio.gather(first, *waiting) == [True, 1, 1, 1]


async def test_a_device_that_hangs_holds_a_caller_for_its_time_only(thread: OwnThread, device: threading.Event) -> None:
    first = await begun(thread, device)
    done: list[int] = []
    with pytest.raises(TimeoutError):
        await thread.call(lambda: done.append(1), 0.01)
    device.set()
    await first
    assert await thread.call(lambda: 2, LONG_S) == 2
    assert done == []


async def test_work_whose_caller_has_left_is_not_begun(thread: OwnThread, device: threading.Event) -> None:
    first = await begun(thread, device)
    done: list[int] = []
    left = asyncio.create_task(thread.call(lambda: done.append(1), LONG_S))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait([left])
    device.set()
    await first
    await thread.call(lambda: None, LONG_S)
    assert done == []


async def test_a_close_drops_what_waits_and_takes_nothing_more(thread: OwnThread, device: threading.Event) -> None:
    await begun(thread, device)
    waiting = asyncio.create_task(thread.call(lambda: 1, LONG_S))
    await asyncio.sleep(0)
    thread.close()
    for call in (waiting, thread.call(lambda: 1, LONG_S)):
        with pytest.raises(ThreadBusy):
            await call
