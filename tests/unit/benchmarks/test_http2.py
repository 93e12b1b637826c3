"""The load's HTTP/2 client reads what a server sends, in whatever pieces it comes, and tells answers from failures."""

import asyncio
import struct

import pytest

from benchmarks.call import Unanswered
from benchmarks.http2 import Connection, framed

DATA, HEADERS, END_STREAM, PADDED = 0, 1, 1, 8
ANSWER = framed(b"an answer")


class Wire:
    """Stands in for a transport: notes what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, frames: bytes) -> None:
        self.written.append(frames)


class Heard:
    """A call that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def answered(self, body: bytes) -> None:
        self.told.append(body)

    def refused(self) -> None:
        self.told.append("refused")

    def failed(self, why: Unanswered) -> None:
        self.told.append(str(why))


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def answer_to(stream: int, body: bytes = ANSWER) -> bytes:
    return frame(HEADERS, 4, stream, b"h") + frame(DATA, 0, stream, body) + frame(HEADERS, 4 | END_STREAM, stream, b"t")


def connected() -> tuple[Connection, Wire]:
    connection, wire = Connection("/a.Service/Method", "127.0.0.1:1"), Wire()
    connection.connection_made(wire)
    wire.written.clear()
    return connection, wire


@pytest.mark.parametrize("step", [1, 2, 7, 10, 1000])
def test_an_answer_may_come_in_any_pieces(step: int) -> None:
    connection, _ = connected()
    calls = [Heard() for _ in range(3)]
    for number, call in enumerate(calls):
        connection.start(framed(b"%d" % number), call)
    sent = b"".join(answer_to(stream, framed(b"to %d" % stream)) for stream in (5, 1, 3))
    for at in range(0, len(sent), step):
        connection.data_received(sent[at : at + step])
    assert [call.told for call in calls] == [[framed(b"to %d" % stream)] for stream in (1, 3, 5)]


def test_a_body_may_come_in_several_frames_and_be_padded() -> None:
    connection, _ = connected()
    call = Heard()
    connection.start(ANSWER, call)
    padded = b"\x03" + ANSWER[4:] + bytes(3)
    connection.data_received(frame(DATA, 0, 1, ANSWER[:4]) + frame(DATA, PADDED | END_STREAM, 1, padded))
    assert call.told == [ANSWER]


def test_trailers_alone_are_a_refusal_and_trailers_after_headers_a_failure() -> None:
    connection, _ = connected()
    refused, failed = Heard(), Heard()
    connection.start(ANSWER, refused)
    connection.start(ANSWER, failed)
    connection.data_received(frame(HEADERS, 4 | END_STREAM, 1, b"t"))
    connection.data_received(frame(HEADERS, 4, 3, b"h") + frame(HEADERS, 4 | END_STREAM, 3, b"t"))
    assert refused.told == ["refused"]
    assert failed.told == ["a call ended with an error instead of an answer"]


def test_calls_that_answers_bring_about_are_written_together() -> None:
    connection, wire = connected()

    class Again(Heard):
        def answered(self, body: bytes) -> None:
            super().answered(body)
            connection.start(ANSWER, Heard())

    for _ in range(4):
        connection.start(ANSWER, Again())
    assert len(wire.written) > 1
    wire.written.clear()
    connection.data_received(b"".join(map(answer_to, (1, 3, 5, 7))))
    assert len(wire.written) == 1
    assert wire.written[0].count(ANSWER) == 4


def test_a_call_that_the_window_has_no_room_for_waits_for_it() -> None:
    connection, wire = connected()
    large = framed(bytes(60_000))
    for _ in range(2):
        connection.start(large, Heard())
    headers = 300
    assert 60_000 < sum(map(len, wire.written)) < 65_535 + headers  # the window before a server grants more
    wire.written.clear()
    for stream in (0, 3):
        connection.data_received(frame(8, 0, stream, struct.pack(">I", 100_000)))
    assert sum(map(len, wire.written)) > 50_000


def test_whoever_awaits_a_call_is_given_the_failure_of_its_connection() -> None:
    async def ask() -> None:
        connection, _ = connected()
        call = asyncio.ensure_future(connection.call(ANSWER))
        await asyncio.sleep(0)
        connection.connection_lost(None)
        await call

    with pytest.raises(Unanswered, match="the connection was lost"):
        asyncio.run(ask())
