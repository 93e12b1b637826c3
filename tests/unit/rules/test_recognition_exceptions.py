"""Recognition exceptions: who may report whom, from when, for how long, and what steps are left."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.trust_list import Region, TrustList
from onecode_server.rules.recognition_exceptions import (
    AHEAD_MAX_US,
    HOST_OPEN_MAX,
    LASTS_MAX_US,
    PAIR_ACKNOWLEDGED_MAX,
    PAIR_OPEN_MAX,
    Obstacle,
    Others,
    State,
    acknowledge_obstacle,
    report_obstacle,
    start,
    state,
    withdraw_obstacle,
)

from tests import formats

NOW, HOUR = 1_800_000_000_000_000, 3_600_000_000
REGIONS = {code: Region(code, code, formats.JWT) for code in ("000000", "420000", "440000")}
TRUST = TrustList(1, 0, 0, b"", REGIONS, (), {}, ())
REPORT = RecognitionException("RE-1", "440000", "420000", "why", NOW + HOUR, NOW + 2 * HOUR, NOW)
ACKNOWLEDGED = REPORT._replace(acknowledged_at=NOW + 1)


def obstacle_of(
    report: RecognitionException, *acknowledged: RecognitionException, waiting: Sequence[str] = (), behind: int = 0
) -> Obstacle | None:
    """Judge a report by a reporter whose clock is ``behind``."""
    return report_obstacle(report, report.effective_from - behind, Others(acknowledged, waiting), TRUST)


def test_a_report_within_the_rules_may_be_filed() -> None:
    assert obstacle_of(REPORT) is None


@pytest.mark.parametrize(
    ("change", "obstacle"),
    [
        ({"home": "440000"}, Obstacle.HOME_IS_HOST),
        ({"home": "000000"}, Obstacle.HOME_IS_NATIONAL),
        ({"host": "000000"}, Obstacle.HOST_IS_NATIONAL),
        ({"host": "999999"}, Obstacle.HOST_UNKNOWN),
        ({"home": "999999"}, Obstacle.HOME_UNKNOWN),
        ({"reason": ""}, Obstacle.REASON_MISSING),
        ({"reason": "绿" * 342}, Obstacle.REASON_MISSING),
        ({"effective_from": NOW - 1}, Obstacle.BACKWARDS),
        ({"effective_from": NOW + AHEAD_MAX_US + 1}, Obstacle.TOO_FAR_AHEAD),
        ({"effective_until": NOW + HOUR}, Obstacle.ENDS_BEFORE_IT_BEGINS),
        ({"effective_until": NOW + 2 * HOUR - 1}, Obstacle.TOO_SHORT),
        ({"effective_until": NOW + HOUR + LASTS_MAX_US + 1}, Obstacle.TOO_LONG),
    ],
)
def test_a_report_against_a_rule_is_refused_by_its_name(change: dict[str, Any], obstacle: Obstacle) -> None:
    assert obstacle_of(REPORT._replace(**change)) is obstacle


@pytest.mark.parametrize(
    ("begins", "lasts"), [(0, HOUR), (HOUR, LASTS_MAX_US), (AHEAD_MAX_US, HOUR), (AHEAD_MAX_US, LASTS_MAX_US)]
)
def test_a_report_at_the_very_edge_may_be_filed(begins: int, lasts: int) -> None:
    assert obstacle_of(REPORT._replace(effective_from=NOW + begins, effective_until=NOW + begins + lasts)) is None


def test_an_hour_by_a_clock_that_is_behind_is_an_hour() -> None:
    begins = start(NOW - 60, NOW, 60)
    report = REPORT._replace(effective_from=begins, effective_until=NOW - 60 + HOUR)
    assert begins == NOW
    assert obstacle_of(report, behind=60) is None
    assert obstacle_of(report, behind=59) is Obstacle.TOO_SHORT
    assert [start(asked, NOW, 60) - NOW for asked in (NOW - 61, NOW, NOW + 1)] == [-61, 0, 1]


@pytest.mark.parametrize(
    ("of_pair", "of_others", "obstacle"),
    [
        (PAIR_OPEN_MAX - 1, HOST_OPEN_MAX - PAIR_OPEN_MAX, None),
        (PAIR_OPEN_MAX, 0, Obstacle.TOO_MANY_OPEN_OF_PAIR),
        (0, HOST_OPEN_MAX, Obstacle.TOO_MANY_OPEN_OF_HOST),
    ],
)
def test_so_many_reports_wait_for_the_operator_and_no_more(
    of_pair: int, of_others: int, obstacle: Obstacle | None
) -> None:
    waiting = ["420000"] * of_pair + ["110000"] * of_others
    assert obstacle_of(REPORT, waiting=waiting) is obstacle


@pytest.mark.parametrize(
    ("begins", "ends", "overlaps"),
    [(0, 1, False), (2, 3, False), (0, 2, True), (1, 2, True), (1, 3, True), (0, 3, True)],
)
def test_two_acknowledged_reports_of_a_pair_have_no_time_in_common(begins: int, ends: int, *, overlaps: bool) -> None:
    other = REPORT._replace(id="RE-2", effective_from=NOW + begins * HOUR, effective_until=NOW + ends * HOUR)
    assert (obstacle_of(REPORT, other) is Obstacle.OVERLAPS) == overlaps
    assert (acknowledge_obstacle(REPORT, [other], NOW) is Obstacle.OVERLAPS) == overlaps


@pytest.mark.parametrize(
    ("report", "hours", "stands"),
    [
        (REPORT, 0, State.REPORTED),
        (REPORT, 1.5, State.REPORTED),
        (REPORT, 2, State.ENDED),
        (ACKNOWLEDGED, 0.5, State.ACKNOWLEDGED),
        (ACKNOWLEDGED, 1, State.EFFECTIVE),
        (ACKNOWLEDGED, 2, State.ENDED),
        (ACKNOWLEDGED._replace(withdrawn_at=NOW + HOUR), 0.9, State.ACKNOWLEDGED),
        (ACKNOWLEDGED._replace(withdrawn_at=NOW + HOUR), 1, State.WITHDRAWN),
        (ACKNOWLEDGED._replace(withdrawn_at=NOW + HOUR), 3, State.WITHDRAWN),
    ],
)
def test_a_report_stands_where_the_clock_says(report: RecognitionException, hours: float, stands: State) -> None:
    assert state(report, NOW + round(hours * HOUR)) is stands


def test_a_step_that_was_made_is_not_made_again() -> None:
    withdrawn = ACKNOWLEDGED._replace(withdrawn_at=NOW)
    assert acknowledge_obstacle(REPORT, [], NOW) is None
    assert acknowledge_obstacle(ACKNOWLEDGED, [ACKNOWLEDGED], NOW) is Obstacle.ALREADY_ACKNOWLEDGED
    assert acknowledge_obstacle(withdrawn, [], NOW) is Obstacle.ALREADY_WITHDRAWN
    assert acknowledge_obstacle(REPORT, [], NOW + 2 * HOUR) is Obstacle.ALREADY_ENDED
    assert withdraw_obstacle(ACKNOWLEDGED, NOW) is None
    assert withdraw_obstacle(withdrawn, NOW) is Obstacle.ALREADY_WITHDRAWN
    assert withdraw_obstacle(REPORT, NOW + 2 * HOUR) is Obstacle.ALREADY_ENDED


def test_a_region_that_left_the_list_cannot_report() -> None:
    smaller = dataclasses.replace(TRUST, regions={"420000": REGIONS["420000"]})
    assert report_obstacle(REPORT, REPORT.effective_from, Others([], []), smaller) is Obstacle.HOST_UNKNOWN


def test_what_nobody_acknowledged_within_72_hours_has_ended_and_what_somebody_did_has_not() -> None:
    report = REPORT._replace(effective_until=NOW + 100 * HOUR)
    acknowledged = report._replace(acknowledged_at=NOW + 72 * HOUR - 1)
    assert [state(report, NOW + 72 * HOUR + us) for us in (-1, 0)] == [State.REPORTED, State.ENDED]
    assert [state(acknowledged, NOW + hours * HOUR) for hours in (99, 100)] == [State.EFFECTIVE, State.ENDED]
    assert acknowledge_obstacle(report, [], NOW + 72 * HOUR) is Obstacle.ALREADY_ENDED
    assert acknowledge_obstacle(report, [], NOW + 72 * HOUR - 1) is None


def test_so_many_acknowledged_reports_of_a_pair_are_to_come_and_no_more() -> None:
    others = [
        ACKNOWLEDGED._replace(effective_from=NOW + n * HOUR, effective_until=NOW + (n + 1) * HOUR)
        for n in range(2, 2 + PAIR_ACKNOWLEDGED_MAX)
    ]
    assert acknowledge_obstacle(REPORT, others[1:], NOW) is None
    assert acknowledge_obstacle(REPORT, others, NOW) is Obstacle.TOO_MANY_ACKNOWLEDGED
