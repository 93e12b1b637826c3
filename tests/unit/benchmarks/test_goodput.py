"""Goodput is answers in time: neither refusals nor late answers count."""

import asyncio

from benchmarks.closed_loop import Flight
from benchmarks.goodput import DEADLINE_S, Turn, good, summary


def test_late_answers_and_refusals_are_not_good() -> None:
    async def flown() -> Flight:
        latencies_s = [0.1, DEADLINE_S, DEADLINE_S + 0.1]
        return Flight(iter(()), 0.0, takes_refusals=True, latencies_s=latencies_s, refused=7)

    assert good(asyncio.run(flown())) == 2


def test_the_ratio_is_the_median_of_the_turns_own() -> None:
    turns = [Turn(100, 90, 5), Turn(1000, 500, 50), Turn(10, 9.5, 0)]
    found = summary(turns)
    assert (found["ratio_lowest"], found["ratio"], found["ratio_highest"]) == (0.5, 0.9, 0.95)
    assert (found["capacity_per_s"], found["goodput_per_s"], found["refused_per_s"]) == (100, 90, 5)
