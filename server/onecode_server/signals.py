"""How the process is told to end: by SIGTERM, SIGINT or SIGHUP, once or as often as somebody likes.

It imports little: ``end_at_once`` is for the first moments of a process, before the imports that take its time.
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
"""SIGHUP is what a terminal sends that is closed. Under nohup(1) it is ignored, and stays so."""


def end_at_once() -> None:
    """Let each of these signals end the process with status 0, until ``stop_event`` takes them over.

    There is nothing to drain yet. As process 1 of a container it would not end otherwise: the system passes over
    signals for which process 1 has no handler.
    """
    for number in _heeded(*ENDING):
        signal.signal(number, lambda _, __: os._exit(0))


@contextmanager
def stop_event(*numbers: signal.Signals) -> Iterator["asyncio.Event"]:
    """Yield an event of the running loop that any of these signals sets; after the block they are ignored.

    Not ``loop.add_signal_handler``: a loop gives its signals back to the system as it closes, and one more SIGTERM in
    the last milliseconds would make of a clean end one by a signal. Ignored signals stay so until the process is gone.
    """
    import asyncio  # noqa: PLC0415

    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell(_: int, __: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)  # threadsafe: it wakes a loop that waits

    for number in _heeded(*numbers):
        signal.signal(number, tell)
    try:
        yield stop
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)


def _heeded(*numbers: signal.Signals) -> list[signal.Signals]:
    return [one for one in numbers if one != signal.SIGHUP or signal.getsignal(one) != signal.SIG_IGN]
