"""One batch by all paths: the general path says what is right, and every other one must say the same."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from onecode_server.model.verdict import Verdict
from onecode_server.verification.check import Check, CheckResults

from tests.fuzz_paths import paths
from tests.fuzz_paths.groups import Mutant
from tests.fuzz_paths.scenario import Scenario
from tests.fuzz_paths.tally import Tally
from tests.world import World

ROWS_SHARE = 8
"""One in so many of the codes whose format has no rows is checked alone all the same: the path must stay what it is."""


@dataclass
class Disagreement(Exception):
    """Two paths answered differently. ``got`` and ``expected`` are for people."""

    path: str
    place: int
    mutant: Mutant
    got: str
    expected: str

    def __str__(self) -> str:
        return f"{self.path} disagrees with the general path on a mutant ({self.mutant.how})"


class StoreFailed(Exception):
    """The store did not answer though it should have: the machine is busy, and the answers mean nothing."""


class Comparison:
    """Compares one batch at one host."""

    def __init__(self, scenario: Scenario, mutants: Sequence[Mutant], tally: Tally) -> None:
        self._scenario = scenario
        self._world: World = scenario.world
        self._chance = scenario.chance
        self._mutants = mutants
        self._codes = [mutant.code for mutant in mutants]
        self._alone = [
            place for place, code in enumerate(self._codes) if code.startswith(b"NC1:") or place % ROWS_SHARE == 0
        ]
        self.host = scenario.host()
        self._tally = tally

    async def compare(self) -> None:
        """Compare the paths under one list, or while it is swapped. Raises Disagreement, StoreFailed."""
        failures, bugs = paths.faults(self._world)
        swaps = self._chance.random() < 0.15
        is_down = not swaps and self._scenario.may_fail()
        try:
            with ExitStack() as faulty:
                if is_down:
                    faulty.enter_context(paths.store_that_fails(self._world))
                if self._scenario.log_is_away():
                    faulty.enter_context(paths.log_that_confirms_nothing())
                await (self._while_swapped() if swaps else self._under_one_list())
        except Disagreement as found:
            if paths.faults(self._world)[0] > failures and not is_down:
                raise StoreFailed from found
            raise
        failed, caught = paths.faults(self._world)
        if failed > failures and not is_down:
            raise StoreFailed
        if caught > bugs:
            fault = f"{caught - bugs:.0f} bugs caught"
            raise Disagreement("the engine", 0, self._mutants[0], fault, "no bug")

    async def _under_one_list(self) -> None:
        order = ["columns", "rows", "lists", "parsed"]
        self._chance.shuffle(order)
        answers: CheckResults | None = None
        rows: list[Check] = []
        listed: list[Verdict] = []
        parsed: list[Check] = []
        for path in order:
            match path:
                case "columns":
                    answers = await self._by_columns()
                case "rows":
                    rows = await self._by_rows()
                case "lists":
                    listed = await self._in_lists()
                case _:
                    parsed = await paths.by_parsing(self._world, self._codes, self.host)
        assert answers is not None
        expected = self._reach(parsed)
        self._hold(answers.verdicts, expected, "columns")
        self._hold_rows(rows, parsed, "rows")
        self._hold(listed, [expected[place] for place in self._alone], "rows, as a list", self._alone)
        if self._chance.random() < 0.15:  # now that all of this batch has been learned from
            self._hold((await self._by_columns()).verdicts, expected, "columns, once more")

    async def _while_swapped(self) -> None:
        """Swap the list in the middle of a batch, and begin another batch at that moment, as calls beside it do."""
        world, chance, codes = self._world, self._chance, self._codes
        old = world.trust.current
        before = await paths.by_parsing(world, codes, self.host)
        new = self._scenario.other_list()
        part = self._beside()
        begun: list[asyncio.Task[CheckResults]] = []
        is_batch = chance.random() < 0.75
        work = self._by_columns if is_batch else self._by_rows
        steps: list[int] = [1]  # at least the end
        await paths.stepwise(work(), steps.append)
        last = steps[-1] if chance.random() < 0.5 else 1 + steps[-1] // 4  # columns come first
        at_step = chance.randint(1, last)

        def swap(step: int) -> None:
            if step == at_step:
                paths.put_in_force(world, new)
                begun.append(asyncio.create_task(paths.by_columns(world, [codes[n] for n in part], self.host)))

        found: Any = await paths.stepwise(work(), swap)
        if not begun:  # it never gave the loop away
            swap(at_step)
        beside = await begun[0]
        after = await paths.by_parsing(world, codes, self.host)
        expected = self._reach(after)
        if is_batch:
            of_list = before if found.trust.version == old.version else after
            self._hold(found.verdicts, _verdicts(of_list), "columns, the list swapped meanwhile")
        else:
            self._hold_rows(found, before, "rows, the list swapped meanwhile")
        self._hold(beside.verdicts, [expected[n] for n in part], "columns, begun as the list was swapped", part)
        self._hold((await self._by_columns()).verdicts, expected, "columns, after the list was swapped")
        self._hold_rows(await self._by_rows(), after, "rows, after the list was swapped")
        listed = [expected[place] for place in self._alone]
        self._hold(await self._in_lists(), listed, "rows, as a list, after the list was swapped", self._alone)
        self._tally.interrupted += 1

    def _beside(self) -> list[int]:
        """Return which codes are checked beside: some, or those of one build or one format only, so that the others are
        first met by whoever began under the list before."""
        codes, chance = self._codes, self._chance
        one = chance.choice(codes)
        match chance.randrange(3):
            case 0:
                return sorted(chance.sample(range(len(codes)), chance.randrange(1, len(codes))))
            case 1:
                return [place for place, code in enumerate(codes) if code[:3] == one[:3]]
            case _:
                return [place for place, code in enumerate(codes) if (code[:3], len(code)) == (one[:3], len(one))]

    async def _by_columns(self) -> CheckResults:
        read = paths.codes_in_columns(self._world)
        answers = await paths.by_columns(self._world, self._codes, self.host, alone=self._chance.random() < 0.5)
        self._tally.in_columns += paths.codes_in_columns(self._world) - read
        self._tally.batched += len(self._codes)
        return answers

    async def _by_rows(self) -> list[Check]:
        checks = await paths.by_rows(self._world, [self._codes[place] for place in self._alone], self.host)
        self._tally.in_rows += sum(map(paths.is_row, checks))
        self._tally.single += len(checks)
        return checks

    async def _in_lists(self) -> list[Verdict]:
        size = self._chance.choice((1, 2, 5, 16))
        return await paths.in_lists(self._world, [self._codes[place] for place in self._alone], self.host, size)

    def _reach(self, parsed: list[Check]) -> list[Verdict]:
        expected = _verdicts(parsed)
        self._tally.reach(expected)
        self._tally.mutants += len(parsed)
        self._tally.batches += 1
        return expected

    def _hold(
        self, got: Sequence[Any], expected: Sequence[Any], path: str, places: Sequence[int] | None = None
    ) -> None:
        self._tally.answers += len(got)
        if got == expected:
            return
        for place, one, other in zip(places or range(len(self._codes)), got, expected, strict=True):
            if one != other:
                raise Disagreement(path, place, self._mutants[place], repr(one), repr(other))

    def _hold_rows(self, rows: list[Check], parsed: list[Check], path: str) -> None:
        expected = [_facts(parsed[place]) for place in self._alone]
        self._hold([_facts(check) for check in rows], expected, path, self._alone)


def _verdicts(checks: list[Check]) -> list[Verdict]:
    return [check.answer for check in checks]


def _facts(check: Check) -> tuple[Any, ...]:
    """Return all that a check found: the verdict, the finding, the claims, whose key, what was signed."""
    return check.answer, check.level, check.finding, check.claims, check.key, check.signed
