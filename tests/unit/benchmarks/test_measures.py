"""Bars and aims: which side of them is good, and that a number that is missing is never good."""

from typing import Any

import pytest

from benchmarks.comparisons import NO_FRONT
from benchmarks.measures import Measure, measures
from benchmarks.report import busy_loads, markdown
from tests.unit.benchmarks.run_results import results

FRONT_ONLY = {
    "batch_over_grpc_aio",
    *(f"{case}_{what}" for case in ("unary", "many") for what in ("over_rust", "over_go", "p50", "p99")),
    "lone_over_rust",
    "stream",
    "goodput",
}


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
    lines = markdown([floor(1234), ceiling(0.5), skipped], "native")
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2:] == [
        "| a rate | **1,234** | 100 | 250 | aim met |",
        "| a wait | **0.5 s** | at most 3 s | 1 | aim met |",
        "| against Go | **–** | 4 x | 8 | there is no go on the PATH |",
    ]


def found(**how: Any) -> dict[str, Measure]:
    listed = measures(results(**how))
    by_key = {one.key: one for one in listed}
    assert len(by_key) == len(listed)
    return by_key


def test_with_the_native_front_every_measure_is_measured_by_the_server_it_is_of() -> None:
    by_key = found(front="native")
    assert [one.key for one in by_key.values() if one.value is None or one.note] == []
    expected = {
        "unary_over_rust": 2.5,
        "unary_over_go": 5,
        "many_over_rust": 2.5,
        "many_over_go": 5,
        "lone_over_rust": 2.5,
        "batch_over_grpc_aio": 4,
        "unary_over_echo": 0.5,
        "two_workers": 1.25,
        "goodput": 0.95,
        "stream": 5_000,
        "batch_with_certificate": 1.25,
        "unary_with_token_by_grpc_aio": 1.25,
    }
    assert {key: by_key[key].value for key in expected} == expected


def test_a_latency_is_held_to_the_peer_that_is_better_in_the_same_turn() -> None:
    by_key = found(front="native")
    assert {by_key[f"{case}_{latency}"].value for case in ("unary", "many") for latency in ("p50", "p99")} == {0.5}
    assert by_key["many_p99"].is_ceiling


def test_without_the_native_front_its_measures_say_so_and_the_others_are_of_grpc_aio() -> None:
    by_key = found(front="grpc", missing={"grpc.aio": "onecode is that"})
    assert {key for key, one in by_key.items() if one.value is None} == FRONT_ONLY
    assert {one.note for one in by_key.values() if one.value is None} == {NO_FRONT}
    assert by_key["unary_over_echo"].value == 2
    assert by_key["stream_over_unary"].value == 1


@pytest.mark.parametrize("peer", ["go", "rust"])
def test_a_peer_that_is_not_built_leaves_out_what_is_measured_against_it(peer: str) -> None:
    left_out = {key: one.note for key, one in found(front="native", missing={peer: "why"}).items() if one.value is None}
    against_both = {f"{case}_{latency}" for case in ("unary", "many") for latency in ("p50", "p99")}
    assert against_both < left_out.keys()
    assert left_out.keys() - against_both == {key for key in found(front="native") if key.endswith(f"over_{peer}")}
    assert set(left_out.values()) == {"why"}


def test_the_report_names_where_the_load_was_the_bottleneck() -> None:
    cases = results(front="native")["cases"]
    assert list(busy_loads(cases)) == []
    cases["Verify, 256 in flight"]["servers"]["onecode"]["load_cores"] = 0.95
    assert list(busy_loads(cases)) == [("Verify, 256 in flight", "onecode", 0.95)]
