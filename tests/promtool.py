"""Prometheus's own tool for rules (Debian's package prometheus). What needs it skips where it is missing.

A case is a small world of series, in promtool's notation (``0+2x60``: two more at each of 60 steps), and what
one rule makes of it. The rule is rendered as for a server, with the recording rules that it reads.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from monitoring import rules
from monitoring.alerts import GROUPS
from monitoring.model import Alert, Dashboard, Panel, Row, RuleGroup, Severity, Unit
from monitoring.options import Options

TARGET: Final = {"job": "onecode", "instance": "a:9464"}
OPTIONS: Final = Options()


@dataclass(frozen=True, slots=True)
class Case:
    """``series`` are values by selector; those without an instance are of TARGET.

    ``labels`` are those of the alert that fires at ``at``, besides its severity, and ``summary`` is its text. One step
    before it does not fire: ``at`` is the first moment. Without ``summary`` nothing fires at ``at``. At ``still`` it
    fires as well, with the same text.
    """

    alert: str
    severity: Severity
    what: str
    series: dict[str, str]
    at: str
    summary: str = ""
    labels: dict[str, str] | None = None
    step: str = "1m"
    still: str = ""

    @property
    def fires(self) -> bool:
        """Whether the rule fires in this world."""
        return bool(self.summary)

    def __str__(self) -> str:
        return f"{self.alert}-{self.severity}-{self.what.replace(' ', '_')}"


def promtool() -> str:
    """Return the path of promtool, or skip the test."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (prometheus)")
    return found


def check(files: list[Path]) -> str:
    """Return what ``promtool check rules`` prints about rule files. Fails the test where it finds a fault."""
    return _run("check", "rules", "--lint=all", "--lint-fatal", *map(str, files))


def check_config(file: Path) -> str:
    """Return what ``promtool check config`` prints about a configuration and the rule files that it names."""
    return _run("check", "config", str(file))


def hold(case: Case, path: Path) -> None:
    """Hold a rule to a case, by ``promtool test rules`` with files in ``path``."""
    group, alert = _rule(case)
    # With the panel of this rule alone: where panels lie on the dashboards is the matter of another test.
    panel = Panel(alert.panel[1], "", Unit.COUNT, ())
    dashboards = [Dashboard(alert.panel[0], "", "", (Row("", (panel,)),))]
    read = tuple(recording for recording in group.recordings if recording.name in alert.expression)
    rendered = rules.render([RuleGroup(group.name, read, (alert,))], OPTIONS, dashboards)
    files = [path / Path(name).name for name in rendered]
    for file, text in zip(files, rendered.values(), strict=True):
        file.write_text(text, "utf-8")
    fired = {
        "exp_labels": {"severity": case.severity.value} | (TARGET if case.labels is None else case.labels),
        "exp_annotations": rules.annotations(alert, OPTIONS, dashboards) | {"summary": case.summary},
    }
    moments = [(case.at, [fired])] if case.fires else [(case.at, [])]
    if case.fires and (before := _minutes(case.at) - _minutes(case.step)) >= 0:
        moments.insert(0, (f"{before}m", []))
    if case.still:
        moments.append((case.still, [fired]))
    world = {
        "interval": case.step,
        "input_series": [{"series": _of_target(name), "values": values} for name, values in case.series.items()],
        "alert_rule_test": [{"eval_time": at, "alertname": alert.name, "exp_alerts": found} for at, found in moments],
    }
    test = {
        "rule_files": [file.name for file in files],
        "evaluation_interval": case.step,
        "group_eval_order": [f"{group.name}.rules", group.name] if read else [group.name],  # else it is any
        "tests": [world],
    }
    (path / "test.yml").write_text(json.dumps(test), "utf-8")  # JSON is YAML
    _run("test", "rules", str(path / "test.yml"))


def _rule(case: Case) -> tuple[RuleGroup, Alert]:
    return next(
        (group, alert)
        for group in GROUPS
        for alert in group.alerts
        if (alert.name, alert.severity) == (case.alert, case.severity)
    )


def _of_target(selector: str) -> str:
    name, _, given = selector.rstrip("}").partition("{")
    own = TARGET if "instance=" not in given else {"job": TARGET["job"]}
    labels = [f'{label}="{value}"' for label, value in own.items()]
    return f"{name}{{{','.join([*labels, given] if given else labels)}}}"


def _minutes(duration: str) -> int:
    return int(duration.removesuffix("m"))


def _run(*arguments: str) -> str:
    ran = subprocess.run([promtool(), *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
