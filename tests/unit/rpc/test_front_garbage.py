"""Bytes that mean nothing, and messages that mean little: the native front lives on, and reads as protobuf does."""

import asyncio
import random

from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from onecode.v1 import recognition_pb2 as pb
from onecode.v1 import recognition_pb2_grpc as pb_grpc

from benchmarks.attacks.connection import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    SETTINGS,
    call_headers,
    field,
    frame,
    message,
)
from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_driver import SERVICE, Driver, Wire, bytes_call, channel, driven, until

pytestmark = NEEDS_FRONT

PLAIN = pb.VerifyRequest(code=b"c", host_region="420000")
CONNECTIONS = 300


def _frames(chance: random.Random) -> list[bytes]:
    """Return frames of which most are valid by themselves, in an order that seldom is."""
    made = []
    for _ in range(chance.randint(1, 40)):
        method = chance.choice(["Verify", "BatchVerify", "StreamVerify", "Translate"])
        head = call_headers(chance.choice([SERVICE, "/x/"]) + method)
        if chance.random() < 0.2:
            head += field(b"grpc-timeout", chance.choice([b"1n", b"1S", b"99999999H", b"x"]))
        body = message(chance.choice([PLAIN.SerializeToString(), chance.randbytes(chance.randint(0, 300))]))
        cut = chance.randint(0, len(body))
        stream = chance.choice([0, 1, 1, 3, 3, 5, 7, 8, 2**31 - 1])
        made.append(
            chance.choice(
                [
                    frame(HEADERS, END_HEADERS, stream, head),
                    frame(HEADERS, END_HEADERS | chance.choice([0, END_STREAM]), stream, head),
                    frame(DATA, chance.choice([0, END_STREAM]), stream, chance.choice([body, body[:cut], body[cut:]])),
                    frame(DATA, END_STREAM, stream, body * 3),
                    frame(
                        chance.randint(0, 12), chance.randint(0, 255), stream, chance.randbytes(chance.randint(0, 40))
                    ),
                    frame(3, 0, stream, b"\0\0\0\x08"),
                    frame(8, 0, stream, chance.choice([b"\0\0\0\1", b"\x7f\xff\xff\xff", b"\0\0\0\0"])),
                    frame(SETTINGS, 0, 0, chance.choice([b"\0\4\0\0\0\0", b"\0\4\x7f\xff\xff\xff", b"\0\1\0\0\0\0"])),
                    frame(7, 0, 0, b"\0\0\0\1\0\0\0\0"),
                ]
            )
        )
    if chance.random() < 0.3:
        place = chance.randrange(len(made))
        broken = bytearray(made[place])
        broken[chance.randrange(len(broken))] = chance.randint(0, 255)
        made[place] = bytes(broken)
    return made


async def _offend(driver: Driver, chance: random.Random) -> None:
    wire = await Wire.open(driver)
    wire.send(PREFACE, frame(SETTINGS, 0, 0))
    for made in _frames(chance):
        wire.send(made)
        if chance.random() < 0.3:
            await asyncio.sleep(0)
    await asyncio.sleep(chance.choice([0, 0.01]))
    wire.close()


async def test_frames_in_any_order_leave_nothing_behind():
    chance = random.Random(20)
    async with driven(connections_max=64) as driver, channel(driver) as calls:
        stub = pb_grpc.RecognitionServiceStub(calls)
        for _ in range(CONNECTIONS // 20):
            await asyncio.gather(*(_offend(driver, random.Random(chance.random())) for _ in range(20)))
            assert (await stub.Verify(PLAIN)).verdict.exception_id == "c"
        await calls.close()
        await until(lambda: driver.front.counts().connections == 0)
        await until(lambda: driver.front.is_idle)
        counts = driver.front.counts()
        assert (counts.queued_codes, counts.held_bytes) == (0, 0)


class _Recorder:
    """Records what is handed over, and answers it with nothing."""

    def __init__(self, driver: Driver) -> None:
        self._front = driver.front
        self.seen: list[tuple[str, list[str], list[bytes]]] = []
        driver.answer = self  # type: ignore[method-assign, assignment]

    def __call__(self, ticket: int, kind: str, hosts: list[str], codes: list[bytes]) -> None:
        self.seen.append((kind, hosts, codes))
        if kind in ("batch", "message"):
            self._front.answer_whole(ticket, b"")
        else:
            self._front.fail(ticket, (0, "", b""))


_TAGS = st.sampled_from([b"\x0a", b"\x12", b"\x1a", b"\x08", b"\x10", b"\x8a\x00", b"\x92\x00", b"\x25"])
_VALUES = st.sampled_from([b"\x06420000", b"\x06110000", b"\x01c", b"\x00", b"\x86\x00420000", b"\x05", b"\xff\x01"])
_PIECES = st.builds(lambda tag, value: tag + value, _TAGS, _VALUES) | st.binary(max_size=4)
_MESSAGES = st.lists(_PIECES, max_size=5).map(b"".join)


def _as_protobuf(kind: type, made: bytes) -> tuple[str, list[bytes]] | None:
    try:
        request = kind.FromString(made)  # type: ignore[attr-defined]
    except DecodeError:
        return None
    return request.host_region, list(request.codes) if kind is pb.BatchVerifyRequest else [request.code]


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.sampled_from(["Verify", "BatchVerify", "StreamVerify"]), _MESSAGES), min_size=50, max_size=50)
)
def test_plain_messages_are_read_as_protobuf_reads_them(made):
    kinds = {"Verify": pb.VerifyRequest, "BatchVerify": pb.BatchVerifyRequest, "StreamVerify": pb.StreamVerifyRequest}

    async def run() -> None:
        async with driven() as driver, channel(driver) as calls:
            recorder = _Recorder(driver)
            for method, whole in made:
                recorder.seen.clear()
                async for _ in bytes_call(calls, method)([whole]):
                    pass
                for kind, hosts, codes in recorder.seen:
                    if kind == "message":
                        assert codes == [whole]
                    else:
                        assert (hosts[0], codes) == _as_protobuf(kinds[method], whole)

    asyncio.run(run())
