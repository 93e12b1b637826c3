"""StreamVerify by the native front, where a message is broken or cut off: each whole message before it is answered."""

import pytest

from onecode.v1 import recognition_pb2 as pb

from benchmarks.attacks.connection import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    SETTINGS,
    call_headers,
    frame,
    message,
)
from tests.fronts import NEEDS_FRONT
from tests.unit.rpc.front_driver import SERVICE, Wire, driven

pytestmark = NEEDS_FRONT

IDS = (1, 2, 3, 4, 5)
OK, RESOURCE_EXHAUSTED, INTERNAL = 0, 8, 13


def _scan(number: int) -> bytes:
    return message(pb.StreamVerifyRequest(request_id=number, code=b"c", host_region="420000").SerializeToString())


LAST = _scan(6)
BROKEN = {
    "cut off": (LAST[:-1], OK),
    "cut off within its length": (LAST[:3], OK),
    "of an unknown kind": (b"\2" + LAST[1:], OK),
    "compressed": (b"\1" + LAST[1:], INTERNAL),
    "too large": (b"\0\1\0\0\0", RESOURCE_EXHAUSTED),
}


async def _answers(wire: Wire) -> list[int]:
    """Return the request ids of the answers on the first stream, once it has ended."""
    body, found = b"", []
    async for kind, flags, stream, payload in wire:
        body += payload if (kind, stream) == (DATA, 1) else b""
        if (kind, stream) == (HEADERS, 1) and flags & END_STREAM:
            break
    while body:
        end = 5 + int.from_bytes(body[1:5])
        found.append(pb.StreamVerifyResponse.FromString(body[5:end]).request_id)
        body = body[end:]
    return found


@pytest.mark.parametrize("in_one_frame", [True, False], ids=["in one frame", "by itself"])
@pytest.mark.parametrize("name", BROKEN)
async def test_whole_messages_before_a_broken_one_are_answered(name: str, in_one_frame: bool) -> None:
    broken, code = BROKEN[name]
    whole = b"".join(map(_scan, IDS))
    pieces = [whole + broken] if in_one_frame else [whole, broken]
    async with driven() as driver:
        wire = await Wire.open(driver)
        wire.send(PREFACE, frame(SETTINGS, 0, 0))
        wire.send(frame(HEADERS, END_HEADERS, 1, call_headers(SERVICE + "StreamVerify")))
        wire.send(*(frame(DATA, 0, 1, piece) for piece in pieces), frame(DATA, END_STREAM, 1))
        assert await _answers(wire) == [*IDS]
        assert driver.front.counts().methods["StreamVerify"][:4] == (1, len(IDS), len(IDS), {code: 1})
        assert driver.front.is_idle
        wire.close()
