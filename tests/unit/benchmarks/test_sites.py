"""Sites at a distance: the real network, where it can be made, and what the drill of sites reads from its scans."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.log_drills import fault_drill, sites, sites_report
from benchmarks.log_drills.fault_drill import Times
from benchmarks.log_drills.scans import Look
from benchmarks.log_drills.seen_drill import Delays
from benchmarks.log_drills.sites import Measured, Passed
from benchmarks.log_drills.sites_drill import Cut, Drill, Row, turned

TIMES = Times(struck_s=10.0, mended_s=30.0, well_s=40.0)
KEPT = fault_drill.Row("what", 1.0, 1.0, [], [])


@pytest.fixture(scope="module")
def printed() -> list[str]:
    if lacking := sites.missing():
        pytest.skip(lacking)
    command = [sys.executable, "-m", "benchmarks.log_drills.sites", "0", "40", "cut", "0"]
    root = Path(__file__).parents[3]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=os.environ, check=True)
    return done.stdout.splitlines()


def test_a_round_trip_between_sites_takes_what_was_set_and_one_within_a_site_does_not(printed: list[str]) -> None:
    near, far, _, _ = (json.loads(line) for line in printed)
    assert far["least_ms"] >= 40
    assert far["within_ms"] < 40
    assert near["least_ms"] < 40


def test_a_site_that_is_cut_off_reaches_itself_alone_until_it_is_mended(printed: list[str]) -> None:
    _, _, reached, mended = (json.loads(line) for line in printed)
    assert reached == [[True, True, False], [True, True, False], [False, False, True]]
    assert mended["least_ms"] > 0


def look(began_s: float, current: int, machine: int = 2) -> Look:
    return Look(began_s, began_s + 0.01, machine, 48, current, 48 - current)


def test_a_site_turns_with_its_first_code_and_is_current_again_from_where_all_stay_so() -> None:
    other = look(11, 0, machine=1)
    looks = [look(9, 0), look(12, 48), other, look(14, 20), look(14.5, 0), look(31, 48), look(32, 3), look(33, 48)]
    assert turned(looks, 2, TIMES) == Cut(4.0, 4.5, 3.0)


def test_a_time_that_did_not_come_is_infinite() -> None:
    assert turned([look(12, 48), look(31, 0)], 2, TIMES) == Cut(math.inf, math.inf, math.inf)
    assert turned([], 2, TIMES).again_s == math.inf


def test_a_call_without_an_answer_says_nothing_of_freshness() -> None:
    unanswered = Look(12, 17, 2, 0, 0, 0)
    assert turned([unanswered, look(14, 0), look(31, 48)], 2, TIMES) == Cut(4.0, 4.0, 1.0)


def row() -> Row:
    measured, passed = Measured(0.1, 60.0, 60.2), Passed(1000, 100_000, 0, 0.5, 1.0)
    delays = [Delays(0.1, 0.2)] * 200
    return Row(measured, [0.1], [0.2], delays, [1, 1, 1], passed, 60.0, KEPT, KEPT, Cut(4, 5, 3), 2000.0)


def test_a_drill_of_sites_is_broken_by_each_promise_alone() -> None:
    kept = row()
    assert sites_report.broken(Drill([kept], 1, [])) == []
    assert sites_report.broken(Drill([kept], 1, ["lost"])) == ["lost"]
    for other in (
        kept._replace(delays=[Delays(0.1, 1.5)] * 200),
        kept._replace(delays=[]),
        kept._replace(current=[1, 0.999, 1]),
        kept._replace(passed=kept.passed._replace(dropped=1)),
        kept._replace(cut=KEPT._replace(broken=["7 records were acknowledged by a machine that was cut off"])),
        kept._replace(turned=Cut(4, 5, math.inf)),
    ):
        assert len(sites_report.broken(Drill([other], 1, []))) == 1
