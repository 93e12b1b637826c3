"""The rule files: Prometheus takes them, and a divided one differs in its windows alone."""

import re
from pathlib import Path

import pytest

from monitoring import rules
from monitoring.alerts import GROUPS
from monitoring.dashboards import DASHBOARDS
from monitoring.model import Alert, Dashboard, Panel, Recording, Row, RuleGroup, Severity, Unit
from monitoring.options import Options
from tests import promtool

DEPLOYED = Path(__file__).parents[3] / "deploy" / "prometheus"
PANEL = ("d", "Second")
PAGE = Dashboard("d", "", "", (Row("", (Panel("First", "", Unit.COUNT, ()), Panel("Second", "", Unit.COUNT, ()))),))
# A window between brackets (of a subquery also its step), behind offset, or of a rule.
WINDOW = re.compile(r"(?<=\[)\d+[smhd](?=[\]:])|(?<=:)\d+[smhd](?=\])|(?<=offset )\d+[smhd]|(?<=for: )\d+[smhd]")
EACH: tuple[Recording | Alert, ...] = (
    *(rule for group in GROUPS for rule in group.recordings),
    *(rule for group in GROUPS for rule in group.alerts),
)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def alert(**changed: object) -> Alert:
    made = {"name": "A", "expression": "up{<scope>} == 0", "severity": Severity.PAGE, "summary": 'a "b"'}
    return Alert(**made | {"description": "c", "panel": PANEL} | changed)  # type: ignore[arg-type]


def written(tmp_path: Path, options: Options = promtool.OPTIONS) -> list[Path]:
    made = []
    for name, text in rules.render(GROUPS, options, (PAGE, *_with_panels())).items():
        made.append(tmp_path / Path(name).name)
        made[-1].write_text(text, "utf-8")
    return made


def _with_panels() -> tuple[Dashboard, ...]:
    """The panels to which alerts link, so that these tests are about the rules alone."""
    wanted: dict[str, set[str]] = {}
    for name, title in (alert.panel for group in GROUPS for alert in group.alerts):
        wanted.setdefault(name, set()).add(title)
    return tuple(
        Dashboard(name, "", "", (Row("", tuple(Panel(title, "", Unit.COUNT, ()) for title in sorted(titles))),))
        for name, titles in wanted.items()
    )


def test_a_group_is_written_as_a_person_reads_it() -> None:
    group = RuleGroup("g", (Recording("job:x:sum", "sum(x{<scope>})"),), (alert(wait="<1h>", labels={"team": "t"}),))
    found = rules.render([group], Options("j", "https://r/runbook.md", "https://g"), (PAGE,))
    assert found[rules.RULES].splitlines()[1:] == [
        "groups:",
        "  - name: g.rules",
        "    rules:",
        "      - record: job:x:sum",
        "        expr: |-",
        '          sum(x{job="j"})',
    ]
    assert found[rules.ALERTS].splitlines()[1:] == [
        "groups:",
        "  - name: g",
        "    rules:",
        "      - alert: A",
        "        expr: |-",
        '          up{job="j"} == 0',
        "        for: 1h",
        "        labels:",
        '          severity: "page"',
        '          team: "t"',
        "        annotations:",
        '          summary: "a \\"b\\""',
        '          description: "c"',
        '          runbook_url: "https://r/runbook.md#a"',
        '          dashboard_url: "https://g/d/d?viewPanel=2"',
    ]


def test_a_panel_that_no_dashboard_has_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no panel 'Third' on d"):
        rules.render([RuleGroup("g", alerts=(alert(panel=("d", "Third")),))], Options(), (PAGE,))


def test_a_window_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(ValueError, match="<30s> cannot be divided by 60"):
        rules.render([RuleGroup("g", alerts=(alert(wait="<30s>"),))], Options(divide=60), (PAGE,))


@pytest.mark.parametrize("divide", [1, 60])
def test_prometheus_takes_all_rules(divide: int, tmp_path: Path) -> None:
    files = written(tmp_path, Options(divide=divide))
    found = promtool.check(files)
    for kind in ("alerts", "recordings"):
        assert f"SUCCESS: {sum(len(getattr(group, kind)) for group in GROUPS)} rules found" in found


def test_divided_rules_differ_in_their_windows_alone() -> None:
    whole = rules.render(GROUPS, Options(), _with_panels())
    parts = rules.render(GROUPS, Options(divide=60), _with_panels())

    def divided(found: re.Match[str]) -> str:
        seconds = int(found[0][:-1]) * SECONDS[found[0][-1]]
        assert seconds % 60 == 0
        return f"{seconds // 60}s"

    for name, text in whole.items():
        assert len(WINDOW.findall(text)) > 50
        assert WINDOW.sub(divided, text) == parts[name]


def test_each_selector_of_each_rule_has_the_scope() -> None:
    metric = re.compile(r"\b(?:job:onecode\w+:\w+|onecode_\w+|grpc_server_\w+|up)\b(.{0,8})")
    for rule in EACH:
        assert set(metric.findall(rule.expression)) == {"{<scope>"}, rule.name


def test_each_alert_links_to_a_panel_that_is_on_a_dashboard() -> None:
    for rule in (rule for group in GROUPS for rule in group.alerts):
        assert rules.dashboard_url(rule, Options(), DASHBOARDS).startswith(f"{Options().grafana}/d/onecode-")


def test_no_rule_fills_in_what_is_missing() -> None:
    for rule in EACH:
        assert not re.search(r"absent|vector\(", rule.expression), rule.name


def test_prometheus_takes_the_configuration_with_the_rules_beside_it(tmp_path: Path) -> None:
    written(tmp_path)
    tls = tmp_path / "tls"
    tls.mkdir()
    for name in ("ca.crt", "ops.crt", "ops.key"):
        (tls / name).touch()
    config = tmp_path / "prometheus.yml"
    config.write_text((DEPLOYED / "prometheus.yml").read_text("utf-8"), "utf-8")
    found = promtool.check_config(config)
    assert "2 rule files found" in found
    assert f"job_name: {Options().job}\n" in config.read_text("utf-8")
