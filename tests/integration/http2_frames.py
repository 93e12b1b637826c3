"""HTTP/2 as it is on the wire (RFC 9113): frames for callers that behave as no library would let them."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.integration.deployment import Server

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK, END_STREAM, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE: Final = 4
CANCEL: Final = struct.pack(">I", 8)
VERIFY: Final = "/onecode.v1.RecognitionService/Verify"


def frame(kind: int, payload: bytes = b"", stream: int = 0, flags: int = 0) -> bytes:
    """Return a frame."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def call(stream: int, method: str = VERIFY) -> bytes:
    """Return the frame that begins a call, its headers written out (RFC 7541, literals that nobody remembers)."""
    fields = {":method": "POST", ":scheme": "http", ":path": method, ":authority": "x", "te": "trailers"}
    fields["content-type"] = "application/grpc"
    parts = (b"\0" + bytes((len(n),)) + n.encode() + bytes((len(v),)) + v.encode() for n, v in fields.items())
    return frame(HEADERS, b"".join(parts), stream, END_HEADERS)


@contextmanager
def connected(server: Server, *settings: tuple[int, int]) -> Iterator[socket.socket]:
    """Open a connection that has said what it must and agreed to what the server says."""
    host, port = server.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=60) as wire:
        payload = b"".join(struct.pack(">HI", *setting) for setting in settings)
        wire.sendall(PREFACE + frame(SETTINGS, payload) + frame(SETTINGS, flags=ACK))
        yield wire


def frames(wire: socket.socket) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield type, flags, stream and payload of each frame until the server hangs up."""
    with wire.makefile("rb") as read:
        while len(head := read.read(9)) == 9:
            yield head[3], head[4], int.from_bytes(head[5:]) & 0x7FFFFFFF, read.read(int.from_bytes(head[:3]))
