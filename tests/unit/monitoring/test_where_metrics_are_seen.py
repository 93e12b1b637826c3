"""Each metric of the server is where docs/metrics.md says: on a dashboard, in an alert, or for diagnosis only."""

from collections.abc import Iterable

import pytest

from monitoring.alerts import GROUPS
from monitoring.dashboards import DASHBOARDS
from monitoring.expressions import Fillings, fill
from tests.unit.monitoring.promql import selectors
from tests.unit.telemetry.test_metrics_page import rows

FILLINGS = Fillings('job="onecode"')


def metrics_in(expressions: Iterable[str]) -> set[str]:
    """Return the metrics that expressions select, a histogram by its own name."""
    names = {name for one in expressions for selector in selectors(fill(one, FILLINGS)) for name in selector.names}
    ends = ("_bucket", "_sum", "_count")
    known = rows()
    return {next((name.removesuffix(end) for end in ends if name.removesuffix(end) in known), name) for name in names}


SHOWN = metrics_in(query.expression for board in DASHBOARDS for panel in board.panels for query in panel.queries)
TOLD = metrics_in(
    [rule.expression for group in GROUPS for rule in group.recordings]
    + [rule.expression for group in GROUPS for rule in group.alerts]
)


@pytest.mark.parametrize("name", rows())
def test_each_metric_is_used_as_the_page_says(name: str) -> None:
    used = [use for use, names in (("dashboard", SHOWN), ("alert", TOLD)) if name in names]
    assert rows()[name].used == (used or ["diagnosis only"])
