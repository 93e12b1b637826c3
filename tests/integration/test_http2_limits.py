"""The limits of HTTP/2 (RFC 9113), seen on the wire: what the server announces, and whom it sends away."""

import struct

from benchmarks.attacks.connection import GOAWAY, PING, SETTINGS
from tests.integration.deployment import Server
from tests.integration.http2_frames import connected, frame, frames

MAX_CONCURRENT_STREAMS, ENHANCE_YOUR_CALM = 3, 11


def test_a_connection_is_told_that_it_may_have_a_hundred_calls_at_once(server: Server) -> None:
    with connected(server) as wire:
        payload = next(payload for kind, *_, payload in frames(wire) if kind == SETTINGS)
    assert dict(struct.iter_unpack(">HI", payload))[MAX_CONCURRENT_STREAMS] == 100


def test_a_client_that_pings_without_end_is_told_to_calm_down(server: Server) -> None:
    with connected(server) as wire:
        wire.sendall(frame(PING, bytes(8)) * 10)
        payload = next(payload for kind, *_, payload in frames(wire) if kind == GOAWAY)
    assert int.from_bytes(payload[4:8]) == ENHANCE_YOUR_CALM
