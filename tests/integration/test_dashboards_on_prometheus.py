"""A real Prometheus scrapes a server of two workers under load: each panel and rule has data, from all its metrics."""

import math
import time
from collections.abc import Iterator
from typing import Final

import pytest

from monitoring import rules
from monitoring.alerts import GROUPS
from monitoring.dashboards import DASHBOARDS
from monitoring.expressions import Fillings, fill
from monitoring.model import Alert, Panel, Recording
from monitoring.options import Options
from tests.integration.deployment import Deployment, Server
from tests.integration.promql import can_be_renamed, metric_names, renamed, selectors, with_numbers
from tests.integration.traffic import traffic, wait_until
from tests.prometheus import Prometheus

_JOB: Final = 'job="onecode"'
_OF_PANELS: Final = Fillings(f'{_JOB},instance=~".+"', rate="10s", job=_JOB)
_OF_RULES: Final = Fillings(_JOB, divide=60)
_WATCHED_S: Final = 15
"""More than any window of a panel here; the windows of rules are longer, and need two scrapes within them."""

PANELS: Final = [panel for dashboard in DASHBOARDS for panel in dashboard.panels]
ALERTS: Final = [alert for group in GROUPS for alert in group.alerts]
RECORDINGS: Final = [recording for group in GROUPS for recording in group.recordings]


@pytest.fixture(scope="module")
def prometheus(made: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has seen a server for a while, under load that goes on."""
    path = tmp_path_factory.mktemp("watched")
    deployment = made.copy_to(path / "data")
    for name, text in rules.render(GROUPS, Options(divide=60)).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, "utf-8")
    server = Server(deployment, "--workers", 2)
    watching = None
    try:
        watching = Prometheus(path / "prometheus", [server.page], [path / rules.RULES, path / rules.ALERTS])
        begun_s = time.monotonic()
        with traffic(server, deployment):
            wait_until(begun_s + _WATCHED_S)
            yield watching
    finally:
        if watching is not None:
            watching.end()
        server.end()


def expressions(panel: Panel) -> list[str]:
    """Return the expressions of a panel."""
    return [fill(query.expression, _OF_PANELS) for query in panel.queries]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.name)
def test_each_expression_of_a_panel_gives_numbers(prometheus: Prometheus, panel: Panel) -> None:
    for expression in expressions(panel):
        found = prometheus.query(expression)
        assert found, f"nothing from {expression}"
        assert any(not math.isnan(series.value) for series in found), f"NaN only from {expression}"


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.name)
def test_a_panel_is_empty_once_any_of_its_metrics_has_another_name(prometheus: Prometheus, panel: Panel) -> None:
    for expression in expressions(panel):
        assert metric_names(expression), expression
        for name in metric_names(expression):
            assert prometheus.query(renamed(expression, name)) == [], f"{name} is not needed in {expression}"


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
def test_each_recorded_series_is_there(prometheus: Prometheus, recording: Recording) -> None:
    expression = fill(recording.expression, _OF_RULES)
    found = prometheus.query(expression)
    assert found, f"nothing from {expression}"
    assert any(not math.isnan(series.value) for series in found), f"NaN only from {expression}"
    assert prometheus.query(f"{recording.name}{{{_JOB}}}")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.severity}")
def test_each_alert_is_about_series_that_are_there(prometheus: Prometheus, alert: Alert) -> None:
    expression = fill(alert.expression, _OF_RULES)
    prometheus.query(expression)  # no error
    for selector in selectors(expression):
        assert prometheus.query(selector), f"{alert.name}: there is no {selector}"
    if can_be_renamed(expression):
        compared = with_numbers(expression)
        assert prometheus.query(compared), f"nothing from {compared}"
        for name in metric_names(compared):
            assert prometheus.query(renamed(compared, name)) == [], f"{name} is not needed in {compared}"


def test_no_rule_fails_and_no_alert_fires_at_a_server_that_is_well(prometheus: Prometheus) -> None:
    groups = prometheus.get("/api/v1/rules")["groups"]
    evaluated = [rule for group in groups for rule in group["rules"]]
    assert len(evaluated) == len(ALERTS) + len(RECORDINGS)
    assert [(rule["name"], rule["lastError"]) for rule in evaluated if rule["health"] == "err"] == []
    assert prometheus.firing() == set()
