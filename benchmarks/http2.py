"""A gRPC client that costs next to nothing: frames of HTTP/2 (RFC 9113) with everything made beforehand.

grpc.aio needs about as much CPU for a call as the servers that are measured here, and a load that is the bottleneck
measures itself. This one needs a twentieth of that. It knows what a benchmark on loopback needs: one method to a
connection, messages as bytes, both sides' flow control. Headers are not decoded: a call that is answered has a message.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD: Final = struct.Struct(">HBBBI")  # length (its upper 16 bits, its lower 8), type, flags, stream
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 1, 1, 4, 8
_INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 4, 5
_WINDOW_MAX: Final = 2**31 - 1
_WINDOW_REFILL: Final = 2**29
"""A quarter of what the servers may send before they hear again: a round's answers to one stream stay below it."""
_DEFAULT_WINDOW: Final = 65_535
_STATIC: Final = b"\x83\x86"  # :method POST, :scheme http
_KNOWN: Final = bytes(0x80 | index for index in (66, 65, 64, 63, 62))
"""The five headers below, once they are in the server's table (RFC 7541): the last one in has number 62."""


class Unanswered(SystemExit):
    """A call ended without the message that it must have, or the connection did."""


def framed(message: bytes) -> bytes:
    """Return a message as gRPC puts it into a body."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _head(length: int, kind: int, flags: int, stream: int) -> bytes:
    return _HEAD.pack(length >> 8, length & 255, kind, flags, stream)


def _literal(first: int, *texts: bytes) -> bytes:
    return bytes([first]) + b"".join(bytes([len(text)]) + text for text in texts)


class _Stream:
    """One call: what its server may still be sent, and what came."""

    __slots__ = ("body", "ended", "on_messages", "window")

    def __init__(self, window: int, ended: asyncio.Future[bytes], on_messages: Callable[[int], None] | None) -> None:
        self.window = window
        self.body = bytearray()
        self.ended = ended
        self.on_messages = on_messages


class Connection(asyncio.Protocol):
    """Calls of one method on one connection of its own."""

    def __init__(self, method: str, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._endpoint = (host, int(port))
        self._first = _STATIC + b"".join(
            (
                _literal(0x44, method.encode()),
                _literal(0x41, address.encode()),
                _literal(0x5F, b"application/grpc"),
                _literal(0x40, b"te", b"trailers"),
                _literal(0x40, b"grpc-timeout", b"20S"),
            )
        )
        self._next_stream = 1
        self._streams: dict[int, _Stream] = {}
        self._received = bytearray()
        self._window, self._stream_window, self._frame_max = _DEFAULT_WINDOW, _DEFAULT_WINDOW, 16_384
        self._unsent: deque[tuple[int, memoryview, bool]] = deque()
        self._taken = 0

    async def open(self) -> "Connection":
        """Connect."""
        await asyncio.get_running_loop().create_connection(lambda: self, *self._endpoint)
        return self

    def connection_made(self, transport: Any) -> None:
        """Say how much may be sent here: all there is."""
        self._transport = transport
        settings = struct.pack(">HIHI", _INITIAL_WINDOW_SIZE, _WINDOW_MAX, _MAX_FRAME_SIZE, 2**20)
        window = struct.pack(">I", _WINDOW_MAX - _DEFAULT_WINDOW)
        opening = _head(len(settings), _SETTINGS, 0, 0) + settings + _head(4, _WINDOW_UPDATE, 0, 0) + window
        transport.write(_PREFACE + opening)

    def close(self) -> None:
        """Disconnect."""
        self._transport.close()

    async def call(self, body: bytes) -> bytes:
        """Send a framed message and return the framed answer. Raises Unanswered."""
        number, stream = self._begin(None)
        self._send(number, body, ends=True)
        return await stream.ended

    def begin(self, on_messages: Callable[[int], None]) -> int:
        """Begin a stream of messages: ``on_messages`` hears how many answers came. Returns the stream's number."""
        return self._begin(on_messages)[0]

    def send(self, stream: int, body: bytes) -> None:
        """Send framed messages on a stream."""
        self._send(stream, body, ends=False)

    async def end(self, stream: int) -> None:
        """Say that no more messages come, and wait for the server to end the stream too."""
        ended = self._streams[stream].ended
        self._send(stream, b"", ends=True)
        await ended

    def _begin(self, on_messages: Callable[[int], None] | None) -> tuple[int, _Stream]:
        number, self._next_stream = self._next_stream, self._next_stream + 2
        stream = _Stream(self._stream_window, asyncio.get_running_loop().create_future(), on_messages)
        self._streams[number] = stream
        block = self._first if number == 1 else _STATIC + _KNOWN
        self._transport.write(_head(len(block), _HEADERS, _END_HEADERS, number) + block)
        return number, stream

    def _send(self, number: int, body: bytes, *, ends: bool) -> None:
        size, stream = len(body), self._streams[number]
        if not self._unsent and size <= min(self._window, stream.window, self._frame_max):  # as nearly always
            self._window -= size
            stream.window -= size
            self._transport.write(_head(size, _DATA, _END_STREAM if ends else 0, number) + body)
            return
        self._unsent.append((number, memoryview(body), ends))
        self._send_more()

    def _send_more(self) -> None:
        """Send what the windows allow, in order."""
        while self._unsent:
            number, rest, ends = self._unsent[0]
            if (stream := self._streams.get(number)) is not None:  # else answered before all of it was sent
                length = min(self._window, stream.window, self._frame_max, len(rest))
                if rest and length <= 0:
                    return
                self._window -= length
                stream.window -= length
                last = ends and length == len(rest)
                self._transport.write(_head(length, _DATA, _END_STREAM if last else 0, number) + bytes(rest[:length]))
                if length < len(rest):
                    self._unsent[0] = number, rest[length:], ends
                    continue
            self._unsent.popleft()

    def data_received(self, data: bytes) -> None:
        """Take the frames that are complete."""
        self._received += data
        received, at = self._received, 0
        while len(received) - at >= 9:
            high, low, kind, flags, number = _HEAD.unpack_from(received, at)
            ends_at = at + 9 + (high << 8 | low)
            if len(received) < ends_at:
                break
            if kind in (_DATA, _HEADERS):
                self._answered(number & _WINDOW_MAX, kind, flags, received[at + 9 : ends_at])
            else:
                self._controlled(kind, flags, number & _WINDOW_MAX, bytes(received[at + 9 : ends_at]))
            at = ends_at
        del received[:at]

    def connection_lost(self, exc: Exception | None) -> None:
        """End the calls that wait."""
        self._fail(f"the connection was lost: {exc}")

    def _answered(self, number: int, kind: int, flags: int, payload: bytearray) -> None:
        stream = self._streams[number]
        if kind == _DATA:
            self._taken += len(payload)
            if self._taken > _WINDOW_REFILL:
                self._transport.write(_head(4, _WINDOW_UPDATE, 0, 0) + struct.pack(">I", self._taken))
                self._taken = 0
            stream.body += payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload
            if stream.on_messages is not None and (count := _take_messages(stream.body)):
                stream.on_messages(count)
        if flags & _END_STREAM:
            del self._streams[number]
            if stream.on_messages is None and len(stream.body) < 5:
                stream.ended.set_exception(Unanswered("a call ended with an error instead of an answer"))
            elif not stream.ended.done():
                stream.ended.set_result(bytes(stream.body))

    def _controlled(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if kind == _WINDOW_UPDATE:
            grown = int.from_bytes(payload, "big") & _WINDOW_MAX
            if not number:
                self._window += grown
            elif number in self._streams:
                self._streams[number].window += grown
            self._send_more()
        elif kind == _SETTINGS and not flags & _ACK:
            self._agree_to(struct.iter_unpack(">HI", payload))
            self._send_more()
        elif kind == _PING and not flags & _ACK:
            self._transport.write(_head(8, _PING, _ACK, 0) + payload)
        elif kind in (_RST_STREAM, _GOAWAY):
            self._fail(f"the server ended a call or the connection: {payload!r}")

    def _agree_to(self, settings: Iterable[tuple[int, int]]) -> None:
        for name, value in settings:
            if name == _MAX_FRAME_SIZE:
                self._frame_max = value
            elif name == _INITIAL_WINDOW_SIZE:
                for stream in self._streams.values():
                    stream.window += value - self._stream_window
                self._stream_window = value
        self._transport.write(_head(0, _SETTINGS, _ACK, 0))

    def _fail(self, why: str) -> None:
        for stream in self._streams.values():
            if not stream.ended.done():
                stream.ended.set_exception(Unanswered(why))


def _take_messages(body: bytearray) -> int:
    """Remove the complete messages from a body and return how many they were."""
    count = at = 0
    while len(body) - at >= 5 and len(body) >= (end := at + 5 + int.from_bytes(body[at + 1 : at + 5], "big")):
        count, at = count + 1, end
    del body[:at]
    return count
