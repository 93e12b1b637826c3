"""The cases of the native front's fuzzer: a seed makes them again, and what it must notice is noticed."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.attacks.connection import END_STREAM, GOAWAY, HEADERS, frame
from tests.fuzz_front import header_blocks, served, wire
from tests.fuzz_front.comparison import Call, Differs, compare_bodies
from tests.fuzz_front.conversations import Conversation, Conversations
from tests.fuzz_front.framing import framed
from tests.fuzz_front.messages import Requests, varint
from tests.fuzz_front.served import Unwell
from tests.fuzz_front.wire import NotAnswered, converse

CODES = [b"NC1:one", b"two"]


def test_a_seed_makes_the_same_cases() -> None:
    made = [
        (
            [Conversations(Requests(CODES)).frames(random.Random(number)) for number in range(100)],
            [Conversations(Requests(CODES)).calls(random.Random(number)) for number in range(100)],
            [str(Call(Requests(CODES), random.Random(number))) for number in range(100)],
        )
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert len({*made[0][2]}) > 50


def test_integers_are_written_as_the_standard_has_them() -> None:
    assert header_blocks.integer(10, 5, 0) == b"\x0a"  # RFC 7541, C.1.1
    assert header_blocks.integer(1337, 5, 0) == b"\x1f\x9a\x0a"  # C.1.2
    assert (varint(300), varint(1, 2)) == (b"\xac\x02", b"\x81\x80\x00")


@pytest.mark.parametrize(
    "line",
    [
        "native front: panic at src/queue.rs:7:1: a panic without a text",
        json.dumps({"level": "error", "logger": "onecode_server.rpc", "message": "unexpected failure"}),
        json.dumps({"level": "critical", "logger": "grpc._cython.cygrpc", "message": "ExecuteBatchError", "where": ""}),
        json.dumps({"level": "error"}),
        "[]",
    ],
)
def test_a_panic_or_an_error_in_the_log_is_noticed(line: str) -> None:
    with pytest.raises(Unwell):
        served._expect_harmless(line)


def test_a_warning_is_no_finding() -> None:
    served._expect_harmless(json.dumps({"level": "warning", "logger": "onecode_server.rpc", "message": "queue full"}))


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """Serve callers who are sent the same bytes whatever they send. Yield the address."""

    async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer_all, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("answer", [b"", frame(HEADERS, 0, 1), frame(HEADERS, END_STREAM, 3), b"\xff" * 9])
async def test_a_call_that_does_not_end_is_noticed(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "ENDS_S", 0.2)
    async with answering(answer) as address:
        with pytest.raises(NotAnswered):
            await converse(address, Conversation([b"any"], {1: "Verify"}), resets=False)


@pytest.mark.parametrize(
    "answer", [frame(HEADERS, END_STREAM, 1), frame(3, 0, 1, bytes(4)), frame(GOAWAY, 0, 0, bytes(8))]
)
async def test_a_call_that_ends_is_over(answer: bytes) -> None:
    async with answering(answer) as address:
        assert await converse(address, Conversation([b"any"], {1: "Verify"}), resets=True) == {}


def test_bodies_that_differ_are_noticed() -> None:
    admitted, other = framed(b"\x0a\x02\x08\x01"), framed(b"\x0a\x02\x08\x03")
    assert compare_bodies({1: "Verify", 3: "", 5: "Verify"}, {1: admitted, 3: other, 5: b""}, {1: admitted}) == 1
    with pytest.raises(Differs):
        compare_bodies({1: "Verify"}, {1: admitted}, {1: other})
    with pytest.raises(Differs, match="not as protobuf writes it"):
        compare_bodies({1: "Verify"}, {1: framed(b"\x10\x00")}, {1: framed(b"\x10\x00")})


def test_a_store_that_did_not_answer_one_server_in_time_is_no_difference() -> None:
    native, by_grpc = framed(b"\x0a\x04\x08\x01\x20\x01"), framed(b"\x0a\x04\x08\x02\x20\x02")  # CURRENT, STALE
    assert compare_bodies({1: "Verify"}, {1: native}, {1: by_grpc}) == 1


def test_a_stream_may_end_before_all_of_its_answers() -> None:
    one, other = framed(b"\x12\x02\x08\x01"), framed(b"\x12\x02\x08\x03")
    assert compare_bodies({1: "StreamVerify"}, {1: one + other}, {1: other}) == 1
    with pytest.raises(Differs):
        compare_bodies({1: "StreamVerify"}, {1: one + one}, {1: other + one})
