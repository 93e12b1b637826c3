"""Recognition exceptions: who may report whom, from when, for how long, and what steps are left."""

import dataclasses

import pytest

from onecode_server.model.exception import RecognitionException
from onecode_server.model.trust_list import Format, Region, TrustList
from onecode_server.rules.exceptions import (
    LASTS_MAX_US,
    Obstacle,
    State,
    acknowledge_obstacle,
    report_obstacle,
    state,
    withdraw_obstacle,
)

NOW, HOUR = 1_800_000_000_000_000, 3_600_000_000
REGIONS = {code: Region(code, code, Format.JWT) for code in ("000000", "420000", "440000")}
TRUST = TrustList(1, 0, 0, b"", REGIONS, (), {}, ())
REPORT = RecognitionException("RE-1", "440000", "420000", "why", NOW + HOUR, NOW + 2 * HOUR, NOW)
ACKNOWLEDGED = REPORT._replace(acknowledged_at=NOW + 1)


def test_a_report_within_the_rules_may_be_filed() -> None:
    assert report_obstacle(REPORT, [], TRUST) is None


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
        ({"effective_until": NOW + HOUR}, Obstacle.ENDS_BEFORE_IT_BEGINS),
        ({"effective_until": NOW + HOUR + LASTS_MAX_US + 1}, Obstacle.TOO_LONG),
    ],
)
def test_a_report_against_a_rule_is_refused_by_its_name(change: dict[str, object], obstacle: Obstacle) -> None:
    assert report_obstacle(REPORT._replace(**change), [], TRUST) is obstacle


@pytest.mark.parametrize("change", [{"effective_from": NOW}, {"effective_until": NOW + HOUR + LASTS_MAX_US}])
def test_a_report_at_the_very_edge_may_be_filed(change: dict[str, int]) -> None:
    assert report_obstacle(REPORT._replace(**change), [], TRUST) is None


@pytest.mark.parametrize(
    ("begins", "ends", "overlaps"),
    [(0, 1, False), (2, 3, False), (0, 2, True), (1, 2, True), (1, 3, True), (0, 3, True)],
)
def test_two_reports_of_a_pair_have_no_time_in_common(begins: int, ends: int, *, overlaps: bool) -> None:
    other = REPORT._replace(id="RE-2", effective_from=NOW + begins * HOUR, effective_until=NOW + ends * HOUR)
    assert (report_obstacle(REPORT, [other], TRUST) is Obstacle.OVERLAPS) == overlaps
    assert report_obstacle(REPORT, [other._replace(withdrawn_at=NOW)], TRUST) is None
    turned = other._replace(host=other.home, home=other.host)
    assert report_obstacle(REPORT, [turned], TRUST) is None


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
    assert acknowledge_obstacle(REPORT, NOW) is None
    assert acknowledge_obstacle(ACKNOWLEDGED, NOW) is Obstacle.ALREADY_ACKNOWLEDGED
    assert acknowledge_obstacle(withdrawn, NOW) is Obstacle.ALREADY_WITHDRAWN
    assert acknowledge_obstacle(REPORT, NOW + 2 * HOUR) is Obstacle.ALREADY_ENDED
    assert withdraw_obstacle(ACKNOWLEDGED, NOW) is None
    assert withdraw_obstacle(withdrawn, NOW) is Obstacle.ALREADY_WITHDRAWN
    assert withdraw_obstacle(REPORT, NOW + 2 * HOUR) is Obstacle.ALREADY_ENDED


def test_a_region_that_left_the_list_cannot_report() -> None:
    smaller = dataclasses.replace(TRUST, regions={"420000": REGIONS["420000"]})
    assert report_obstacle(REPORT, [], smaller) is Obstacle.HOST_UNKNOWN
