"""Each rule that tells somebody fires where it should and is silent where it should, by Prometheus's own evaluation."""

from collections import Counter
from pathlib import Path

import pytest

from monitoring.alerts import GROUPS
from monitoring.model import Severity
from tests import promtool
from tests.promtool import Case
from tests.unit.monitoring.alert_cases import callers, keys, log, objectives, regions, servers, store, trust

CASES = tuple(
    case for module in (objectives, servers, callers, trust, keys, store, log, regions) for case in module.CASES
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rule_fires_from_a_moment_on_or_never(case: Case, tmp_path: Path) -> None:
    promtool.hold(case, tmp_path)


def test_each_rule_has_a_world_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    rules = {(alert.name, alert.severity) for group in GROUPS for alert in group.alerts}
    assert {(case.alert, case.severity) for case in CASES if case.fires} == rules
    assert {(case.alert, case.severity) for case in CASES if not case.fires} == rules


def test_rules_of_one_name_differ_in_their_severity() -> None:
    found = Counter((alert.name, alert.severity) for group in GROUPS for alert in group.alerts)
    assert max(found.values()) == 1


def test_who_is_told_about_an_end_rises_from_a_weekly_list_to_a_page() -> None:
    for name in ("OnecodeRegionKeysEnd", "OnecodeCertificateExpires"):
        severities = [alert.severity for group in GROUPS for alert in group.alerts if alert.name == name]
        assert severities == [Severity.NOTICE, Severity.TICKET, Severity.PAGE]
