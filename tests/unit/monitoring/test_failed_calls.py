"""The alert, the panels and ``onecode top`` mean the same by a call that failed."""

import pytest

from onecode_server.cli.top import state
from onecode_server.rpc.admission import REASONS

from monitoring import failed_calls
from monitoring.alerts.objectives import OBJECTIVES
from monitoring.dashboards import DASHBOARDS


def test_top_counts_the_same_codes_and_reasons() -> None:
    assert (state.FAULTS, state.OVERLOADS, state.IDLE) == (
        failed_calls.FAULTS,
        failed_calls.OVERLOADS,
        failed_calls.IDLE,
    )


def test_the_reasons_are_the_servers() -> None:
    assert {*failed_calls.OVERLOADS, failed_calls.IDLE} <= set(REASONS)


@pytest.mark.parametrize("title", ["Calls failing", "Failed calls"])
def test_a_panel_has_the_expression_of_the_alert(title: str) -> None:
    (recorded,) = (rule for rule in OBJECTIVES.recordings if rule.name == "job:onecode_failed_calls:ratio_rate5m")
    (panel,) = (panel for dashboard in DASHBOARDS for panel in dashboard.panels if panel.title == title)
    assert [query.expression for query in panel.queries] == [
        recorded.expression.replace(" by (job)", "").replace("<5m>", "<rate>")
    ]
