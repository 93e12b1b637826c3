"""Panels as Grafana draws them."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import heatmap, stat, table, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    StackingConfig,
    TableSortByFieldState,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import DashboardLink, FieldColor, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from monitoring.expressions import Fillings, fill
from monitoring.model import Kind, Panel, Threshold, Unit

DATASOURCE: Final = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
FILLINGS: Final = Fillings(
    scope='job=~"$job",instance=~"$instance"', rate="$__rate_interval", region="$region", job='job=~"$job"'
)
_OK, _WARNING, _CRITICAL, _NEUTRAL = "green", "yellow", "red", "text"
_COLOURS: Final = {
    **dict.fromkeys(("ADMIT", "CURRENT", "OK", "VALID"), _OK),
    **dict.fromkeys(("CHECK", "STALE"), _WARNING),
    **dict.fromkeys(("REFUSE", "UNAVAILABLE", "BAD_SIGNATURE"), _CRITICAL),
}
"""The colours of series that mean the same in every panel."""
_RECOGNITION: Final = (
    "/d/onecode-recognition?${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&${__url_time_range}"
)
_VALUE: Final = "Value"
"""The column that Grafana makes of the values of a single query."""

_Drawn = TypeVar("_Drawn", heatmap.Panel, stat.Panel, table.Panel, timeseries.Panel)
_Properties = list[dashboard.DynamicConfigValue]


def board_panel(
    panel: Panel, number: int, place: dashboard.GridPos, links: Sequence[tuple[str, str]]
) -> heatmap.Panel | stat.Panel | table.Panel | timeseries.Panel:
    """Return a panel with its id and place. ``links`` are titles and addresses.

    Raises ValueError where a kind needs one query and has several, or where thresholds are floors and ceilings.
    """
    if panel.kind in (Kind.HEATMAP, Kind.MATRIX, Kind.TABLE) and len(panel.queries) != 1:
        raise ValueError(f"{panel.title!r} is a {panel.kind} and needs one query")
    if panel.kind is Kind.HEATMAP:
        return _heat_map(_common(heatmap.Panel(), panel, number, place, links), panel)
    if panel.kind is Kind.NUMBER:
        return _number(_common(stat.Panel(), panel, number, place, links), panel)
    if panel.kind is Kind.MATRIX:
        return _matrix(_common(table.Panel(), panel, number, place, links))
    if panel.kind is Kind.TABLE:
        return _table(_common(table.Panel(), panel, number, place, links), panel)
    return _lines(_common(timeseries.Panel(), panel, number, place, links), panel)


def threshold_steps(thresholds: Sequence[Threshold]) -> list[dashboard.Threshold]:
    """Return the colours from the lowest value on. Raises ValueError where some are floors and others are not."""
    if not thresholds:
        return [dashboard.Threshold(None, _NEUTRAL)]
    if len({threshold.is_floor for threshold in thresholds}) > 1:
        raise ValueError("thresholds are either all floors or none")
    rising = sorted(thresholds, key=lambda threshold: threshold.value)
    colours = [_CRITICAL if threshold.is_critical else _WARNING for threshold in rising]
    # A floor's colour is that of the values below it, and Grafana colours from a value on.
    colours = [*colours, _OK] if rising[0].is_floor else [_OK, *colours]
    values = [None, *(threshold.value for threshold in rising)]
    return [dashboard.Threshold(value, colour) for value, colour in zip(values, colours, strict=True)]


def _common(
    drawn: _Drawn, panel: Panel, number: int, place: dashboard.GridPos, links: Sequence[tuple[str, str]]
) -> _Drawn:
    drawn.title(panel.title).description(panel.description).id(number).grid_pos(place).datasource(DATASOURCE)
    drawn.unit(panel.unit.value).links([DashboardLink(title).url(url).target_blank(True) for title, url in links])
    drawn.thresholds(ThresholdsConfig().steps(threshold_steps(panel.thresholds)))
    # Nothing was counted: 0 of 0 is no number. And a key or a certificate without an end has +Inf left.
    drawn.mappings([_special("nan", "idle"), _value("Infinity", "no end")])
    for ref, query in zip("ABCDEFGH", panel.queries, strict=False):
        target = Dataquery().ref_id(ref).datasource(DATASOURCE).expr(fill(query.expression, FILLINGS))
        target.legend_format(query.legend or panel.title)
        if panel.kind in (Kind.NUMBER, Kind.MATRIX, Kind.TABLE):
            target.instant()  # a series that has ended is gone, where the last value of a range would stay
        else:
            target.range()
        drawn.with_target(target.format(_FORMATS.get(panel.kind, PromQueryFormat.TIME_SERIES)))
    return drawn


_FORMATS: Final = {
    Kind.HEATMAP: PromQueryFormat.HEATMAP,
    Kind.MATRIX: PromQueryFormat.TABLE,
    Kind.TABLE: PromQueryFormat.TABLE,
}


def _lines(drawn: timeseries.Panel, panel: Panel) -> timeseries.Panel:
    is_stacked = panel.kind is Kind.STACKED
    legend = VizLegendOptions().show_legend(True).display_mode(common.LegendDisplayMode.TABLE)
    legend.placement(common.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])
    drawn.legend(legend.sort_by("Last *").sort_desc(True))  # series that are 0 come last
    tooltip = VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    drawn.tooltip(tooltip.hide_zeros(True))
    drawn.show_points(common.VisibilityMode.NEVER).line_width(1).fill_opacity(60 if is_stacked else 10)
    if is_stacked:
        drawn.stacking(StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
        for name, colour in _COLOURS.items():
            drawn.override_by_name(name, [_property("color", {"mode": "fixed", "fixedColor": colour})])
    if panel.unit is not Unit.SECONDS:  # a time that is left falls below 0; nothing else does
        drawn.min(0)
    if panel.thresholds:
        drawn.thresholds_style(GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED))
    return drawn


def _number(drawn: stat.Panel, panel: Panel) -> stat.Panel:
    colour = common.BigValueColorMode.BACKGROUND if panel.thresholds else common.BigValueColorMode.NONE
    drawn.color_mode(colour).graph_mode(common.BigValueGraphMode.NONE)
    return drawn.color_scheme(_by_threshold()).reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))


def _heat_map(drawn: heatmap.Panel, panel: Panel) -> heatmap.Panel:
    colours = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(32).reverse(False)
    drawn.calculate(False).color(colours).show_color_scale(True).y_axis(heatmap.YAxisConfig().unit(panel.unit.value))
    # Rates of 0 stay blank.
    return drawn.cell_values(heatmap.CellValues().unit("ops")).filter_values(heatmap.FilterValueRange().le(1e-9))


def _table(drawn: table.Panel, panel: Panel) -> table.Panel:
    drawn.color_scheme(_by_threshold())
    drawn.with_transformation(
        _transformation("organize", {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {}})
    )
    if panel.thresholds:
        background = common.TableColoredBackgroundCellOptions()
        drawn.override_by_name(_VALUE, [_property("custom.cellOptions", background.to_json())])
        is_floor = panel.thresholds[0].is_floor
        drawn.sort_by([TableSortByFieldState().display_name(_VALUE).desc(not is_floor)])  # the worst on top
    return drawn


def _matrix(drawn: table.Panel) -> table.Panel:
    drawn.color_scheme(FieldColor().mode(dashboard.FieldColorModeId.CONTINUOUS_BLUES)).decimals(2)
    drawn.cell_options(common.TableColoredBackgroundCellOptions())
    fields = {"columnField": "host", "rowField": "home", "valueField": _VALUE}
    drawn.with_transformation(_transformation("groupingToMatrix", fields))
    drawn.override_by_regexp(
        r"/^(\d{6}|unknown)$/",
        [_links("Only the host ${__field.name}", f"{_RECOGNITION}&var-region=${{__field.name}}")],
    )
    return drawn.override_by_name(
        r"home\host",
        [
            _links("Only the region ${__value.raw}", f"{_RECOGNITION}&var-region=${{__value.raw}}"),
            _property("custom.cellOptions", common.TableAutoCellOptions().to_json()),
        ],
    )


def _by_threshold() -> FieldColor:
    return FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS)


def _transformation(name: str, options: Mapping[str, object]) -> dashboard.DataTransformerConfig:
    return dashboard.DataTransformerConfig(id_val=name, options=options)


def _links(title: str, url: str) -> dashboard.DynamicConfigValue:
    return _property("links", [{"title": title, "url": url, "targetBlank": False}])


def _property(name: str, value: object) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue(id_val=name, value=value)


def _special(value: str, text: str) -> dashboard.SpecialValueMap:
    result = dashboard.ValueMappingResult(text=text, color=_NEUTRAL, index=0)
    options = dashboard.DashboardSpecialValueMapOptions(match=dashboard.SpecialValueMatch(value), result=result)
    return dashboard.SpecialValueMap(options)


def _value(value: str, text: str) -> dashboard.ValueMap:
    return dashboard.ValueMap({value: dashboard.ValueMappingResult(text=text, color=_OK, index=1)})
