"""Bars and aims: which side of them is good, and that a number that is missing is never good."""

import pytest

from benchmarks.measures import Measure
from benchmarks.report import markdown


def floor(value: float | None) -> Measure:
    return Measure("rate", "a rate", "codes/CPU s", 100, 250, value)


def ceiling(value: float | None) -> Measure:
    return Measure("wait", "a wait", "s", 3, 1, value, is_ceiling=True)


@pytest.mark.parametrize(
    ("measure", "standing"),
    [
        (floor(99), "short"),
        (floor(100), "bar met"),
        (floor(250), "aim met"),
        (floor(None), "not measured"),
        (ceiling(3.1), "short"),
        (ceiling(3), "bar met"),
        (ceiling(1), "aim met"),
        (ceiling(None), "not measured"),
    ],
)
def test_a_measure_stands_by_the_better_side_of_its_marks(measure: Measure, standing: str) -> None:
    assert measure.standing == standing


def test_without_an_aim_the_bar_is_all_there_is_to_meet() -> None:
    assert Measure("p99", "p99", "x", 3, None, 0.5, is_ceiling=True).standing == "bar met"


def test_the_table_in_markdown_has_a_line_a_measure_and_says_why_one_is_missing() -> None:
    skipped = Measure("go", "against Go", "x", 4, 8, None, note="there is no go on the PATH")
    lines = markdown([floor(1234), ceiling(0.5), skipped])
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2:] == [
        "| a rate | **1,234** | 100 | 250 | aim met |",
        "| a wait | **0.5 s** | at most 3 s | 1 | aim met |",
        "| against Go | **–** | 4 x | 8 | there is no go on the PATH |",
    ]
