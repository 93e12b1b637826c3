"""What is to be done: by keys of the terminal, or by a script of keys and seconds."""

import asyncio
import contextlib
import os
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from typing import Final

KEYS: Final = "bpsrq"
WAITING_MAX: Final = 8
"""Keys that wait for what is being done. More are those of a person who holds a key down."""
PAUSE_S_MAX: Final = 600.0


def read_script(text: str) -> list[str | float]:
    """Return the keys and the seconds between them of ``b 5 r 5 q``. Raises ValueError."""
    found: list[str | float] = []
    for word in text.split():
        if word in KEYS and len(word) == 1:
            found.append(word)
        elif word.replace(".", "", 1).isdecimal() and float(word) <= PAUSE_S_MAX:
            found.append(float(word))
        else:
            raise ValueError(f"{word!r} is neither one of {', '.join(KEYS)} nor a number of seconds up to 600")
    return found


async def play(script: Sequence[str | float], keys: "asyncio.Queue[str]") -> None:
    """Press the keys of a script."""
    for step in script:
        if isinstance(step, str):
            await keys.put(step)
            await keys.join()  # seconds count from when it is done
        else:
            await asyncio.sleep(step)


@contextlib.contextmanager
def pressed(keys: "asyncio.Queue[str]") -> Iterator[None]:
    """Put keys of the terminal into a queue, and leave the terminal as it was."""
    number, loop = sys.stdin.fileno(), asyncio.get_running_loop()
    before = termios.tcgetattr(number)

    def read() -> None:
        for key in os.read(number, 64).decode("ascii", "ignore"):
            if key in KEYS:
                with contextlib.suppress(asyncio.QueueFull):
                    keys.put_nowait(key)

    tty.setcbreak(number)  # one key at a time, without its echo; Ctrl-C is still a signal
    loop.add_reader(number, read)
    try:
        yield
    finally:
        loop.remove_reader(number)
        termios.tcsetattr(number, termios.TCSADRAIN, before)
