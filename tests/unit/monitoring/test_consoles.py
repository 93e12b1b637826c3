"""What the console pages are made of, without a Prometheus: tests/integration/test_console_pages.py has a real one."""

import re

import pytest

from monitoring import consoles
from monitoring.alerts import GROUPS
from monitoring.consoles.go_template import expression, legend, put
from monitoring.dashboards import DASHBOARDS
from monitoring.model import Alert, Dashboard, Kind, Panel, Query, Row, RuleGroup, Severity, Threshold, Unit
from monitoring.options import Options

OPTIONS = Options(divide=60)


def page(panel: Panel, *alerts: Alert) -> str:
    dashboard = Dashboard("onecode-one", "onecode / One", "a < b", (Row("Row", (panel,)),))
    (text,) = consoles.render([dashboard], [RuleGroup("group", alerts=alerts)], OPTIONS).values()
    return text


def panel(expression_: str = "up{<scope>}", *thresholds: Threshold, unit: Unit = Unit.COUNT) -> Panel:
    return Panel('Title & "more"', "Good: <b>", unit, (Query(expression_, "{{instance}}"),), thresholds=thresholds)


def test_there_is_a_page_for_each_dashboard_with_links_to_all():
    pages = consoles.render(DASHBOARDS, GROUPS, Options())
    assert list(pages) == [f"prometheus/consoles/{one.name}.html" for one in DASHBOARDS]
    for text in pages.values():
        assert {one.name for one in DASHBOARDS} <= set(re.findall(r'href="([\w-]+)\.html', text))


def test_a_page_loads_nothing_from_elsewhere():
    for text in consoles.render(DASHBOARDS, GROUPS, Options()).values():
        assert re.findall(r'(?:src|srcset|action|data)="|<link|@import|url\(', text) == []


def test_titles_and_descriptions_are_escaped():
    text = page(panel())
    assert "Title &amp; &quot;more&quot;" in text
    assert "Good: &lt;b&gt;" in text
    assert "a &lt; b" in text
    assert "<b>" not in text


def test_an_expression_is_put_together_from_the_variables_of_the_page():
    found = expression('sum(rate(a{<scope>,x="\\\\d"}[<rate>])) > increase(b{<job>,host=~"<region>"}[<5m>])', OPTIONS)
    assert found == (
        r'(print "sum(rate(a{" $scope ",x=\"\\\\d\"}[" $rate "])) > increase(b{" $ofJob ",host=~\"" $region "\"}[5s])")'
    )


def test_an_unknown_placeholder_or_a_missing_part_is_an_error():
    with pytest.raises(ValueError, match="<nobody>"):
        page(panel("up{<nobody>}"))
    with pytest.raises(KeyError):
        put("@{missing}")


def test_a_legend_has_the_labels_of_its_series():
    assert legend("{{home}} at {{ host }}") == '{{ index .Labels "home" }} at {{ index .Labels "host" }}'


def test_a_bound_is_compared_so_that_a_value_that_is_no_number_is_not_out_of_bounds():
    text = page(panel("up{<scope>}", Threshold(5), Threshold(1, is_critical=True, is_floor=True)))
    assert "le 5.0 .Value" in text
    assert "le .Value 1.0" in text
    assert not re.search(r"\b(ge|gt) [\d.]", text)


@pytest.mark.parametrize(("threshold", "order"), [(Threshold(5), "sort_desc("), (Threshold(5, is_floor=True), "sort(")])
def test_the_worst_value_is_the_first(threshold, order):
    assert f'(print "{order}"' in page(panel("up{<scope>}", threshold))


@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("kind", Kind)
def test_each_unit_and_kind_can_be_shown(unit, kind):
    one = Panel("One", "Good.", unit, (Query("up{<scope>}", "up"),), kind)
    assert f'{{{{ template "{unit.name}" .Value }}}}' in page(one)


def test_alerts_of_one_name_are_told_apart_by_severity_and_linked_once():
    alerts = [
        Alert(
            "OnecodeOne", "up{<scope>} < 1", severity, "It is {{ $value }}", "Bad.", ("onecode-one", 'Title & "more"')
        )
        for severity in Severity
    ]
    text = page(panel(), *alerts)
    for severity in Severity:
        assert f'(eq .Labels.alertname "OnecodeOne") (eq .Labels.severity "{severity}")' in text
    assert text.count(">OnecodeOne</a>") == 1
    assert f'href="{OPTIONS.runbook}#onecodeone"' in text


def test_a_summary_is_escaped_around_its_actions():
    told = Alert("OnecodeOne", "up{<scope>}", Severity.PAGE, '<i> {{ $value | humanize }} & "', "Bad.", ("a", "b"))
    assert "&lt;i&gt; {{ $value | humanize }} &amp; &quot;" in page(panel(), told)
