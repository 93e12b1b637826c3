"""HTTP/2 as it is on the wire (RFC 9113): frames for callers that behave as no library would let them."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.attacks.connection import ACK, END_HEADERS, HEADERS, PREFACE, SETTINGS, call_headers
from benchmarks.attacks.floods import VERIFY
from tests.integration.deployment import Server


def frame(kind: int, payload: bytes = b"", stream: int = 0, flags: int = 0) -> bytes:
    """Return a frame."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def call(stream: int, method: str = VERIFY) -> bytes:
    """Return the frame that begins a call."""
    return frame(HEADERS, call_headers(method), stream, END_HEADERS)


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
