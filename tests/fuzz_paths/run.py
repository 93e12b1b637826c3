"""One process's run: world after world, each from its own seed, until it is told to end or two paths disagree."""

import gc
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from typing import Any

from tests.fuzz_paths import paths
from tests.fuzz_paths.comparison import Comparison, Disagreement, StoreFailed
from tests.fuzz_paths.scenario import Scenario
from tests.fuzz_paths.tally import Tally

BATCHES = 60
"""Of one world. Then learning begins anew, with other layouts; memory stays flat."""


@dataclass
class Case:
    """Where a disagreement was found, and what it was: all that is needed to find it again."""

    seed: int
    world: int
    batch: int
    path: str
    how: str
    code: str
    got: str
    expected: str
    host: str
    kind_of_list: str
    document: dict[str, Any]
    records: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Run:
    """``seed`` is one process's; ``world`` is the first world, ``last`` the last batch of it where only that is run."""

    seed: int
    world: int = 0
    last: int | None = None

    async def batches(self, tally: Tally) -> AsyncGenerator[Case | None, None]:
        """Compare one batch after the other, and yield after each: a case where the paths disagreed, else None."""
        number = self.world
        while True:
            scenario = Scenario(f"{self.seed}/{number}")
            try:
                await scenario.start()
                tally.worlds += 1
                for batch in range(BATCHES if self.last is None else self.last + 1):
                    with paths.log_of_bugs() as messages:
                        case = await self._batch(scenario, tally, number, batch)
                    if case is not None and case.path == "the engine":
                        case.got = f"{case.got}: {'; '.join(messages)}"
                    yield case
            finally:
                await scenario.end()
                del scenario
                gc.collect()  # a world's parts know each other, and its keys' tables take 35 MB
            if self.last is not None:
                return
            number += 1

    async def _batch(self, scenario: Scenario, tally: Tally, world: int, batch: int) -> Case | None:
        scenario.move_on()
        comparison = Comparison(scenario, scenario.batch(), tally)
        try:
            await comparison.compare()
        except StoreFailed:
            tally.repeated += 1
        except Disagreement as found:
            return await self._case(scenario, found, world, batch, comparison.host)
        return None

    async def _case(self, scenario: Scenario, found: Disagreement, world: int, batch: int, host: str) -> Case:
        return Case(
            self.seed,
            world,
            batch,
            found.path,
            found.mutant.how,
            found.mutant.code.hex(),
            found.got,
            found.expected,
            host,
            scenario.kind_of_list,
            scenario.world.document,
            await scenario.records_of(found.mutant.code, host),
        )
