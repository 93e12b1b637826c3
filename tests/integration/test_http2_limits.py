"""The limits of HTTP/2 (RFC 9113), seen on the wire: what the server announces, and whom it sends away."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.deployment import Server

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7
MAX_CONCURRENT_STREAMS, ENHANCE_YOUR_CALM = 3, 11


@contextmanager
def connection(server: Server) -> Iterator[socket.socket]:
    host, port = server.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as wire:
        wire.sendall(PREFACE + frame(SETTINGS))
        yield wire


def frame(kind: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, 0)) + bytes(4) + payload


def frames(wire: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Yield the type and payload of each frame until the server hangs up."""
    with wire.makefile("rb") as stream:
        while len(head := stream.read(9)) == 9:
            yield head[3], stream.read(int.from_bytes(head[:3]))


def test_a_connection_is_told_that_it_may_have_a_hundred_calls_at_once(server: Server) -> None:
    with connection(server) as wire:
        payload = next(payload for kind, payload in frames(wire) if kind == SETTINGS)
    assert dict(struct.iter_unpack(">HI", payload))[MAX_CONCURRENT_STREAMS] == 100


def test_a_client_that_pings_without_end_is_told_to_calm_down(server: Server) -> None:
    with connection(server) as wire:
        wire.sendall(frame(PING, bytes(8)) * 10)
        payload = next(payload for kind, payload in frames(wire) if kind == GOAWAY)
    assert int.from_bytes(payload[4:8]) == ENHANCE_YOUR_CALM
