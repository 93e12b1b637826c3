"""The table of one and two workers: costs by answer, and the ratio of the turns and not of the medians."""

import pytest

from benchmarks.load import Round
from benchmarks.workers import CASES, row


def turn(*cpu_s: float) -> tuple[Round, ...]:
    """Return the rounds of a turn, of a thousand answers each."""
    return tuple(Round(1000, used_s, 1.0, 1.0, 1.0, 1.0, 1.0, load_cores=0.5, others_cores=0.0) for used_s in cpu_s)


def test_a_row_has_the_medians_and_the_median_of_the_ratios():
    # A turn on a slow moment of the machine costs both more, which changes no ratio.
    turns = [turn(0.010, 0.012), turn(0.030, 0.036), turn(0.011, 0.022)]
    assert row(CASES[0], turns) == ("64, 32", "11.0", "22.0", "1.20", "≤ 50%")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_calls_in_flight_are_the_same_on_each_connection(case):
    assert case.in_flight % case.connections == 0
