"""Frames of HTTP/2 (RFC 9113), true ones and others: what may be changed about one, or about their order."""

import random
import struct
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.attacks.connection import (
    ACK,
    CONTINUATION,
    END_HEADERS,
    GOAWAY,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)

_HEAD: Final = struct.Struct(">HBBBI")
PADDED, PRIORITISED, PUSH_PROMISE = 8, 32, 5
_EDGES: Final = (0, 1, 8, 9, 255, 16_383, 16_384, 16_385, 65_535, 2**20, 2**24 - 1)
_STREAMS: Final = (0, 1, 2, 3, 4, 5, 7, 9, 99, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1)
_SETTINGS: Final = {  # by number (RFC 9113, 6.5.2): values that are allowed, and others
    1: (0, 1, 4096, 2**20, 2**32 - 1),
    2: (0, 1, 2),
    3: (0, 1, 100, 2**32 - 1),
    4: (0, 1, 65_535, 2**31 - 1, 2**31, 2**32 - 1),
    5: (0, 16_383, 16_384, 2**24 - 1, 2**24),
    6: (0, 1, 8192, 2**32 - 1),
    8: (0, 1, 2),
    77: (0, 2**32 - 1),
}
CODES: Final = (0, 1, 2, 7, 8, 11, 13, 14, 2**32 - 1)
"""Of RST_STREAM and GOAWAY (RFC 9113, 7), and one that is none."""
_GIFTS: Final = (0, 1, 1000, 65_535, 2**31 - 1, 2**31, 2**32 - 1)


@dataclass(frozen=True)
class Frame:
    """A frame, or bytes that are none: ``size`` and ``kind`` may lie."""

    kind: int
    flags: int = 0
    stream: int = 0
    payload: bytes = b""
    size: int | None = None

    def __bytes__(self) -> bytes:
        size = len(self.payload) if self.size is None else self.size
        return _HEAD.pack(size >> 8, size & 255, self.kind, self.flags, self.stream) + self.payload


def settings(chance: random.Random) -> bytes:
    """Return the payload of a SETTINGS frame, whose values need not be allowed."""
    numbers = chance.choices([*_SETTINGS], k=chance.choice((0, 1, 3, 9)))
    return b"".join(struct.pack(">HI", number, chance.choice(_SETTINGS[number])) for number in numbers)


def control(chance: random.Random) -> Frame:
    """Return a frame of those that carry no call; many are not allowed where they then stand."""
    stream = chance.choice((0, 0, 1, 3, 5, 7))
    last = struct.pack(">II", chance.choice(_STREAMS), chance.choice(CODES))
    return chance.choice(
        (
            Frame(SETTINGS, chance.choice((0, 0, ACK)), chance.choice((0, 0, 0, 1)), settings(chance)),
            Frame(PING, chance.choice((0, ACK)), 0, chance.randbytes(chance.choice((8, 8, 8, 7, 9)))),
            Frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", chance.choice(_GIFTS))),
            Frame(RST_STREAM, 0, stream, struct.pack(">I", chance.choice(CODES))),
            Frame(GOAWAY, 0, chance.choice((0, 0, 1)), last + b"x" * chance.choice((0, 9))),
            Frame(PRIORITY, 0, stream, struct.pack(">IB", chance.choice(_STREAMS), 15)),
            Frame(PUSH_PROMISE, END_HEADERS, stream, struct.pack(">I", 2) + b"\x82\x86\x84"),
            Frame(CONTINUATION, chance.choice((0, END_HEADERS)), stream, b"\x83"),
            Frame(chance.randrange(10, 256), chance.randrange(256), stream, chance.randbytes(chance.randrange(30))),
        )
    )


def mutate(frames: list[Frame], chance: random.Random) -> None:
    """Change one thing about one frame, or about their order."""
    if not frames:
        return
    place = chance.randrange(len(frames))
    one = frames[place]
    match chance.randrange(12):
        case 8:
            frames[place : place + 1] = [one] * chance.choice((2, 2, 3, 30))
        case 9:
            del frames[place]
        case 10:
            frames.insert(chance.randrange(len(frames)), frames.pop(place))
        case 11:
            frames.insert(place, control(chance))
        case _:
            frames[place] = _changed(one, chance)


def _changed(one: Frame, chance: random.Random) -> Frame:
    """Return a frame of which one part is another."""
    changed = bytearray(one.payload)
    for _ in range(chance.choice((1, 1, 2, 6)) if changed else 0):
        changed[chance.randrange(len(changed))] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
    size = len(one.payload)
    return chance.choice(
        (
            replace(one, size=chance.choice((*_EDGES, size + 1, max(0, size - 1)))),
            replace(one, kind=chance.choice((*range(11), 255))),
            replace(one, flags=one.flags ^ 1 << chance.randrange(8)),
            replace(one, stream=chance.choice(_STREAMS)),
            replace(one, payload=bytes(changed)),
            replace(one, payload=bytes(changed)),
            replace(one, payload=one.payload[: chance.randint(0, size)]),
            replace(one, payload=one.payload + chance.randbytes(chance.choice((1, 5, 300)))),
        )
    )
