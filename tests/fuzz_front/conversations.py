"""HTTP/2 conversations (RFC 9113): calls in frames as a client may send them, and mutants of these."""

import random
import struct
from dataclasses import dataclass, field, replace
from itertools import pairwise

from benchmarks.attacks.connection import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_MAX,
    WINDOW_UPDATE,
)
from tests.fuzz_front import framing, header_blocks
from tests.fuzz_front.frames import CODES, PADDED, PRIORITISED, Frame, control, mutate, settings
from tests.fuzz_front.header_blocks import CHECKS, SERVICE, Header
from tests.fuzz_front.messages import Requests


@dataclass(frozen=True)
class Conversation:
    """What is sent, in pieces; ``awaited`` are the streams whose calls must end, unless the connection does, with the
    names of those methods of which answers can be compared."""

    pieces: list[bytes]
    awaited: dict[int, str] = field(default_factory=dict)


class Conversations:
    """Makes conversations about some codes."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    def calls(self, chance: random.Random) -> Conversation:
        """Return a conversation in valid frames. Headers and bodies of its calls may be odd."""
        frames, awaited = [*_opening(), Frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**30))], {}
        for stream in range(1, 2 * chance.choice((1, 1, 2, 4)), 2):
            headers = header_blocks.odd(chance)
            messages = [self._message(chance) for _ in range(chance.choice((0, 1, 1, 1, 1, 2, 5)))]
            call, is_whole = _call(stream, headers, framing.body(messages, chance), chance)
            frames += call
            if is_whole:
                awaited[stream] = _check_of(headers)
        return Conversation(_pieces(PREFACE + b"".join(map(bytes, frames)), chance), awaited)

    def frames(self, chance: random.Random) -> Conversation:
        """Return a conversation of which frames are mutated, or the bytes as a whole."""
        frames = _opening()
        if chance.random() < 0.5:
            frames[0] = replace(frames[0], payload=settings(chance))
        for stream in range(1, 2 * chance.choice((1, 2, 4, 12)), 2):
            headers = header_blocks.plain(SERVICE + chance.choice((*CHECKS, b"Translate", b"NoSuchMethod")))
            if chance.random() < 0.2:
                headers = header_blocks.odd(chance)
            frames += _call(stream, headers, framing.framed(self._message(chance)), chance)[0]
        for _ in range(chance.choice((0, 1, 2, 5))):
            frames.insert(chance.randrange(len(frames) + 1), control(chance))
        for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
            mutate(frames, chance)
        return Conversation(_pieces(_spoilt(b"".join(map(bytes, frames)), chance), chance))

    def _message(self, chance: random.Random) -> bytes:
        return self._requests.message(chance.choice(CHECKS).decode(), chance)


def _check_of(headers: list[Header]) -> str:
    """Return the method of a check whose answers do not depend on how fast the machine is, else nothing."""
    path = next((value for name, value in headers if name == b":path"), b"")
    timeouts = {value for name, value in headers if name == b"grpc-timeout"}
    name = path.removeprefix(SERVICE)
    return name.decode() if name in CHECKS and timeouts <= header_blocks.LONG else ""


def _opening() -> list[Frame]:
    return [Frame(SETTINGS, 0, 0, struct.pack(">HI", 4, WINDOW_MAX))]


def _call(stream: int, headers: list[Header], body: bytes, chance: random.Random) -> tuple[list[Frame], bool]:
    """Return the frames of a call, and whether its client ends it."""
    block = header_blocks.block(headers, chance)
    ends = chance.random() < 0.9
    frames = _headers(stream, block, 0, chance)
    cuts = sorted(chance.sample(range(len(body) + 1), min(len(body) + 1, chance.choice((0, 0, 1, 3)))))
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        frames.append(_data(stream, body[start:end], chance))
    match chance.randrange(6) if ends else -1:
        case -1:
            if chance.random() < 0.5:
                frames.append(Frame(RST_STREAM, 0, stream, struct.pack(">I", chance.choice(CODES))))
        case 0:
            frames.append(Frame(DATA, END_STREAM, stream))
        case 1:
            frames += _headers(stream, header_blocks.block([(b"x-late", b"1")], chance), END_STREAM, chance)
        case _:
            frames[-1] = replace(frames[-1], flags=frames[-1].flags | END_STREAM)
    return frames, ends


def _headers(stream: int, block: bytes, flags: int, chance: random.Random) -> list[Frame]:
    before, behind = b"", b""
    if chance.random() < 0.15:
        behind = bytes(chance.choice((0, 1, 7, 255)))
        flags, before = flags | PADDED, bytes((len(behind),))
    if chance.random() < 0.15:
        flags |= PRIORITISED
        before += struct.pack(">IB", chance.choice((0, stream + 2, 2**31 + 5)), chance.randrange(256))
    cuts = [0, len(block)]
    if chance.random() < 0.2:
        cuts = [0, *sorted(chance.choices(range(len(block) + 1), k=chance.choice((1, 2, 4)))), len(block)]
    parts = [block[start:end] for start, end in pairwise(cuts)]
    frames = [Frame(HEADERS, flags, stream, before + parts[0] + behind)]
    frames += [Frame(CONTINUATION, 0, stream, part) for part in parts[1:]]
    frames[-1] = replace(frames[-1], flags=frames[-1].flags | END_HEADERS)
    return frames


def _data(stream: int, data: bytes, chance: random.Random) -> Frame:
    if chance.random() < 0.15:
        behind = chance.choice((0, 1, 255))
        return Frame(DATA, PADDED, stream, bytes((behind,)) + data + bytes(behind))
    return Frame(DATA, 0, stream, data)


def _spoilt(sent: bytes, chance: random.Random) -> bytes:
    """Return all bytes of a conversation: the preface, at times another one, and the frames, at times cut."""
    preface = PREFACE
    if chance.random() < 0.05:
        place = chance.randrange(len(PREFACE))
        odd = (
            PREFACE[:place],
            PREFACE * 2,
            PREFACE.lower(),
            b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
            b"\x16\x03\x01",
            b"",
        )
        preface = chance.choice((*odd, PREFACE[:place] + b"\x00" + PREFACE[place + 1 :]))
    if chance.random() < 0.1:
        place = chance.randint(0, len(sent))
        sent = sent[:place] + chance.randbytes(chance.choice((1, 9, 40))) + sent[place:]
    if chance.random() < 0.25:
        sent = sent[: chance.randint(0, len(sent))]
    return preface + sent


def _pieces(sent: bytes, chance: random.Random) -> list[bytes]:
    """Return the bytes as they are written: all at once, cut anywhere, or byte by byte."""
    match chance.randrange(8):
        case 0 if len(sent) < 400:
            return [sent[place : place + 1] for place in range(len(sent))]
        case 1 | 2:
            cuts = [0, *sorted(chance.choices(range(len(sent) + 1), k=chance.choice((1, 2, 5)))), len(sent)]
            return [sent[start:end] for start, end in pairwise(cuts)]
        case _:
            return [sent]
