"""How the process is told to end: by SIGTERM or SIGINT, once or as often as somebody likes."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_event(*numbers: signal.Signals) -> Iterator[asyncio.Event]:
    """Yield an event of the running loop that any of these signals sets; after the block they are ignored.

    Not ``loop.add_signal_handler``: a loop gives its signals back to the system as it closes, and one more SIGTERM in
    the last milliseconds would make of a clean end one by a signal. Ignored signals stay so until the process is gone.
    """
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell(_: int, __: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)  # threadsafe: it wakes a loop that waits

    for number in numbers:
        signal.signal(number, tell)
    try:
        yield stop
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
