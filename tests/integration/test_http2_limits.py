"""The limits of HTTP/2 (RFC 9113), seen on the wire: what the server announces, and whom it sends away."""

import asyncio
import struct
from contextlib import suppress

from onecode.v1 import recognition_pb2 as pb
from onecode_server.rpc.listener import WINDOW_BYTES

from benchmarks.attacks.connection import GOAWAY, PING, SETTINGS, Connection, call_headers, message
from benchmarks.attacks.holds import BATCH_VERIFY
from tests.integration.deployment import Server
from tests.integration.http2_frames import connected, frame, frames

MAX_CONCURRENT_STREAMS, ENHANCE_YOUR_CALM = 3, 11


def test_a_connection_is_told_that_it_may_have_a_hundred_calls_at_once(server: Server) -> None:
    with connected(server) as wire:
        payload = next(payload for kind, *_, payload in frames(wire) if kind == SETTINGS)
    assert dict(struct.iter_unpack(">HI", payload))[MAX_CONCURRENT_STREAMS] == 100


def test_a_client_that_pings_without_end_is_told_to_calm_down_or_cut_off(server: Server) -> None:
    is_native, payload = server.front() == "native", b""
    with connected(server) as wire, suppress(ConnectionError):
        wire.sendall(frame(PING, bytes(8)) * (10_000 if is_native else 10))
        payload = next((payload for kind, *_, payload in frames(wire) if kind == GOAWAY), b"")  # or it hung up
    assert int.from_bytes(payload[4:8]) == ENHANCE_YOUR_CALM or is_native


async def test_the_window_of_a_call_stays_small_however_much_its_connection_sends(running: Server) -> None:
    connection = await Connection.open(running.address)
    body = message(pb.BatchVerifyRequest(codes=[b"x" * 400] * 4096, host_region="440000").SerializeToString())
    for _ in range(20):
        await connection.send(await connection.begin(call_headers(BATCH_VERIFY)), body, ends=True)
        while connection.streams:  # noqa: ASYNC110 - a connection has no event for it
            await asyncio.sleep(0.001)
    assert connection.stream_window == WINDOW_BYTES
    connection.close()
