"""Dashboards as Grafana reads them: JSON for the version to which ``grafana-foundation-sdk`` is pinned, and later."""

from collections.abc import Iterable, Sequence
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard as Board
from grafana_foundation_sdk.builders.dashboard import DashboardLink, DatasourceVariable, QueryVariable
from grafana_foundation_sdk.builders.dashboard import Row as BoardRow
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    GridPos,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from monitoring.alerts import GROUPS
from monitoring.grafana_panels import DATASOURCE, board_panel
from monitoring.model import Alert, Dashboard, Kind, Panel, Row, RuleGroup, anchor
from monitoring.options import Options

COLUMNS: Final = 24
"""The columns of a page of Grafana."""
_HEIGHTS: Final = {Kind.NUMBER: 4, Kind.MATRIX: 16}
_HEIGHT: Final = 8
_FIRST_ROW_ID: Final = 1001
"""Headings have ids too. Those of panels are their places, from 1 on, as links of alerts know them."""
_TAG: Final = "onecode"


def render(dashboards: Iterable[Dashboard], options: Options, groups: Sequence[RuleGroup] = GROUPS) -> dict[str, str]:
    """Return the JSON of each dashboard, by its path below ``deploy/``. ``groups`` are the alerts that panels link to.

    Raises ValueError where the panels of a row do not fill its lines, or a panel cannot be drawn.
    """
    alerts = [alert for group in groups for alert in group.alerts]
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    return {
        f"grafana/{dashboard.name}.json": encoder.encode(_board(dashboard, alerts, options).build()) + "\n"
        for dashboard in dashboards
    }


def _board(dashboard: Dashboard, alerts: Sequence[Alert], options: Options) -> Board:
    board = (
        Board(dashboard.title)
        .uid(dashboard.name)
        .description(dashboard.description)
        .tags([_TAG])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-3h", "now")
        .refresh("30s")
        .annotations([])
        .link(
            DashboardLink("onecode")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([_TAG])
            .as_dropdown(False)
            .include_vars(True)
            .keep_time(True)
        )
    )
    for variable in _variables(dashboard):
        board.with_variable(variable)
    top, number = 0, 0
    for row_id, row in enumerate(dashboard.rows, _FIRST_ROW_ID):
        board.with_row(BoardRow(row.title).id(row_id).grid_pos(GridPos(h=1, w=COLUMNS, x=0, y=top)))
        top += 1
        for line in _lines(row):
            height = max(_HEIGHTS.get(panel.kind, _HEIGHT) for panel in line)
            left = 0
            for panel in line:
                number += 1
                place = GridPos(h=height, w=panel.width, x=left, y=top)
                board.with_panel(board_panel(panel, number, place, _runbook(dashboard, panel, alerts, options)))
                left += panel.width
            top += height
    return board


def _lines(row: Row) -> list[list[Panel]]:
    """Return the panels of a row, in lines of 24 columns. Raises ValueError where a line is not full."""
    lines: list[list[Panel]] = []
    left = 0
    for panel in row.panels:
        if left == 0:
            lines.append([])
        lines[-1].append(panel)
        left += panel.width
        if left > COLUMNS:
            raise ValueError(f"{panel.title!r} does not fit into its line of {row.title!r}")
        left %= COLUMNS
    if left:
        raise ValueError(f"the last line of {row.title!r} has {left} of {COLUMNS} columns")
    return lines


def _runbook(dashboard: Dashboard, panel: Panel, alerts: Sequence[Alert], options: Options) -> list[tuple[str, str]]:
    """Return titles and addresses: the entry of each alert that is seen in the panel, once for all its severities."""
    seen = dict.fromkeys(alert.name for alert in alerts if alert.panel == (dashboard.name, panel.title))
    return [(f"Runbook: {name}", f"{options.runbook}#{anchor(name)}") for name in seen]


def _variables(dashboard: Dashboard) -> list[DatasourceVariable | QueryVariable]:
    made: list[DatasourceVariable | QueryVariable] = [
        DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _labels("job", "onecode_info"),
        _labels("instance", 'onecode_info{job=~"$job"}'),
    ]
    if dashboard.by_region:
        made.append(_labels("region", 'onecode_scans_total{job=~"$job",instance=~"$instance"}', label="host"))
    return made


def _labels(name: str, selector: str, label: str = "") -> QueryVariable:
    """Return a variable of one, several or all values of a label."""
    return (
        QueryVariable(name)
        .label(name.capitalize())
        .datasource(DATASOURCE)
        .query(f"label_values({selector}, {label or name})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
