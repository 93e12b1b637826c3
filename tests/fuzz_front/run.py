"""A run: case after case over a few connections, in rounds, after each of which the server must be as it was."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from tests.fronts import Caller
from tests.fuzz_front.comparison import Call, Differs, compare_bodies
from tests.fuzz_front.conversations import Conversation, Conversations
from tests.fuzz_front.messages import Requests
from tests.fuzz_front.polite import NotAsBefore, Polite
from tests.fuzz_front.served import Unwell, Watched
from tests.fuzz_front.wire import NotAnswered, converse
from tests.integration.deployment import Server

LANES: Final = 8
"""Connections at once."""
ROUND_CASES: Final = 200
WARM_ROUNDS: Final = 2
"""Rounds until memory and descriptors are what they should stay."""
KINDS: Final = {"frames": 45, "messages": 30, "calls": 25}
"""The kinds of cases: mutated frames, odd messages in whole calls, odd headers and bodies in valid frames."""


@dataclass
class Finding:
    """What was found, and the cases of which one has done it, with their kinds."""

    what: str
    cases: list[int]
    seed: int

    def __str__(self) -> str:
        repeated = " ".join(f"--case {number}" for number in self.cases[:20])
        more = f" and {len(self.cases) - 20} more" if len(self.cases) > 20 else ""
        return f"{self.what}\nagain with: python -m tests.fuzz_front --seed {self.seed} {repeated}{more}"


@dataclass
class Done:
    """What was done, and what was found; ``compared``: answers to calls in frames."""

    cases: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    compared: int = 0
    finding: Finding | None = None


class _Failed(Exception):
    """One case failed by itself."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(what)
        self.number, self.what = number, what


class Run:
    """Fuzzes the native server; the other one has grpc.aio's answers."""

    def __init__(self, seed: int, native: Watched, by_grpc: Server, codes: list[bytes]) -> None:
        self._seed, self._native, self._by_grpc = seed, native, by_grpc
        self._requests = Requests(codes)
        self._conversations = Conversations(self._requests)
        self.polite = Polite(native.address, codes[0], codes[-1])
        self.done = Done()
        self._at_work: set[int] = set()
        self._since_look: set[int] = set()

    async def run(self, numbers: Iterable[int], ends_at_s: float, tell: Callable[[Done], None]) -> Done:
        """Run the cases of these numbers, or those of them for which there is time; stop at a finding."""
        left = iter(numbers)
        while self.done.finding is None and time.monotonic() < ends_at_s:
            cases = list(islice(left, ROUND_CASES))
            if not cases:
                break
            await self._round(cases)
            tell(self.done)
        return self.done

    async def _round(self, numbers: list[int]) -> None:
        """Run a round with callers of its own, so that no connection is left at its end."""
        callers = Caller(self._native.address), Caller(self._by_grpc.address)
        suspects: Iterable[int] = numbers
        try:
            try:
                async with self.polite.calling():
                    await self._in_lanes(numbers, callers)
            finally:
                for caller in callers:
                    await caller.channel.close()
            self.done.rounds += 1
            is_warming = self.done.rounds <= WARM_ROUNDS
            await asyncio.to_thread(self._native.expect_rest, is_warming=is_warming)
        except _Failed as failed:
            self._find(failed.what, [failed.number])
        except NotAsBefore as fault:
            self._find(str(fault), suspects)
        except Unwell as fault:
            self._find(str(fault), self._since_look or suspects)

    def _find(self, what: str, numbers: Iterable[int]) -> None:
        self.done.finding = Finding(what, sorted(numbers), self._seed)

    async def _in_lanes(self, numbers: list[int], callers: tuple[Caller, Caller]) -> None:
        left = iter(numbers)
        lanes = [asyncio.create_task(self._lane(left, callers)) for _ in range(LANES)]
        try:
            await asyncio.gather(*lanes)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.wait(lanes)
        self._since_look.clear()  # a whole round is to blame for what it leaves behind

    async def _lane(self, left: Iterator[int], callers: tuple[Caller, Caller]) -> None:
        for number in left:
            self._at_work.add(number)
            self._since_look.add(number)
            await self._case(number, callers)
            self._at_work.discard(number)
            self._native.expect_alive()
            self._since_look = set(self._at_work)

    async def _case(self, number: int, callers: tuple[Caller, Caller]) -> None:
        """Run one case, which its number and the seed make. Raises _Failed."""
        chance = random.Random(f"{self._seed}/{number}")
        (kind,) = chance.choices([*KINDS], [*KINDS.values()])
        self.done.cases[kind] += 1
        shown = ""
        try:
            if kind == "messages":
                call = Call(self._requests, chance)
                shown = str(call)
                await call.compare(*callers)
            else:
                made = self._conversations.frames if kind == "frames" else self._conversations.calls
                conversation = made(chance)
                shown = b"".join(conversation.pieces).hex()
                await self._converse(conversation, resets=chance.random() < 0.3)
        except (Differs, NotAnswered) as fault:
            self._native.expect_alive()  # else that is the finding
            raise _Failed(number, f"{kind}: {fault}\nsent: {shown[:20_000]}") from None
        except OSError as fault:
            self._native.expect_alive()
            raise _Failed(number, f"{kind}: no connection: {fault}") from None

    async def _converse(self, conversation: Conversation, *, resets: bool) -> None:
        bodies = await converse(self._native.address, conversation, resets=resets)
        if conversation.awaited:
            expected = await converse(self._by_grpc.address, conversation, resets=resets)
            self.done.compared += compare_bodies(conversation.awaited, bodies, expected)
