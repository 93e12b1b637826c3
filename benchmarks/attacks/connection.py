"""One HTTP/2 connection (RFC 9113) that keeps the rules only as far as an attack wants them kept."""

import asyncio
import ssl
import struct
from typing import Any, Final, Self

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM = ACK = 1
END_HEADERS: Final = 4
INITIAL_WINDOW_SIZE: Final = 4
CANCEL: Final = struct.pack(">I", 8)
WINDOW_MAX: Final = 2**31 - 1
_DEFAULT_WINDOW: Final = 65_535
_FRAME_MAX: Final = 16_384
_STREAM_MAX: Final = 2**31 - 3
_HEAD: Final = struct.Struct(">HBBBI")  # length (its upper 16 bits, its lower 8), type, flags, stream


class Lost(Exception):
    """The server has ended the connection."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return _HEAD.pack(len(payload) >> 8, len(payload) & 255, kind, flags, stream) + payload


def field(name: bytes, value: bytes) -> bytes:
    """Return a header that enters no table (RFC 7541, 6.2.2)."""
    return b"\0" + _text(name) + _text(value)


def _text(text: bytes) -> bytes:
    """Return a string with its length before it: in seven bits, and beyond 126 in further bytes of seven (RFC 7541,
    5.1)."""
    if (rest := len(text) - 127) < 0:
        return bytes([len(text)]) + text
    return bytes([127, rest & 127 | 128, rest >> 7]) + text


def call_headers(method: str) -> bytes:
    """Return what a gRPC call begins with."""
    named = {b":path": method.encode(), b":authority": b"localhost", b"content-type": b"application/grpc"}
    return b"\x83\x86" + b"".join(field(*one) for one in {**named, b"te": b"trailers"}.items())


def message(body: bytes) -> bytes:
    """Return a message as gRPC puts it on a stream."""
    return b"\0" + len(body).to_bytes(4, "big") + body


class Connection(asyncio.Protocol):
    """``window`` is what it lets the server send on each stream before it takes anything: it then takes all, or, where
    ``takes`` is false, nothing for ever."""

    def __init__(self, window: int = WINDOW_MAX, *, takes: bool = True) -> None:
        self._window, self._takes = window, takes
        self._received = bytearray()
        self._next_stream = 1
        self._windows = {0: _DEFAULT_WINDOW}
        self.stream_window = _DEFAULT_WINDOW
        self._window_opened, self._may_write = asyncio.Event(), asyncio.Event()
        self.is_lost = False
        self.resets = 0

    @classmethod
    async def open(
        cls, address: str, window: int = WINDOW_MAX, *, takes: bool = True, tls: ssl.SSLContext | None = None
    ) -> Self:
        """Connect. Raises Lost."""
        host, _, port = address.rpartition(":")
        try:
            _, made = await asyncio.get_running_loop().create_connection(
                lambda: cls(window, takes=takes), host, int(port), ssl=tls
            )
        except OSError as fault:
            raise Lost(fault.strerror) from None
        return made

    def connection_made(self, transport: Any) -> None:
        """Send the preface and the settings."""
        self._transport = transport
        self._may_write.set()
        settings = struct.pack(">HI", INITIAL_WINDOW_SIZE, self._window)
        transport.write(PREFACE + frame(SETTINGS, 0, 0, settings))
        if self._takes:
            transport.write(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW_MAX - _DEFAULT_WINDOW)))

    def pause_writing(self) -> None:
        """Wait with more: the server does not read."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._may_write.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let whoever waits find out."""
        self.is_lost = True
        self._may_write.set()
        self._window_opened.set()

    def data_received(self, data: bytes) -> None:
        """Take the frames that are complete."""
        self._received += data
        at = 0
        while len(self._received) - at >= 9:
            high, low, kind, flags, stream = _HEAD.unpack_from(self._received, at)
            end = at + 9 + (high << 8 | low)
            if len(self._received) < end:
                break
            self._take(kind, flags, stream & WINDOW_MAX, bytes(self._received[at + 9 : end]))
            at = end
        del self._received[:at]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == SETTINGS and not flags & ACK:
            for name, value in struct.iter_unpack(">HI", payload):
                if name == INITIAL_WINDOW_SIZE:
                    for number in self._windows.keys() - {0}:
                        self._windows[number] += value - self.stream_window
                    self.stream_window = value
            self._transport.write(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self._transport.write(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE and stream in self._windows:
            self._windows[stream] += int.from_bytes(payload, "big") & WINDOW_MAX
        elif kind == RST_STREAM:
            self.resets += 1
            self._windows.pop(stream, None)
        elif kind == HEADERS and flags & END_STREAM:
            self._windows.pop(stream, None)
        elif kind == DATA and self._takes and payload:
            self._transport.write(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload))))
        self._window_opened.set()

    @property
    def streams(self) -> int:
        """How many calls the server has not ended."""
        return len(self._windows) - 1

    async def write(self, data: bytes) -> None:
        """Write bytes as they are, once there is room for them. Raises Lost."""
        await self._may_write.wait()
        if self.is_lost:
            raise Lost
        self._transport.write(data)

    def next_stream(self) -> int:
        """Return the number of a stream that the caller opens by itself. Raises Lost after a thousand million."""
        number, self._next_stream = self._next_stream, self._next_stream + 2
        if number > _STREAM_MAX:
            self.close()
            raise Lost
        return number

    async def begin(self, headers: bytes) -> int:
        """Begin a call, and return its stream's number. Raises Lost."""
        number = self.next_stream()
        self._windows[number] = self.stream_window
        await self.write(frame(HEADERS, END_HEADERS, number, headers))
        return number

    async def send(self, stream: int, body: bytes, *, ends: bool = False) -> None:
        """Send a call's bytes as the server takes them; nothing once it has ended the call. Raises Lost."""
        rest = memoryview(body)
        while rest and stream in self._windows:
            length = min(self._windows[0], self._windows[stream], _FRAME_MAX, len(rest))
            if length <= 0:
                self._window_opened.clear()
                await self._window_opened.wait()
                if self.is_lost:
                    raise Lost
                continue
            self._windows[0] -= length
            self._windows[stream] -= length
            await self.write(
                frame(DATA, END_STREAM if ends and length == len(rest) else 0, stream, bytes(rest[:length]))
            )
            rest = rest[length:]

    def close(self) -> None:
        """Disconnect."""
        self._transport.abort()
