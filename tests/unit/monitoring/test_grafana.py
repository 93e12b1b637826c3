"""What is made of the model for Grafana: valid for its schema, the same at each run, and linked to the runbook."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard as Schema

from monitoring import grafana
from monitoring.alerts import GROUPS
from monitoring.dashboards import DASHBOARDS
from monitoring.grafana_panels import FILLINGS, threshold_steps
from monitoring.model import Dashboard, Kind, Panel, Query, Row, RuleGroup, Threshold, Unit
from monitoring.options import Options

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
FILES = grafana.render(DASHBOARDS, Options())
ALERTS = [alert for group in GROUPS for alert in group.alerts]
UP = Query("up{<scope>}", "up")


@pytest.fixture(scope="module", autouse=True)
def _plugins():
    register_default_plugins()


def lost(board):
    """Read a dashboard by the schema's classes and write it again. Return the fields that are gone or changed by it."""
    return list(_missing(board, json.loads(JSONEncoder().encode(Schema.from_json(copy.deepcopy(board)))), "dashboard"))


def _missing(ours, read, path):
    if isinstance(ours, dict) and isinstance(read, dict):
        for key, value in ours.items():
            yield from _missing(value, read.get(key, "nothing"), f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(read, list) and len(ours) == len(read):
        for place, (value, other) in enumerate(zip(ours, read, strict=True)):
            yield from _missing(value, other, f"{path}[{place}]")
    elif ours != read:
        yield path


def panel(kind=Kind.LINES, thresholds=(), title="Servers", width=24, queries=(UP,)):
    return Panel(title, "Good: all.", Unit.COUNT, queries, kind, thresholds, width)


def made(*panels, groups=(), options=None, by_region=False):
    """The panels of a dashboard of one row, as JSON."""
    dashboard = Dashboard("onecode-test", "Test", "For tests.", (Row("Row", panels),), by_region)
    (text,) = grafana.render((dashboard,), options or Options(), groups).values()
    return [each for each in json.loads(text)["panels"] if each["type"] != "row"]


@pytest.mark.parametrize("path", FILES)
def test_the_schema_of_grafana_knows_every_field(path):
    assert lost(json.loads(FILES[path])) == []


@pytest.mark.parametrize(
    ("where", "field"),
    [
        ((), "invented"),
        (("panels", 1), "gridpos"),
        (("panels", 1, "targets", 0), "expression"),
        (("panels", 1, "options"), "invented"),
        (("templating", "list", 1), "all"),
    ],
)
def test_a_field_that_the_schema_does_not_know_is_seen(where, field):
    board = json.loads(FILES["grafana/onecode-overview.json"])
    part = board
    for key in where:
        part = part[key]
    part[field] = 1
    assert [path.rpartition(".")[2] for path in lost(board)] == [field]


def test_the_files_are_those_in_deploy_and_there_are_no_others():
    there = {f"grafana/{path.name}": path.read_text(encoding="utf-8") for path in (DEPLOY / "grafana").glob("*.json")}
    assert there == FILES


def test_two_runs_give_the_same_text_with_sorted_keys_and_an_end_of_line():
    assert grafana.render(DASHBOARDS, Options()) == FILES
    for text in FILES.values():
        assert text == json.dumps(json.loads(text), sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def test_a_panel_links_to_the_runbook_entry_of_each_alert_that_is_seen_in_it():
    def alert(name, title):
        return replace(ALERTS[0], name=name, panel=("onecode-test", title))

    both = alert("OnecodeDown", "Servers"), alert("OnecodeOther", "Others")
    groups = RuleGroup("one", alerts=both), RuleGroup("two", alerts=both[:1])  # once more, of another severity
    panels = panel(width=12), panel(title="No alert", width=12)
    first, second = made(*panels, groups=groups, options=Options(runbook="R"))
    assert [(link["title"], link["url"]) for link in first["links"]] == [("Runbook: OnecodeDown", "R#onecodedown")]
    assert second["links"] == []


def test_every_alert_is_linked_from_the_panel_that_it_names():
    for alert in ALERTS:
        board = json.loads(FILES[f"grafana/{alert.panel[0]}.json"])
        (seen,) = [each for each in board["panels"] if each["type"] != "row" and each["title"] == alert.panel[1]]
        assert f"Runbook: {alert.name}" in [link["title"] for link in seen["links"]]


def test_a_cell_of_the_matrix_leads_to_its_region():
    board = json.loads(FILES["grafana/onecode-recognition.json"])
    (matrix,) = [each for each in board["panels"] if each["title"] == "Scans by home and host"]
    urls = [
        link["url"]
        for override in matrix["fieldConfig"]["overrides"]
        for each in override["properties"]
        if each["id"] == "links"
        for link in each["value"]
    ]
    assert [url.rpartition("&")[2] for url in urls] == ["var-region=${__field.name}", "var-region=${__value.raw}"]
    assert {url.partition("?")[0] for url in urls} == {f"/d/{board['uid']}"}
    transformation = {"columnField": "host", "rowField": "home", "valueField": "Value"}
    assert matrix["transformations"] == [{"id": "groupingToMatrix", "options": transformation}]


def test_numbers_and_tables_show_the_present_and_lines_the_past():
    for kind in Kind:
        (drawn,) = made(panel(kind))
        is_instant = kind in {Kind.NUMBER, Kind.MATRIX, Kind.TABLE}
        (target,) = drawn["targets"]
        assert (target["instant"], target["range"]) == (is_instant, not is_instant)
        formats = {Kind.HEATMAP: "heatmap", Kind.MATRIX: "table", Kind.TABLE: "table"}
        assert target["format"] == formats.get(kind, "time_series")


@pytest.mark.parametrize(
    ("thresholds", "steps"),
    [
        ((), [(None, "text")]),
        ((Threshold(5, True), Threshold(1)), [(None, "green"), (1, "yellow"), (5, "red")]),
        ((Threshold(5, False, True), Threshold(1, True, True)), [(None, "red"), (1, "yellow"), (5, "green")]),
        ((Threshold(1, True, True),), [(None, "red"), (1, "green")]),
    ],
)
def test_colours_rise_from_the_lowest_value_whether_high_or_low_is_bad(thresholds, steps):
    assert [(step.value, step.color) for step in threshold_steps(thresholds)] == steps


@pytest.mark.parametrize(
    ("panels", "why"),
    [
        ((panel(width=16), panel(title="Too wide", width=9)), "does not fit"),
        ((panel(width=16),), "has 16 of 24"),
        ((panel(thresholds=(Threshold(1), Threshold(2, is_floor=True))),), "all floors or none"),
        ((panel(Kind.MATRIX, queries=(UP, UP)),), "needs one query"),
        ((panel(queries=(Query("up{<strange>}", "up"),)),), "<strange>"),
    ],
)
def test_what_cannot_be_drawn_is_refused(panels, why):
    with pytest.raises(ValueError, match=why):
        made(*panels)


def test_placeholders_are_filled_with_the_variables_of_the_dashboard():
    text = "sum(rate(a_total{<scope>,b=~'<region>'}[<rate>])) + count(ALERTS{<job>})"
    (drawn,) = made(panel(queries=(Query(text, "x"),)), by_region=True)
    filled = (
        """sum(rate(a_total{job=~"$job",instance=~"$instance",b=~'$region'}[$__rate_interval]))"""
        """ + count(ALERTS{job=~"$job"})"""
    )
    assert drawn["targets"][0]["expr"] == filled
    assert FILLINGS.divide == 1


def test_the_provisioned_source_is_a_prometheus_that_the_environment_names_and_the_dashboards_are_files():
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "${PROMETHEUS_URL}", True)
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "onecode.yaml").read_text())["providers"]
    assert (provider["type"], provider["options"]["path"]) == ("file", "/etc/grafana/dashboards")
