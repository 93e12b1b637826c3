"""Frames of Ethernet on their way between sites: each comes out after a delay, in order, as by ``tc netem delay``.

No I/O and no clock: ``now_s`` is an argument, in seconds of any clock that does not run backwards.
"""

import random
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Final, NamedTuple

LINE_BYTES_MAX: Final = 8 * 1024 * 1024
"""The bytes on their way from one site to another: 30 ms of 2 Gbit/s, where all brokers and machines of a drill send a
few MB a second. A frame beyond it is dropped, as by a router whose buffer is full."""
ADDRESSES_MAX: Final = 1024
"""The addresses whose site is known: a drill has a dozen. A further one displaces that which was heard longest ago."""
_ADDRESS_BYTES: Final = 6
_GROUP_BIT: Final = 1
"""The bit of an address's first byte that broadcasts and multicasts have (IEEE 802-2014, 8.2.2)."""


class Arrival(NamedTuple):
    """A frame that comes out at a site (from 0 on), and the moment at which it was to come out."""

    site: int
    frame: bytes
    due_s: float


class Line:
    """The way from one site to another.

    ``delay_s`` is how long a frame takes, and ``jitter_s`` what that is longer at most, by chance and each time anew.
    ``dropped`` counts frames for which there was no room.
    """

    def __init__(self, chance: random.Random, bytes_max: int = LINE_BYTES_MAX) -> None:
        self.delay_s = self.jitter_s = 0.0
        self.dropped = 0
        self._chance, self._bytes_max = chance, bytes_max
        self._frames: deque[tuple[float, bytes]] = deque()
        self._bytes = 0

    def take(self, frame: bytes, now_s: float) -> None:
        """Let a frame in. It overtakes none that is on its way already, also where the delay has become shorter."""
        if self._bytes + len(frame) > self._bytes_max:
            self.dropped += 1
            return
        due_s = now_s + self.delay_s + (self._chance.uniform(0, self.jitter_s) if self.jitter_s else 0.0)
        if self._frames:
            due_s = max(due_s, self._frames[-1][0])
        self._frames.append((due_s, frame))
        self._bytes += len(frame)

    @property
    def next_s(self) -> float | None:
        """When the next frame comes out; None where none is on its way."""
        return self._frames[0][0] if self._frames else None

    def due(self, now_s: float) -> Iterator[tuple[float, bytes]]:
        """Take out the frames whose time has come, each with that time."""
        while self._frames and self._frames[0][0] <= now_s:
            due_s, frame = self._frames.popleft()
            self._bytes -= len(frame)
            yield due_s, frame


class Crossing:
    """The lines between all sites. A frame goes to the site where its destination was last heard, and to all others
    where that is not known or it is for many."""

    def __init__(self, sites: int, chance: random.Random, bytes_max: int = LINE_BYTES_MAX) -> None:
        self._lines = {
            (one, other): Line(chance, bytes_max) for one in range(sites) for other in range(sites) if one != other
        }
        self._sites = range(sites)
        self._heard: OrderedDict[bytes, int] = OrderedDict()

    def set_delay(self, delay_s: float, jitter_s: float = 0.0) -> None:
        """Let frames take so long from now on."""
        for line in self._lines.values():
            line.delay_s, line.jitter_s = delay_s, jitter_s

    @property
    def dropped(self) -> int:
        """The frames for which there was no room."""
        return sum(line.dropped for line in self._lines.values())

    def take(self, site: int, frame: bytes, now_s: float) -> None:
        """Take a frame that a site sends."""
        destination, source = frame[:_ADDRESS_BYTES], frame[_ADDRESS_BYTES : 2 * _ADDRESS_BYTES]
        self._learn(source, site)
        at = None if destination[0] & _GROUP_BIT else self._heard.get(destination)
        for other in self._sites if at is None else (at,):
            if other != site:  # a bridge floods also what is for its own site, while it does not know that
                self._lines[site, other].take(frame, now_s)

    @property
    def next_s(self) -> float | None:
        """When the next frame comes out; None where none is on its way."""
        return min((at_s for line in self._lines.values() if (at_s := line.next_s) is not None), default=None)

    def due(self, now_s: float) -> Iterator[Arrival]:
        """Take out the frames whose time has come: those from one site to another in their order."""
        for (_, other), line in self._lines.items():
            for due_s, frame in line.due(now_s):
                yield Arrival(other, frame, due_s)

    def _learn(self, address: bytes, site: int) -> None:
        self._heard[address] = site
        self._heard.move_to_end(address)
        if len(self._heard) > ADDRESSES_MAX:
            self._heard.popitem(last=False)
