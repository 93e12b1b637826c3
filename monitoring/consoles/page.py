"""Prometheus console templates: each dashboard as a page that Prometheus itself serves.

A page is one file and needs nothing else: ``--web.console.templates`` names its directory. All that a reader must know
is in the HTML that Prometheus makes: values, words for their state, alerts that fire. The script in the page only draws
courses over time, from ``/api/v1/query_range``. The graph library that came with Prometheus 2 is not used: Debian ships
it without its templates, and Prometheus 3 is without it.
"""

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from typing import Final

from monitoring.consoles.banner import banner
from monitoring.consoles.go_template import literal, put
from monitoring.consoles.panels import VALUES, panel_figure, panel_queries
from monitoring.model import Alert, Dashboard, RuleGroup
from monitoring.options import Options

_USUAL_RANGE: Final = ("1h", 3600, "5m")
_RANGES: Final[tuple[tuple[str, int, str], ...]] = (
    ("15m", 900, "1m"),
    _USUAL_RANGE,
    ("6h", 21600, "5m"),
    ("1d", 86400, "15m"),
    ("7d", 604800, "1h"),
)
"""What can be chosen, its seconds, and the window of rates: at least four scrapes of 15 s, and about the distance of
the points from which a course is drawn."""

_SCRIPTS: Final = ("values.js", "charts.js", "panels.js")
"""One script, in this order."""

_RANGE: Final = '@{otherwise}{{ $range = "@{name}" }}{{ $rangeSeconds = "@{seconds}" }}{{ $rate = "@{rate}" }}'
_LINK: Final = """<a href="@{name}.html?job={{ $job }}&amp;instance={{ $instance }}&amp;region={{ $chosen }}
{{- ""}}&amp;range={{ $range }}"@{current}>@{title}</a>"""
# What is chosen is offered though nothing has it, so that a reader sees what the page is limited to.
_CHOOSER: Final = """<label>@{name} <select name="@{name}">@{everything}{{ $seen := false }}
{{ range query @{asked} | sortByLabel "@{label}" }}{{ $has := index .Labels "@{label}" }}
<option{{ if eq $has $@{variable} }}{{ $seen = true }} selected{{ end }}>{{ $has }}</option>{{ end }}
{{ if and $@{variable} (not $seen) }}<option selected>{{ $@{variable} }}</option>{{ end }}</select></label>"""
_ALL: Final = '<option value="">all</option>'


def render(dashboards: Iterable[Dashboard], groups: Iterable[RuleGroup], options: Options) -> dict[str, str]:
    """Return the text of each page, by its path below ``deploy/``."""
    pages, rules = tuple(dashboards), tuple(groups)
    return {f"prometheus/consoles/{page.name}.html": _page(page, pages, rules, options) for page in pages}


def _page(page: Dashboard, pages: tuple[Dashboard, ...], groups: tuple[RuleGroup, ...], options: Options) -> str:
    return put(
        _asset("page.html"),
        values=VALUES,
        job=literal(options.job),
        ranges=_chosen_range(),
        queries="\n".join(panel_queries(number, panel, options) for number, panel in enumerate(page.panels)),
        title=escape(page.title),
        style=_asset("page.css"),
        description=escape(page.description),
        links="".join(_link(other, page) for other in pages),
        choosers=_choosers(page),
        range_options="".join(
            put('<option{{ if eq $range "@{name}" }} selected{{ end }}>@{name}</option>', name=name)
            for name, _, _ in _RANGES
        ),
        banner=banner(page, groups, options),
        rows=_rows(page, groups, options),
        grafana=escape(f"{options.grafana}/d/{page.name}"),
        name=page.name,
        script="".join(map(_asset, _SCRIPTS)),
    )


def _asset(name: str) -> str:
    return (files("monitoring.consoles") / name).read_text("utf-8")


def _chosen_range() -> str:
    """Return the setting of a page's range and its window of rates, which are known ones whatever is asked for."""
    tests = [
        put(
            _RANGE,
            otherwise=put('{{ @{word} eq $params.range "@{name}" }}', word=word, name=name),
            name=name,
            seconds=seconds,
            rate=rate,
        )
        for (name, seconds, rate), word in zip(_RANGES, ("if", *["else if"] * len(_RANGES)), strict=False)
    ]
    name, seconds, rate = _USUAL_RANGE
    usual = put(_RANGE, otherwise="{{ else }}", name=name, seconds=seconds, rate=rate)
    return "\n".join((*tests, usual)) + "{{ end }}"


def _link(other: Dashboard, page: Dashboard) -> str:
    short = escape(other.title.rpartition("/")[2].strip())
    return put(_LINK, name=other.name, title=short, current=' aria-current="page"' if other is page else "")


def _choosers(page: Dashboard) -> str:
    asked = literal("count by (job) (onecode_info)")
    found = put(_CHOOSER, name="job", variable="job", label="job", asked=asked, everything="")
    asked = '(print "count by (instance) (up{" $ofJob "})")'
    found += put(_CHOOSER, name="instance", variable="instance", label="instance", asked=asked, everything=_ALL)
    if page.by_region:
        asked = '(print "count by (host) (onecode_exceptions_in_effect{" $scope "})")'
        found += put(_CHOOSER, name="region", variable="chosen", label="host", asked=asked, everything=_ALL)
    return found


def _rows(page: Dashboard, groups: tuple[RuleGroup, ...], options: Options) -> str:
    of_panel: dict[str, tuple[Alert, ...]] = {}
    for alert in (alert for group in groups for alert in group.alerts if alert.panel[0] == page.name):
        of_panel[alert.panel[1]] = (*of_panel.get(alert.panel[1], ()), alert)
    parts, number = [], 0
    for row in page.rows:
        parts.append(f'<section><h2>{escape(row.title)}</h2>\n<div class="row">')
        for panel in row.panels:
            parts.append(panel_figure(number, panel, of_panel.get(panel.title, ()), options))
            number += 1
        parts.append("</div></section>")
    return "\n".join(parts)
