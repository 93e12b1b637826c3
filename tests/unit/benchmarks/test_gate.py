"""What the gate lets through: it judges ratios that fell by more than noise does."""

import json

import pytest
from rich.console import Console

from benchmarks.gate import CASES, FRONT_CASES, RELEASE, TOLERANCE, is_slower, slower

RELEASED = dict.fromkeys(CASES, 4.0)
UNARY_FELL = RELEASED | {"unary_over_echo": 1.0}
STREAM_FELL = RELEASED | {"stream_over_echo": 1.0}


def test_the_releases_own_ratios_pass() -> None:
    assert slower(RELEASED, RELEASED) == []


def test_faster_passes_however_much() -> None:
    assert slower(dict.fromkeys(CASES, 40.0), RELEASED) == []


def test_a_ratio_that_fell_within_the_tolerance_passes() -> None:
    assert slower(RELEASED | {"unary_over_echo": 4.0 * (1 - TOLERANCE) + 0.01}, RELEASED) == []


def test_a_ratio_that_fell_by_more_is_named() -> None:
    fallen = 4.0 * (1 - TOLERANCE) - 0.01
    assert slower(RELEASED | {"unary_over_echo": fallen}, RELEASED) == ["unary_over_echo"]


def test_a_ratio_that_the_release_did_not_measure_is_not_judged() -> None:
    assert slower(dict.fromkeys(CASES, 0.1), {"unary_over_echo": 0.1, "no longer measured": 9.0}) == []


def test_a_tree_without_the_native_front_is_not_judged_by_it() -> None:
    assert slower(RELEASED, RELEASED | dict.fromkeys(FRONT_CASES, 9.0)) == []


def test_the_native_front_is_judged_where_both_have_it() -> None:
    name = "front_unary_over_echo"
    assert slower(RELEASED | {name: 1.0}, RELEASED | {name: 9.0}) == [name]


@pytest.mark.parametrize("tries", [[RELEASED], [UNARY_FELL, RELEASED], [UNARY_FELL, STREAM_FELL]])
def test_what_falls_once_is_noise(tries: list[dict[str, float]]) -> None:
    measured = iter(tries)
    assert not is_slower(lambda: next(measured), RELEASED, Console(quiet=True))
    assert next(measured, None) is None


def test_what_falls_twice_is_slower_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    measured = iter([UNARY_FELL | {"stream_over_echo": 1.0}, UNARY_FELL])
    assert is_slower(lambda: next(measured), RELEASED, Console(soft_wrap=True, highlight=False))
    assert "slower, try 2 of 2: unary_over_echo is 1.00, was 4.00" in capsys.readouterr().out


def test_the_release_holds_every_ratio_that_is_measured_everywhere() -> None:
    for signatures, ratios in json.loads(RELEASE.read_text()).items():
        assert set(CASES) <= set(ratios) <= set(CASES | FRONT_CASES), signatures
