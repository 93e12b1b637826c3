"""What a page says first: which alerts fire, what is wrong in words, and which of its panels are out of bounds."""

import re
from html import escape
from importlib.resources import files
from typing import Final

from monitoring.consoles.go_template import expression, put
from monitoring.model import Alert, Dashboard, RuleGroup, Severity, anchor
from monitoring.options import Options

_MOOD: Final = """{{ if eq $state@{number} "critical" }}{{ $mood = "critical" }}
{{ else if and (eq $state@{number} "warning") (eq $mood "ok") }}{{ $mood = "warning" }}{{ end }}"""

_BOUND: Final = """{{ if eq $state@{number} "@{state}" }}<li class="@{state}"><b class="state">@{state}</b>
<a href="#@{anchor}">@{title}</a>
{{- if not $urgent }}<br><span class="why">@{description}</span>{{ end }}</li>{{ end }}"""

# A line for each series for which an alert fires, with its summary as Prometheus fills it in.
_ALERT: Final = """{{ range $firing }}{{ if and @{is_this} }}{{ $labels := .Labels }}@{value}
<li class="@{state}"><b class="state">@{severity}</b>
<span class="summary">@{summary}.</span> @{description}
<a href="@{runbook}">what to do: @{name}</a>
<a href="@{page}.html?job={{ $job }}&amp;instance={{ $instance }}&amp;range={{ $range }}#@{anchor}">@{title}</a></li>
{{ end }}{{ end }}"""

# ALERTS does not hold an alert's value: it is that of the alert's expression for the same labels.
_VALUE: Final = """{{ $value := query "vector(NaN)" | first | value }}{{ range query @{asked} }}{{ $same := true }}
{{ range $name, $has := .Labels }}{{ if and (ne $name "__name__") (ne (index $labels $name) $has) }}{{ $same = false }}
{{ end }}{{ end }}{{ if $same }}{{ $value = .Value }}{{ end }}{{ end }}"""

# Without the rules no alert can fire, which is not good news.
_RULES: Final = """{{ if and $targets (not (query (print "count({__name__=~\\"@{names}\\"," $ofJob "})"))) }}
{{ if eq $mood "ok" }}{{ $mood = "warning" }}{{ end }}{{ $withoutRules = true }}{{ end }}"""
_RULES_LINE: Final = """{{ if $withoutRules }}<li class="warning"><b class="state">warning</b> <span class="summary">
Prometheus has not loaded the rules, or has just started: no alert can fire</span></li>{{ end }}"""
_ACTION: Final = re.compile(r"({{.*?}})")


def runbook(alert: Alert, options: Options) -> str:
    """Return where an alert's entry in the runbook is read."""
    return escape(f"{options.runbook}#{anchor(alert.name)}")


def state_of(alert: Alert) -> str:
    """Return the class for an alert's severity."""
    return {Severity.PAGE: "critical", Severity.TICKET: "warning"}.get(alert.severity, "notice")


def is_this(alert: Alert) -> str:
    """Return the template's tests of whether its dot is a series of this alert. Several rules may share a name."""
    return f'(eq .Labels.alertname "{alert.name}") (eq .Labels.severity "{alert.severity}")'


def banner(page: Dashboard, groups: tuple[RuleGroup, ...], options: Options) -> str:
    """Return the box on top: red where a person is called, amber where something is to be mended, else green."""
    alerts = [alert for group in groups for alert in group.alerts]
    alerts.sort(key=lambda alert: list(Severity).index(alert.severity))  # those for which a person is called first
    bounded = [(number, panel) for number, panel in enumerate(page.panels) if panel.thresholds]
    return put(
        (files("monitoring.consoles") / "banner.html").read_text("utf-8"),
        moods="".join(put(_MOOD, number=number) for number, _ in bounded),
        rules_missing=_rules_missing(groups),
        alerts=_RULES_LINE + "".join(_alert(alert, options) for alert in alerts),
        known=" ".join(f"(and {is_this(alert)})" for alert in alerts),
        bounds="".join(
            put(
                _BOUND,
                number=number,
                state=state,
                anchor=panel.name,
                title=escape(panel.title),
                description=escape(panel.description),
            )
            for state in ("critical", "warning")
            for number, panel in bounded
        ),
    )


def _rules_missing(groups: tuple[RuleGroup, ...]) -> str:
    """Return the test of whether the rules are loaded: a series that they record is there, or none is."""
    names = "|".join(recording.name for group in groups for recording in group.recordings)
    return "{{ $withoutRules := false }}" + (put(_RULES, names=names) if names else "")


def _escaped(summary: str) -> str:
    """Return a summary as HTML. Its ``{{ actions }}`` stay as they are: the template escapes what they give."""
    parts = _ACTION.split(summary)
    return "".join(part if _ACTION.fullmatch(part) else escape(part) for part in parts)


def _alert(alert: Alert, options: Options) -> str:
    name, title = alert.panel
    asked = expression(alert.expression, options)
    return put(
        _ALERT,
        name=alert.name,
        value=put(_VALUE, asked=asked) if "$value" in alert.summary else "",
        state=state_of(alert),
        severity=alert.severity.value,
        is_this=is_this(alert),
        summary=_escaped(alert.summary),
        description=escape(alert.description),
        runbook=runbook(alert, options),
        page=name,
        anchor=anchor(title),
        title=escape(title),
    )
