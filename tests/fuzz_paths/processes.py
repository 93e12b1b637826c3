"""The processes of a run: each compares batches under a seed of its own, and tells now and then what it has counted."""

import asyncio
import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from queue import Empty

from tests.fuzz_paths.report import progress
from tests.fuzz_paths.run import Case, Run
from tests.fuzz_paths.tally import Tally

REPORT_S = 0.5
"""How often a process tells what it has counted."""
Report = tuple[int, Tally, Case | None, bool]


@dataclass(frozen=True)
class Limits:
    """How long a process runs: seconds, or else mutants."""

    seconds: float
    mutants: int | None


def fuzz(seed: int, jobs: int, limits: Limits, started_s: float) -> tuple[Tally, Case | None]:
    """Run the processes until they end, or until one has found a disagreement. Raises SystemExit where one dies."""
    context = multiprocessing.get_context("spawn")
    reports: Queue[Report] = context.Queue()
    ends = context.Event()
    processes = [
        context.Process(target=_work, args=(seed + number, limits, reports, ends, number), daemon=True)
        for number in range(jobs)
    ]
    for process in processes:
        process.start()
    tallies: dict[int, Tally] = {}
    found: Case | None = None
    left = set(range(jobs))
    try:
        while left:
            try:
                number, tallies[number], case, is_last = reports.get(timeout=REPORT_S)
            except Empty:
                dead = [number for number in left if not processes[number].is_alive()]
                if dead and reports.empty():
                    ends.set()
                    raise SystemExit(f"process {dead[0]} ended with status {processes[dead[0]].exitcode}") from None
                continue
            found = found or case
            if case is not None:
                ends.set()
            if is_last:
                left.discard(number)
            progress(_joined(tallies), time.monotonic() - started_s)
    finally:
        ends.set()
        for process in processes:
            process.join()
    return _joined(tallies), found


def _joined(tallies: dict[int, Tally]) -> Tally:
    total = Tally()
    for tally in tallies.values():
        total.add(tally)
    return total


def _work(seed: int, limits: Limits, reports: "Queue[Report]", ends: Event, number: int) -> None:
    asyncio.run(_compare(seed, limits, reports, ends, number))


async def _compare(seed: int, limits: Limits, reports: "Queue[Report]", ends: Event, number: int) -> None:
    tally, case = Tally(), None
    ends_at_s, reported_at_s = time.monotonic() + limits.seconds, 0.0
    batches = Run(seed).batches(tally)
    async for case in batches:
        now_s = time.monotonic()
        is_over = now_s >= ends_at_s if limits.mutants is None else tally.mutants >= limits.mutants
        if case is not None or is_over or ends.is_set():
            break
        if now_s - reported_at_s >= REPORT_S:
            reports.put((number, tally, None, False))
            reported_at_s = now_s
    await batches.aclose()
    reports.put((number, tally, case, True))
