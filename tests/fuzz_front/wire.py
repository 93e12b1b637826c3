"""A connection that sends a conversation, and reads what the server says until its calls have ended."""

import asyncio
import contextlib
import socket
import struct
from collections import defaultdict
from typing import Final

from benchmarks.attacks.connection import ACK, DATA, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, frame
from tests.fuzz_front.conversations import Conversation

ENDS_S: Final = 60.0
"""How long a call may take to end: twelve seconds where a request does not come, the rest for a busy machine."""
QUIET_S: Final = 0.01
"""A conversation of which nothing is awaited is over once nothing has come for so long."""
_FRAME_MAX: Final = 16_384
_HEAD: Final = struct.Struct(">HBBBI")


class NotAnswered(Exception):
    """The server neither ended a call nor the connection, or sent what is no frame."""


async def converse(address: str, conversation: Conversation, *, resets: bool) -> dict[int, bytes]:
    """Send a conversation, and disconnect once it is over; ``resets``: by RST in TCP. Return the bodies of the answers,
    by stream. Raises NotAnswered."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answers = _Answers(reader, writer, set(conversation.awaited))
    try:
        # The server may be gone before all of it is sent.
        with contextlib.suppress(ConnectionError):
            for piece in conversation.pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        await answers.read()
    finally:
        if resets:
            linger = struct.pack("ii", 1, 0)
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort() if resets else writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return {stream: bytes(body) for stream, body in answers.bodies.items()}


class _Answers:
    """Reads frames until the awaited streams have ended; where there are none, until it is quiet."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, awaited: set[int]) -> None:
        self._reader, self._writer, self._awaited = reader, writer, awaited
        self._waits = bool(awaited)
        self.bodies: defaultdict[int, bytearray] = defaultdict(bytearray)

    async def read(self) -> None:
        """Read to the end. Raises NotAnswered."""
        while not self._waits or self._awaited:
            try:
                async with asyncio.timeout(ENDS_S if self._waits else QUIET_S):
                    head = await self._reader.readexactly(9)
                    high, low, kind, flags, stream = _HEAD.unpack(head)
                    if (size := high << 8 | low) > _FRAME_MAX:
                        raise NotAnswered(f"the server sent a frame of {size} bytes")
                    payload = await self._reader.readexactly(size)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            except TimeoutError:
                if self._waits:
                    raise NotAnswered(f"the calls on the streams {sorted(self._awaited)} did not end") from None
                return
            self._take(kind, flags, stream, payload)

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA:
            self.bodies[stream] += payload
        if (kind in (DATA, HEADERS) and flags & END_STREAM) or kind == RST_STREAM:
            self._awaited.discard(stream)
        elif kind == GOAWAY:
            last = int.from_bytes(payload[:4])
            self._awaited = {one for one in self._awaited if one <= last}
        elif kind in (SETTINGS, PING) and not flags & ACK:
            self._writer.write(frame(kind, ACK, 0, payload if kind == PING else b""))
