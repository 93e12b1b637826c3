"""A gRPC client that costs next to nothing: frames of HTTP/2 (RFC 9113) with everything made beforehand.

grpc.aio needs about as much CPU for a call as the servers that are measured here, and a load that is the bottleneck
measures itself. This one needs a twentieth of that. It knows what a benchmark on loopback needs: one method to a
connection, messages as bytes, both sides' flow control. Headers are not decoded: a call that is answered has a message,
and one that is refused has nothing but trailers.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from benchmarks.call import Awaited, Call, Stream, Unanswered
from benchmarks.shown import NOTHING, Shown

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD: Final = struct.Struct(">HBBBI")  # length (its upper 16 bits, its lower 8), type, flags, stream
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 1, 1, 4, 8
_INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 4, 5
_WINDOW_MAX: Final = 2**31 - 1
_WINDOW_REFILL: Final = 2**29
"""A quarter of what the servers may send before they hear again: a round's answers to one stream stay below it."""
_DEFAULT_WINDOW: Final = 65_535
_POST: Final = b"\x83"
_HTTP, _HTTPS = b"\x86", b"\x87"
_AUTHORIZATION: Final = b"\x0f\x08"
"""The header by its number in the static table, to be kept in no table: grpcio sends a token in full with each call."""
_KNOWN: Final = bytes(0x80 | index for index in (66, 65, 64, 63, 62))
"""The five headers below, once they are in the server's table (RFC 7541): the last one in has number 62."""


def framed(message: bytes) -> bytes:
    """Return a message as gRPC puts it into a body."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _head(length: int, kind: int, flags: int, stream: int) -> bytes:
    return _HEAD.pack(length >> 8, length & 255, kind, flags, stream)


def _literal(first: int, *texts: bytes) -> bytes:
    return bytes([first]) + b"".join(bytes([len(text)]) + text for text in texts)


def _authorization(token: str) -> bytes:
    value = f"Bearer {token}".encode("ascii")
    # A length of 127 or more in seven bits and then in bytes of seven, the lowest first (RFC 7541, section 5.1).
    length = bytes([127, (len(value) - 127) & 127 | 128, (len(value) - 127) >> 7])
    return _AUTHORIZATION + length + value


class Connection(asyncio.Protocol):
    """Calls of one method on one connection of its own."""

    def __init__(self, method: str, address: str, timeout_s: int = 20, shown: Shown = NOTHING) -> None:
        """Prepare for calls that have ``timeout_s`` seconds, as their servers are told."""
        host, _, port = address.rpartition(":")
        self._endpoint, self._tls = (host, int(port)), shown.tls
        pseudo = _POST + (_HTTP if shown.tls is None else _HTTPS)
        authorization = _authorization(shown.token) if shown.token else b""
        self._block = pseudo + _KNOWN + authorization
        # The heads of both frames of a call, and the headers between them.
        self._request = struct.Struct(f">HBBBI{len(self._block)}sHBBBI")
        size = len(self._block)
        self._request_headers = (size >> 8, size & 255, _HEADERS, _END_HEADERS)
        self._first = (
            pseudo
            + b"".join(
                (
                    _literal(0x44, method.encode()),
                    _literal(0x41, address.encode()),
                    _literal(0x5F, b"application/grpc"),
                    _literal(0x40, b"te", b"trailers"),
                    _literal(0x40, b"grpc-timeout", b"%dS" % timeout_s),
                )
            )
            + authorization
        )
        self._next_stream = 1
        self._streams: dict[int, Stream] = {}
        self._received, self._outgoing, self._is_reading = b"", list[bytes](), False
        self._window, self._stream_window, self._frame_max = _DEFAULT_WINDOW, _DEFAULT_WINDOW, 16_384
        self._unsent: deque[tuple[int, memoryview, bool]] = deque()
        self._taken = 0

    async def open(self) -> "Connection":
        """Connect."""
        await asyncio.get_running_loop().create_connection(lambda: self, *self._endpoint, ssl=self._tls)
        return self

    def connection_made(self, transport: Any) -> None:
        """Say how much may be sent here: all there is."""
        self._transport = transport
        settings = struct.pack(">HIHI", _INITIAL_WINDOW_SIZE, _WINDOW_MAX, _MAX_FRAME_SIZE, 2**20)
        window = struct.pack(">I", _WINDOW_MAX - _DEFAULT_WINDOW)
        opening = _head(len(settings), _SETTINGS, 0, 0) + settings + _head(4, _WINDOW_UPDATE, 0, 0) + window
        transport.write(_PREFACE + opening)

    def close(self) -> None:
        """Disconnect. The end of TLS is not waited for: the event loop may end now."""
        if self._tls is None:
            self._transport.close()
        else:
            self._transport.abort()

    async def call(self, body: bytes) -> bytes:
        """Send a framed message and return the framed answer. Raises Unanswered."""
        call = Awaited()
        self.start(body, call)
        answer: bytes = await call.ended
        return answer

    def start(self, body: bytes, call: Call) -> None:
        """Send a framed message; ``call`` hears what becomes of it."""
        number, size = self._next_stream, len(body)
        if number == 1 or self._unsent or size > min(self._window, self._stream_window, self._frame_max):
            self._send(self._begin(Stream(self._stream_window, call)), body, ends=True)
            return
        self._next_stream = number + 2
        self._window -= size
        self._streams[number] = Stream(self._stream_window - size, call)
        high, low = size >> 8, size & 255
        heads = self._request.pack(*self._request_headers, number, self._block, high, low, _DATA, _END_STREAM, number)
        self._write(heads + body)

    def begin(self, on_messages: Callable[[int], None]) -> int:
        """Begin a stream of messages: ``on_messages`` hears how many answers came. Returns the stream's number."""
        return self._begin(Stream(self._stream_window, Awaited(), on_messages))

    def send(self, stream: int, body: bytes) -> None:
        """Send framed messages on a stream."""
        self._send(stream, body, ends=False)

    async def end(self, stream: int) -> None:
        """Say that no more messages come, and wait for the server to end the stream too."""
        call = self._streams[stream].call
        self._send(stream, b"", ends=True)
        if isinstance(call, Awaited):
            await call.ended

    def _begin(self, stream: Stream) -> int:
        number, self._next_stream = self._next_stream, self._next_stream + 2
        self._streams[number] = stream
        block = self._first if number == 1 else self._block
        self._write(_head(len(block), _HEADERS, _END_HEADERS, number) + block)
        return number

    def _send(self, number: int, body: bytes, *, ends: bool) -> None:
        size, stream = len(body), self._streams[number]
        if not self._unsent and size <= min(self._window, stream.window, self._frame_max):  # as nearly always
            self._window -= size
            stream.window -= size
            self._write(_head(size, _DATA, _END_STREAM if ends else 0, number) + body)
            return
        self._unsent.append((number, memoryview(body), ends))
        self._send_more()

    def _write(self, frames: bytes) -> None:
        """Send frames: those that answers bring about together, once all that was received is read."""
        if self._is_reading:
            self._outgoing.append(frames)
        else:
            self._transport.write(frames)

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
                self._write(_head(length, _DATA, _END_STREAM if last else 0, number) + bytes(rest[:length]))
                if length < len(rest):
                    self._unsent[0] = number, rest[length:], ends
                    continue
            self._unsent.popleft()

    def data_received(self, data: bytes) -> None:
        """Take the frames that are complete."""
        self._is_reading = True
        if self._received:
            data = self._received + data
        at, size, unpack, streams = 0, len(data), _HEAD.unpack_from, self._streams
        while size - at >= 9:
            high, low, kind, flags, number = unpack(data, at)
            begins_at = at + 9
            ends_at = begins_at + (high << 8 | low)
            if size < ends_at:
                break
            at = ends_at
            if kind == _DATA:
                self._take(streams[number & _WINDOW_MAX], flags, data[begins_at:ends_at])
            elif kind == _HEADERS and not flags & _END_STREAM:
                streams[number & _WINDOW_MAX].has_begun = True
            elif kind != _HEADERS:
                self._controlled(kind, flags, number & _WINDOW_MAX, data[begins_at:ends_at])
            if flags & _END_STREAM and kind in (_DATA, _HEADERS):
                streams.pop(number & _WINDOW_MAX).end()
        self._received = data[at:]
        self._is_reading = False
        if self._outgoing:
            self._transport.write(b"".join(self._outgoing))
            self._outgoing.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the calls that wait."""
        self._fail(f"the connection was lost: {exc}")

    def _take(self, stream: Stream, flags: int, payload: bytes) -> None:
        self._taken += len(payload)
        if self._taken > _WINDOW_REFILL:
            self._write(_head(4, _WINDOW_UPDATE, 0, 0) + struct.pack(">I", self._taken))
            self._taken = 0
        if flags & _PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        stream.take(payload)

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
            self._write(_head(8, _PING, _ACK, 0) + payload)
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
        self._write(_head(0, _SETTINGS, _ACK, 0))

    def _fail(self, why: str) -> None:
        for stream in self._streams.values():
            stream.call.failed(Unanswered(why))
