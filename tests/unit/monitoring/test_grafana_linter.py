"""Every dashboard keeps the rules of Grafana's dashboard linter, and each rule finds the fault that it is there for."""

import copy
import json
import re

import pytest

from monitoring import grafana
from monitoring.dashboards import DASHBOARDS
from monitoring.options import Options
from tests.unit.monitoring import linter

BOARDS = {path: json.loads(text) for path, text in grafana.render(DASHBOARDS, Options()).items()}


def panel_of(board, title="Codes checked"):
    return next(panel for panel in board["panels"] if panel["title"] == title)


def with_expression(expression, title="Codes checked"):
    def spoil(board):
        panel_of(board, title)["targets"][0]["expr"] = expression

    return spoil


def with_field(name, value, title="Codes checked"):
    def spoil(board):
        panel_of(board, title)[name] = value

    return spoil


def with_variable(name, key, value):
    def spoil(board):
        next(variable for variable in board["templating"]["list"] if variable["name"] == name)[key] = value

    return spoil


def with_target(key, value):
    def spoil(board):
        panel_of(board)["targets"][0][key] = value

    return spoil


def without_variable(board):
    board["templating"]["list"] = [each for each in board["templating"]["list"] if each["name"] != "instance"]


def without_unit(board):
    del panel_of(board)["fieldConfig"]["defaults"]["unit"]


def with_steps_that_fall(board):
    panel_of(board, "Failed calls")["fieldConfig"]["defaults"]["thresholds"]["steps"].reverse()


def with_two_queries_of_one_id(board):
    panel = panel_of(board)
    panel["targets"] *= 2


def with_a_narrow_panel(board):
    panel_of(board)["gridPos"]["w"] -= 1


def with_a_panel_over_another(board):
    panel_of(board)["gridPos"]["x"] += 1


def with_ids_from_0(board):
    for panel in linter.panels(board):
        panel["id"] -= 1


def with_a_heading_of_the_id_of_a_panel(board):
    board["panels"][0]["id"] = 1


def that_can_be_edited(board):
    board["editable"] = True


def without_siblings(board):
    board["links"] = []


SCOPE = 'job=~"$job",instance=~"$instance"'
VERDICTS = f"onecode_verdicts_total{{{SCOPE}}}"
BUCKETS = f"rate(grpc_server_handling_seconds_bucket{{{SCOPE}}}[$__rate_interval])"
FAULTS = [
    (linter.texts, with_field("title", ""), "has no title"),
    (linter.texts, with_field("description", " "), "has no description"),
    (linter.texts, with_field("title", "Failed calls"), "twice"),
    (linter.units, without_unit, "Codes checked"),
    (linter.thresholds, with_steps_that_fall, "Failed calls"),
    (linter.datasources, with_field("datasource", {"type": "prometheus", "uid": "main"}), "Codes checked"),
    (linter.datasources, with_field("targets", []), "Codes checked"),
    (linter.datasources, with_target("datasource", None), "a query of 'Codes checked'"),
    (linter.variables, without_variable, "no variable instance"),
    (linter.variables, with_variable("datasource", "query", "loki"), "something else"),
    (linter.variables, with_variable("job", "multi", False), "job: multi"),
    (linter.variables, with_variable("instance", "allValue", ".*"), "instance: allValue"),
    (linter.variables, with_variable("job", "query", "label_values(nothing, job)"), "job asks for"),
    (linter.variables, with_variable("job", "datasource", None), "another data source"),
    (linter.variables, with_expression('up{region="$region"}'), "uses region"),
    (linter.scopes, with_expression('sum(up{job=~"$job"})'), "'up'"),
    (linter.scopes, with_expression('sum(up{job="$job",instance=~"$instance"})'), "'up'"),
    (linter.scopes, with_expression("sum(ALERTS)"), "ALERTS"),
    (linter.grammar, with_expression("sum(up"), "unclosed"),
    (linter.grammar, with_expression("rate(up)"), "Codes checked"),
    (linter.metrics, with_expression("onecode_nothing_total"), "nothing exports onecode_nothing_total"),
    (linter.metrics, with_expression('{job=~"$job"}'), "nothing exports (no name)"),
    (linter.metrics, with_expression("sum by (region) (onecode_verdicts_total)"), "no label region"),
    (linter.metrics, with_expression('onecode_verdicts_total{host="1"}'), "no label host"),
    (linter.rates, with_expression(f"sum({VERDICTS})"), "counter without a rate"),
    (linter.rates, with_expression(f"rate(onecode_queue_codes{{{SCOPE}}}[$__rate_interval])"), "gauge with a rate"),
    (linter.rates, with_expression(f"rate({VERDICTS}[5m])"), "window is 0:05:00"),
    (linter.quantiles, with_expression(f"histogram_quantile(0.9, {BUCKETS})"), "not of a sum"),
    (linter.quantiles, with_expression(f"histogram_quantile(0.9, sum by (job) ({BUCKETS}))"), "not summed by le"),
    (linter.quantiles, with_expression(f"histogram_quantile(0.9, sum(rate({VERDICTS}[5m])))"), "not of buckets"),
    (linter.quantiles, with_expression(f"sum({BUCKETS})"), "not summed by le"),
    (linter.fillers, with_expression("sum(up) or vector(0)"), "vector()"),
    (linter.fillers, with_expression("absent(up)"), "absent()"),
    (linter.legends, with_target("legendFormat", " "), "has no legend"),
    (linter.legends, with_target("legendFormat", "{{home}}"), "shows home"),
    (linter.legends, with_two_queries_of_one_id, "two queries"),
    (linter.layout, with_a_narrow_panel, "23 of 24"),
    (linter.layout, with_a_panel_over_another, "lies over"),
    (linter.ids, with_ids_from_0, "panels have the ids [0, 1"),
    (linter.ids, with_a_heading_of_the_id_of_a_panel, "one id"),
    (linter.habits, that_can_be_edited, "can be edited"),
    (linter.habits, without_siblings, "no links"),
]


@pytest.mark.parametrize("rule", linter.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", BOARDS)
def test_every_dashboard_keeps_every_rule(path, rule):
    assert rule(BOARDS[path]) == []


@pytest.mark.parametrize(("rule", "spoil", "complaint"), FAULTS)
def test_each_rule_finds_the_fault_that_it_is_there_for(rule, spoil, complaint):
    board = copy.deepcopy(BOARDS["grafana/onecode-overview.json"])
    spoil(board)
    assert re.search(re.escape(complaint), "\n".join(rule(board)))


def test_no_rule_is_without_a_fault_that_it_finds():
    assert {rule for rule, _, _ in FAULTS} == set(linter.RULES)


def test_no_two_dashboards_have_the_same_id_or_title():
    for key in ("uid", "title"):
        assert len({board[key] for board in BOARDS.values()}) == len(BOARDS)
