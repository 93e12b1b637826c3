"""Calls of strangers take turns: many of them at once, as an attack makes them, keep no known caller waiting.

A stranger has shown nothing that was an identity before, or calls a method that nobody has. To refuse its call takes
some 0.5 ms of the event loop, a quarter of that for a signature. gRPC hands calls over in the order in which they came,
so that a caller behind a hundred of them would wait 50 ms. Here they are set aside, which takes a fraction of that, and
a few are looked at in each period; a known caller's call does not wait at all.

Connections take turns, so that a new caller has its turn beside any number of calls of another one. Who turns out to be
somebody gives its place back at once: only calls that are refused use places up.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import grpc.aio

from onecode_server.errors import Overloaded
from onecode_server.rpc.reserved_metadata import PeerOf, peer_of_connection

PERIOD_S: Final = 0.005
"""The time from turn to turn: what a new caller waits for at most beside fewer than PLACES connections of strangers,
and less than a network takes."""
PLACES: Final = 6
"""Calls that are refused in each period at most, 1,200 a second: 2 to 3 ms of work, and as much is left of the period
for those who are known. With fewer, a thousand strangers a second would wait for each other without end."""
WAITING_MAX: Final = 1_024
"""Calls that wait for their turn at most, as in the native front. Nothing of them is read: gRPC may hold a window of
128 KiB for each. All have had their turn within a second."""
RETRY_AFTER_S: Final = 1.0

_Context = grpc.aio.ServicerContext[Any, Any]


class Strangers:
    """The calls of strangers that wait, and whose turn it is. ``count`` is called with the reason of each refusal, and
    ``peer_of`` returns the connection that a call came by. Not thread-safe: all calls come from the event loop."""

    def __init__(self, count: Callable[[str], None], peer_of: PeerOf = peer_of_connection) -> None:
        self._count = count
        self._peer_of = peer_of
        self._lines: OrderedDict[str, dict[asyncio.Future[None], None]] = OrderedDict()
        self._waiting = 0
        self._free = PLACES
        self._period: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return self._waiting

    async def turn(self, context: _Context) -> None:
        """Wait until a call has its turn, which is at once where none waits and a place is free. Raises Overloaded
        where too many wait, of its connection or in all."""
        if self._free and not self._waiting:
            self._free -= 1
            self._begin_period()
            return
        peer = self._peer_of(context)
        turn = self._line_up(peer)
        try:
            await turn
        except asyncio.CancelledError:
            self._leave(peer, turn)
            raise
        finally:
            del turn  # a cancelled one and this frame would know each other until garbage is collected

    def give_back(self) -> None:
        """Note that the call whose turn it was is somebody's."""
        self._free = min(self._free + 1, PLACES)
        self._admit()

    def _line_up(self, peer: str) -> asyncio.Future[None]:
        line = self._lines.get(peer)
        # A connection may have half of the places that are free, so that a few leave some to others (as in answers.py).
        if self._waiting >= WAITING_MAX or (line and len(line) >= (WAITING_MAX - self._waiting) // 2):
            self._count("callers_unknown")
            raise Overloaded("too many calls wait until it is known who makes them", RETRY_AFTER_S)
        if line is None:
            line = self._lines[peer] = {}
        turn = asyncio.get_running_loop().create_future()
        line[turn] = None
        self._waiting += 1
        return turn

    def _leave(self, peer: str, turn: asyncio.Future[None]) -> None:
        line = self._lines.get(peer)
        if line is not None and turn in line:
            del line[turn]
            self._waiting -= 1
            if not line:
                del self._lines[peer]

    def _begin_period(self) -> None:
        if self._period is None:
            self._period = asyncio.get_running_loop().call_later(PERIOD_S, self._end_period)

    def _end_period(self) -> None:
        self._period = None
        self._free = PLACES
        self._admit()
        if self._free < PLACES:
            self._begin_period()

    def _admit(self) -> None:
        """Give the free places away, one to each connection in turn."""
        while self._free and self._lines:
            peer, line = self._lines.popitem(last=False)
            turn = next(iter(line))
            del line[turn]
            self._waiting -= 1
            if line:
                self._lines[peer] = line  # behind all others
            if not turn.done():  # else its caller has gone, and its task does not know it yet
                turn.set_result(None)
                self._free -= 1
