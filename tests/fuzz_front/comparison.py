"""Whole calls with odd messages, by the native front and by grpc.aio: all but what time alone changes must be equal."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, Final

from onecode.v1 import recognition_pb2 as pb

from tests.fronts import SERVICE, Caller, Ended
from tests.fuzz_front.messages import METHODS, Requests

RACE: Final = "Internal error from Core"
"""gRPC's client says this by either front where a call ends while it is still sending."""
_ANSWERS: Final[dict[str, Any]] = {
    "Verify": pb.VerifyResponse,
    "BatchVerify": pb.BatchVerifyResponse,
    "StreamVerify": pb.StreamVerifyResponse,
}


LATE_MAX: Final = 20
"""How often a call is repeated because a store did not answer in time, on a machine that is busy with other things."""


class Differs(Exception):
    """The two fronts answered a call differently."""


def is_late(verdict: pb.Verdict) -> bool:
    """Tell whether a verdict says that the store did not answer in time: another server's may have answered."""
    late = (pb.STATUS_STALE, pb.STATUS_UNAVAILABLE)
    return verdict.status in late or verdict.authenticity == pb.AUTHENTICITY_UNVERIFIABLE


class Call:
    """A call with messages of which some are odd."""

    def __init__(self, requests: Requests, chance: random.Random) -> None:
        self.method = chance.choice(METHODS)
        count = chance.choice((0, 1, 1, 2, 6)) if self.method == "StreamVerify" else 1
        self.messages = [
            requests.message(self.method, chance, None if number == 0 or chance.random() < 0.3 else 0)
            for number in range(count)
        ]

    def __str__(self) -> str:
        return f"{self.method} {' '.join(message.hex() or '(empty)' for message in self.messages)}"

    async def compare(self, native: Caller, by_grpc: Caller) -> None:
        """Make the call by both fronts. Raises Differs."""
        for _ in range(LATE_MAX):
            found, expected = await self._ended(native), await self._ended(by_grpc)
            if found == expected:
                return
            if not any(_are_late(self.method, (*found.messages, *expected.messages))):
                break
        raise Differs(f"native: {found}; grpc.aio: {expected}")

    async def _ended(self, caller: Caller) -> Ended:
        path = f"/{SERVICE}/{self.method}"
        if self.method == "StreamVerify":
            while (ended := await caller.stream(path, self._sent())).said == RACE:
                pass
        else:
            ended = await caller.unary(path, self.messages[0])
        return ended._replace(messages=_in_order(self.method, ended.messages))

    async def _sent(self) -> AsyncIterator[bytes]:
        for message in self.messages:
            yield message


def compare_bodies(methods: Mapping[int, str], native: Mapping[int, bytes], by_grpc: Mapping[int, bytes]) -> int:
    """Compare the answers on the streams of checks where both fronts gave one, and return how many these were.

    Where a call's headers are not valid, only one of the fronts may have answered. Where a message of a stream is
    broken, grpc.aio ends the call at once: answers that it has not sent by then are missing. Raises Differs.
    """
    both = [stream for stream, method in methods.items() if method and native.get(stream) and by_grpc.get(stream)]
    for stream in both:
        method = methods[stream]
        found, expected = (_in_order(method, _messages(bodies[stream])) for bodies in (native, by_grpc))
        if method == "StreamVerify" and _is_part(found, expected):
            continue
        if found != expected and not any(_are_late(method, (*found, *expected))):
            raise Differs(f"{method} on stream {stream}: native: {found}; grpc.aio: {expected}")
    return len(both)


def _is_part(some: Iterable[bytes], others: Iterable[bytes]) -> bool:
    """Tell whether all answers of one front are among those of the other one, whichever has more."""
    one, other = Counter(some), Counter(others)
    return one <= other or other <= one


def _are_late(method: str, messages: Iterable[bytes]) -> Iterator[bool]:
    for message in messages:
        answer = _ANSWERS[method].FromString(message)
        yield from map(is_late, answer.verdicts if method == "BatchVerify" else [answer.verdict])


def _messages(body: bytes) -> Iterator[bytes]:
    while body:
        end = 5 + int.from_bytes(body[1:5])
        yield body[5:end]
        body = body[end:]


def _in_order(method: str, messages: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return answers in one order, since those of a stream may come in any."""
    return tuple(sorted(_without_times(method, message) for message in messages))


def _without_times(method: str, message: bytes) -> bytes:
    """Return an answer without what two servers say of one code at different times. Raises Differs."""
    answer = _ANSWERS[method].FromString(message)
    if answer.SerializeToString() != message:
        raise Differs(f"the answer {message.hex()} is not as protobuf writes it")
    answer.ClearField("checked_at")
    for verdict in answer.verdicts if method == "BatchVerify" else [answer.verdict]:
        verdict.ClearField("status_age_s")
    kept: bytes = answer.SerializeToString()
    return kept
