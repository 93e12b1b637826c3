"""A panel on a console page: its values in words and numbers, and what the script draws its course from."""

from html import escape
from typing import Final

from monitoring.consoles.banner import is_this, runbook, state_of
from monitoring.consoles.go_template import attribute, expression, legend, put
from monitoring.model import Alert, Kind, Panel, Query, Threshold, Unit
from monitoring.options import Options

# humanize writes 0.3 as 300m, which reads as minutes.
_NUMBER: Final = '{{ if lt . 1.0 }}{{ printf "%.3g" . }}{{ else }}{{ humanize . }}{{ end }}'
_SHOWN: Final = {
    Unit.COUNT: _NUMBER,
    Unit.PER_SECOND: f"{_NUMBER}/s",
    # Two parts are enough: 29d 23h.
    Unit.SECONDS: '{{ reReplaceAll "^(\\\\S+ \\\\S+) .*$" "$1" (humanizeDuration .) }}',
    Unit.BYTES: "{{ humanize1024 . }}B",
    Unit.RATIO: "{{ humanizePercentage . }}",
    Unit.CORES: '{{ printf "%.3g" . }}',
    Unit.FLAG: "{{ if eq . 0.0 }}no{{ else }}yes{{ end }}",
}
# 0/0 is NaN: there was nothing to be divided. A time without end is +Inf.
_VALUE: Final = """{{ define "@{name}" }}{{ $text := printf "%g" . }}{{ if eq $text "NaN" }}idle
{{- else if eq $text "+Inf" }}no end{{ else }}@{shown}{{ end }}{{ end }}"""
VALUES: Final = "\n".join(put(_VALUE, name=unit.name, shown=_SHOWN[unit]) for unit in Unit)
"""A template for each unit, which writes a value."""

_FOUND: Final = """{{ $found@{this} := query (print "@{sort}(" $asked@{this} ")") }}
{{ if and $found@{this} (eq $state@{number} "no data") }}{{ $state@{number} = "ok" }}{{ end }}"""
_WORSE: Final = """{{ range $found@{this} }}{{ if @{test} }}{{ $state@{number} = "@{state}" }}{{ end }}{{ end }}"""
_FIGURE: Final = """<figure id="@{anchor}" class="panel @{kind}" style="--columns:@{width}" data-kind="@{kind}"
 data-unit="@{unit}" data-bounds="@{bounds}"><figcaption><h3>@{title}</h3>@{state}</figcaption>
@{chart}<div class="values" tabindex="0" role="group" aria-label="@{title}: values">
@{values}</div>
@{description}@{alerts}</figure>"""
_WHY: Final = '<p class="why">@{description}</p>'
_FOLDED: Final = '<details class="why"><summary>what this is</summary>@{description}</details>'
_SMALL: Final = 5
"""Columns of 24, up to which a number is a small panel: one value, whose state is in its head."""
_STATE: Final = (
    '<b class="state {{ if ne $state@{number} "no data" }}{{ $state@{number} }}{{ end }}">{{ $state@{number} }}</b>'
)
_FIRES: Final = """<a href="@{runbook}">@{name}</a>@{fires}"""
_FIRES_NOW: Final = (
    """{{ range $firing }}{{ if and @{is_this} }} <b class="state @{state}">fires</b>{{ end }}{{ end }}"""
)

_LIST: Final = """<ul @{asked}>{{ range $found@{this} }}@{state}<li class="{{ $of }}"><i class="swatch"></i>
<span class="name">@{legend}</span> <span class="value">{{ template "@{unit}" .Value }}</span>@{word}</li>
{{- else }}<li class="nothing">no data</li>{{ end }}</ul>"""
# All series of a query have the same labels: each is a column.
_TABLE: Final = """<table @{asked}>{{ with $found@{this} }}<thead><tr>
{{- with first . }}{{ range $name, $has := .Labels }}{{ if ne $name "__name__" }}<th>{{ $name }}</th>
{{- end }}{{ end }}{{ end -}}
<th>@{heading}</th></tr></thead><tbody>{{ range . }}@{state}<tr class="{{ $of }}" data-value="{{ .Value }}">
{{- range $name, $has := .Labels }}{{ if ne $name "__name__" }}<td data-label="{{ $name }}">{{ $has }}</td>
{{- end }}{{ end -}}
<td class="value">{{ template "@{unit}" .Value }}@{word}</td></tr>
{{ end }}</tbody>{{ else }}<tbody><tr><td class="nothing">no data</td></tr></tbody>{{ end }}</table>"""
_QUANTILE: Final = """{{ range query (print "histogram_quantile(@{share}, " $asked@{this} ")") }}<li>
<span class="name">@{words}</span> <span class="value">{{ template "@{unit}" .Value }}</span></li>
{{- else }}<li class="nothing">no data</li>{{ end }}"""
_QUANTILES: Final = (("0.5", "half are below"), ("0.9", "90 % are below"), ("0.99", "99 % are below"))
# A series' state as a word, for those who do not see the colour; that all is well is said once, above.
_WORD: Final = ' {{ if ne $of "ok" }}<b class="state">{{ $of }}</b>{{ end }}'


def panel_queries(number: int, panel: Panel, options: Options) -> str:
    """Return the variables of a panel: what its queries ask and give, the worst first, and its worst state."""
    lines = [put('{{ $state@{number} := "no data" }}', number=number)]
    worst_first = "sort" if any(threshold.is_floor for threshold in panel.thresholds) else "sort_desc"
    for at, query in enumerate(panel.queries):
        this = f"{number}x{at}"
        lines.append(f"{{{{ $asked{this} := {expression(query.expression, options)} }}}}")
        if panel.kind is not Kind.HEATMAP:
            lines.append(put(_FOUND, this=this, number=number, sort=worst_first))
    # The critical ones are last, over all series, so that they stay.
    for threshold in _mildest_first(panel):
        for at in range(len(panel.queries)):
            state, test = _state(threshold), _test(threshold)
            lines.append(put(_WORSE, this=f"{number}x{at}", number=number, state=state, test=test))
    return "\n".join(lines)


def panel_figure(number: int, panel: Panel, alerts: tuple[Alert, ...], options: Options) -> str:
    """Return a panel with its anchor, its state in a word, values, description and alerts."""
    fires = dict.fromkeys((alert.name for alert in alerts), "")
    for alert in alerts:
        fires[alert.name] += put(_FIRES_NOW, is_this=is_this(alert), state=state_of(alert))
    runbooks = {alert.name: runbook(alert, options) for alert in alerts}
    links = " ".join(put(_FIRES, runbook=runbooks[name], name=name, fires=text) for name, text in fires.items())
    return put(
        _FIGURE,
        anchor=panel.name,
        kind=panel.kind.value,
        width=panel.width,
        unit=panel.unit.value,
        bounds=" ".join(f"{_state(one)[0]}{one.value!r}" for one in panel.thresholds),
        title=escape(panel.title),
        state=put(_STATE, number=number) if panel.thresholds else "",
        chart='<div class="chart"></div>' if panel.kind in (Kind.LINES, Kind.STACKED, Kind.HEATMAP) else "",
        values="\n".join(_values(f"{number}x{at}", panel, query) for at, query in enumerate(panel.queries)),
        description=put(_FOLDED if _is_small(panel) else _WHY, description=escape(panel.description)),
        alerts=f'\n<p class="alerts">Alerts, with what to do: {links}</p>' if alerts else "",
    )


def _values(this: str, panel: Panel, query: Query) -> str:
    asked, unit = (
        put('data-query="{{ $asked@{this} }}" data-legend="@{name}"', this=this, name=attribute(query.legend)),
        panel.unit.name,
    )
    if panel.kind is Kind.HEATMAP:
        lines = (put(_QUANTILE, this=this, unit=unit, share=share, words=words) for share, words in _QUANTILES)
        return f"<ul {asked}>{''.join(lines)}</ul>"
    of_one = "".join(
        put('{{ if @{test} }}{{ $of = "@{state}" }}{{ end }}', test=_test(threshold), state=_state(threshold))
        for threshold in _mildest_first(panel)
    )
    given = {
        "this": this,
        "asked": asked,
        "unit": unit,
        "state": put('{{ $of := "@{usual}" }}', usual="ok" if panel.thresholds else "") + of_one,
        "word": _WORD if panel.thresholds and not _is_small(panel) else "",
    }
    if panel.kind in (Kind.TABLE, Kind.MATRIX):
        heading = escape(query.legend) if query.legend and "{{" not in query.legend else "value"
        return put(_TABLE, heading=heading, **given)
    return put(_LIST, legend=legend(query.legend), **given)


def _is_small(panel: Panel) -> bool:
    return panel.kind is Kind.NUMBER and panel.width <= _SMALL


def _mildest_first(panel: Panel) -> list[Threshold]:
    return sorted(panel.thresholds, key=lambda threshold: threshold.is_critical)


def _test(threshold: Threshold) -> str:
    """Return the comparison of the template's dot. Go compares numbers of one type only: values are floats. It is
    always ``le``, which does not hold for NaN: Go's ``ge`` does."""
    bound = repr(float(threshold.value))
    return f"le .Value {bound}" if threshold.is_floor else f"le {bound} .Value"


def _state(threshold: Threshold) -> str:
    return "critical" if threshold.is_critical else "warning"
