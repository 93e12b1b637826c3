"""Signed mutants by both fronts: ``python -m tests.fuzz_front.agreement --mutants 1000000``.

A native and a grpc.aio listener stand on one engine with one clock, in this process. Each batch of mutants of
``tests/fuzz_paths`` goes through both by BatchVerify, half of the batches by StreamVerify as well, and some codes of
each by Verify. Bytes, status and trailers must be equal. Trust lists are swapped, and the store fails, between batches.

Status 0: no disagreement, and half of the mutants are authentic. 1: otherwise. A seed makes the same mutants.
"""

import argparse
import asyncio
import gc
import logging
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Final

from onecode.v1 import recognition_pb2 as pb

from tests.fronts import SERVICE, Caller, Ended, both
from tests.fuzz_paths import paths
from tests.fuzz_paths.scenario import Scenario

BATCHES: Final = 60
"""Of one world. Then other layouts are learned; memory stays flat."""
SINGLES: Final = 4
"""Codes of each batch that are sent by Verify too, which costs many times as much for each."""
STREAMED_SHARE: Final = 0.5
RACE: Final = "Internal error from Core"
"""gRPC's client says this by either front where a call ends while it is still sending."""
_TOLD_S: Final = 30


class Disagreement(Exception):
    """Both fronts answered the same request differently."""


@dataclass
class Compared:
    """What was compared: mutants, answers to them by each method, and what the answers were."""

    mutants: int = 0
    worlds: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    authenticities: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    failing_store: int = 0

    @property
    def authentic(self) -> int:
        return self.authenticities["AUTHENTICITY_VALID"]

    def reach(self, answer: pb.BatchVerifyResponse) -> None:
        """Count what a batch was found to be."""
        self.mutants += len(answer.verdicts)
        for verdict in answer.verdicts:
            self.authenticities[pb.Authenticity.Name(verdict.authenticity)] += 1
            self.statuses[pb.Status.Name(verdict.status)] += 1


class Agreement:
    """Compares one world's mutants through two callers, the native front's first."""

    def __init__(self, scenario: Scenario, callers: tuple[Caller, Caller], compared: Compared) -> None:
        self._scenario, self._callers, self._compared = scenario, callers, compared

    async def batch(self) -> None:
        """Compare one batch. Raises Disagreement."""
        self._scenario.move_on()
        chance, host = self._scenario.chance, self._scenario.host()
        codes = [mutant.code for mutant in self._scenario.batch()]
        is_down = self._scenario.may_fail()
        self._compared.failing_store += is_down
        with paths.store_that_fails(self._scenario.world) if is_down else nullcontext():
            await self._by_batch(codes, host)
            if chance.random() < STREAMED_SHARE:
                await self._by_stream(codes, host)
            for code in chance.sample(codes, min(SINGLES, len(codes))):
                await self._by_verify(code, host)

    async def _by_batch(self, codes: Sequence[bytes], host: str) -> None:
        request = pb.BatchVerifyRequest(codes=codes, host_region=host).SerializeToString()
        found = await self._same("BatchVerify", codes, lambda caller: caller.unary(f"/{SERVICE}/BatchVerify", request))
        self._compared.reach(pb.BatchVerifyResponse.FromString(found.messages[0]))

    async def _by_stream(self, codes: Sequence[bytes], host: str) -> None:
        scans = [
            pb.StreamVerifyRequest(request_id=number, code=code, host_region=host).SerializeToString()
            for number, code in enumerate(codes)
        ]

        async def call(caller: Caller) -> Ended:
            while (ended := await caller.stream(f"/{SERVICE}/StreamVerify", scans)).said == RACE:
                pass
            return ended._replace(messages=tuple(sorted(ended.messages, key=_request_id)))  # they come in any order

        await self._same("StreamVerify", codes, call)

    async def _by_verify(self, code: bytes, host: str) -> None:
        request = pb.VerifyRequest(code=code, host_region=host).SerializeToString()
        await self._same("Verify", [code], lambda caller: caller.unary(f"/{SERVICE}/Verify", request))

    async def _same(self, method: str, codes: Sequence[bytes], call: Callable[[Caller], Awaitable[Ended]]) -> Ended:
        native, by_grpc = await call(self._callers[0]), await call(self._callers[1])
        if native != by_grpc or not native.messages:
            raise Disagreement(f"{method}: {_difference(codes, native, by_grpc)}")
        self._compared.answers[method] += len(codes)
        return native


def _request_id(answer: bytes) -> int:
    return pb.StreamVerifyResponse.FromString(answer).request_id


def _difference(codes: Sequence[bytes], native: Ended, by_grpc: Ended) -> str:
    """Return what people need to know: the first code whose answer differs, where each code has one."""
    answers = [_verdicts(ended) for ended in (native, by_grpc)]
    for place, (one, other) in enumerate(zip(*answers, strict=False)):
        if one != other:
            return f"code {place} of {len(codes)}, {codes[place].hex()}: native {one!r}, grpc.aio {other!r}"
    return f"native {str(native)[:1000]}, grpc.aio {str(by_grpc)[:1000]}"


def _verdicts(ended: Ended) -> Sequence[object]:
    if len(ended.messages) == 1:
        return pb.BatchVerifyResponse.FromString(ended.messages[0]).verdicts  # a VerifyResponse has one at its place
    return ended.messages


async def compare(
    seed: int, mutants: int, world: int = 0, tell: Callable[[Compared], None] = lambda _: None
) -> Compared:
    """Compare so many mutants or a few more; ``world`` is the number of the first world. Raises Disagreement."""
    compared = Compared()
    while compared.mutants < mutants:
        scenario = Scenario(f"{seed}/{world}")
        try:
            await scenario.start()
            compared.worlds, world = compared.worlds + 1, world + 1
            async with both(scenario.world) as callers:
                agreement = Agreement(scenario, callers, compared)
                for number in range(BATCHES):
                    try:
                        await agreement.batch()
                    except Disagreement as found:
                        raise Disagreement(f"seed {seed}, world {world - 1}, batch {number}: {found}") from None
                    if compared.mutants >= mutants:
                        break
                    tell(compared)
        finally:
            await scenario.end()
            del scenario
            gc.collect()  # a world's parts know each other, and its keys' tables take 35 MB
    return compared


def report(compared: Compared, elapsed_s: float) -> None:
    """Print what was compared."""
    print(f"{compared.mutants:,} mutants in {elapsed_s:.0f} s, in {compared.worlds:,} worlds: no disagreement")
    print(f"{compared.authentic:,} of them ({100 * compared.authentic / compared.mutants:.1f} %) were authentic")
    for method, count in compared.answers.most_common():
        print(f"{method:<14}{count:>12,} answers with the same bytes")
    for name, count in (*compared.authenticities.most_common(), *compared.statuses.most_common()):
        print(f"{name:<30}{count:>12,}")
    print(f"batches while the store did not answer: {compared.failing_store:,}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.fuzz_front.agreement", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--mutants", type=int, default=30_000, help="how many to compare (default: 30000)")
    parser.add_argument("--seed", type=int, default=1, help="where chance begins (default: 1)")
    parser.add_argument("--world", type=int, default=0, help="the first world (default: 0)")
    given = parser.parse_args()
    logging.getLogger("onecode_server").addHandler(logging.NullHandler())
    logging.getLogger("onecode_server").propagate = False  # what it says of a store that fails is no news
    started_s = told_s = time.monotonic()

    def tell(compared: Compared) -> None:
        nonlocal told_s
        if (now_s := time.monotonic()) - told_s >= _TOLD_S:
            told_s = now_s
            print(f"{compared.mutants:,} mutants in {now_s - started_s:.0f} s", flush=True)

    try:
        compared = asyncio.run(compare(given.seed, given.mutants, given.world, tell))
    except Disagreement as found:
        print(f"DISAGREEMENT: {found}")
        return 1
    report(compared, time.monotonic() - started_s)
    if compared.authentic * 2 < compared.mutants:
        print("less than half of the mutants were authentic")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
