"""A real Prometheus scrapes a server of two workers under load: each panel and rule has data, from all its metrics."""

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from monitoring.alerts import GROUPS
from monitoring.dashboards import DASHBOARDS
from monitoring.expressions import Fillings, fill
from monitoring.model import Alert, Panel, Recording
from tests.integration.deployment import Deployment, Server, eventually
from tests.integration.expressions import can_be_renamed, is_of_a_log, metric_names, renamed, selectors, with_numbers
from tests.integration.observed import observed
from tests.prometheus import Prometheus, binary

_JOB: Final = 'job="onecode"'
_OF_PANELS: Final = Fillings(f'{_JOB},instance=~".+"', rate="10s", job=_JOB)
_OF_RULES: Final = Fillings(_JOB, divide=60)
_WATCHED_S: Final = 15
"""More than any window of a panel here; the windows of rules are longer, and need two scrapes within them."""

_PANELS: Final = [panel for dashboard in DASHBOARDS for panel in dashboard.panels]
_ALERTS: Final = [alert for group in GROUPS for alert in group.alerts]
PANELS_OF_A_LOG: Final = [panel for panel in _PANELS if is_of_a_log(*(query.expression for query in panel.queries))]
PANELS: Final = [panel for panel in _PANELS if panel not in PANELS_OF_A_LOG]
ALERTS: Final = [alert for alert in _ALERTS if not is_of_a_log(alert.expression)]
RECORDINGS: Final = [recording for group in GROUPS for recording in group.recordings]


@pytest.fixture(scope="module")
def prometheus(made: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has seen two servers for a while, one of them under load that goes on."""
    binary()  # skips, before anything is started
    path = tmp_path_factory.mktemp("watched")
    with without_front(made, path) as other, observed(made, path, [other]) as running:
        time.sleep(_WATCHED_S)
        yield running.prometheus


@contextmanager
def without_front(made: Deployment, path: Path) -> Iterator[Server]:
    """A server whose native front does not load: in its place an empty file is found."""
    found = path / "found"
    found.mkdir()
    (found / "_front.abi3.so").touch()
    (found / "sitecustomize.py").write_text(
        f"import onecode_server.rpc\nonecode_server.rpc.__path__.insert(0, {str(found)!r})\n"
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(found), prepend=os.pathsep)
        server = Server(made.copy_to(path / "other"), "--front", "auto")
    try:
        yield server
    finally:
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
        for name in metric_names(expression) - {"ALERTS"}:  # which has no series where none fires
            assert prometheus.query(renamed(expression, name)) == [], f"{name} is not needed in {expression}"


@pytest.mark.parametrize("panel", PANELS_OF_A_LOG, ids=lambda panel: panel.name)
def test_a_panel_about_a_log_is_empty_where_the_store_is_embedded(prometheus: Prometheus, panel: Panel) -> None:
    for expression in expressions(panel):
        assert prometheus.query(expression) == []


def test_alerts_that_fire_are_counted(prometheus: Prometheus) -> None:
    (panel,) = (panel for panel in PANELS if panel.title == "Alerts firing")
    (expression,) = expressions(panel)
    eventually(lambda: [series.value for series in prometheus.query(expression)] == [1], 60)
    assert [series.value for series in prometheus.query(renamed(expression, "ALERTS"))] == [0]


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


def test_no_rule_fails_and_no_alert_but_the_one_that_was_made_fires(prometheus: Prometheus) -> None:
    evaluated = [rule for group in prometheus.get("/api/v1/rules")["groups"] for rule in group["rules"]]
    assert len(evaluated) == len(_ALERTS) + len(RECORDINGS)
    assert [(rule["name"], rule["lastError"]) for rule in evaluated if rule["health"] == "err"] == []
    eventually(lambda: prometheus.firing() == {"OnecodeFrontFallback", "Watchdog"}, 60)
