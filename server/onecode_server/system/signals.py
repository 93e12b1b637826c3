"""The signals that end the process: SIGTERM, SIGINT or SIGHUP, sent any number of times.

It imports little: ``end_at_once`` is for the first moments of a process, before the slow imports.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""A terminal sends SIGHUP when it is closed. Under nohup(1) it is ignored, and stays so."""


def end_at_once() -> None:
    """Let each of these signals end the process with status 0, until ``stop_event`` handles them.

    There is nothing to drain yet. Without a handler, process 1 of a container would not end: the system ignores signals
    for which process 1 has no handler.
    """
    for number in _not_ignored(*ENDING):
        signal.signal(number, lambda _, __: os._exit(0))


@contextmanager
def stop_event(*numbers: signal.Signals) -> Iterator["asyncio.Event"]:
    """Yield an event of the running loop that any of these signals sets; after the block they are ignored.

    ``loop.add_signal_handler`` is not used: a loop restores the default handlers as it closes, and another SIGTERM in
    the last milliseconds would turn a clean end into an end by a signal. Ignored signals stay so until the process has
    ended.
    """
    import asyncio  # noqa: PLC0415

    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def set_stop(_: int, __: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)  # threadsafe: it wakes a waiting loop

    for number in _not_ignored(*numbers):
        signal.signal(number, set_stop)
    try:
        yield stop
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)


def _not_ignored(*numbers: signal.Signals) -> list[signal.Signals]:
    return [one for one in numbers if one != signal.SIGHUP or signal.getsignal(one) != signal.SIG_IGN]
