"""The questions that Grafana's dashboard linter asks, and some of our own, of a dashboard's JSON.

Each rule returns the complaints, one line each: none where the dashboard is as it should be.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import promql_parser as promql

from tests.unit.monitoring.promql import RATE_WINDOW, TARGET, Selector, families, nodes, parsed, selectors

Board = dict[str, Any]
SCOPE = {'job=~"$job"', 'instance=~"$instance"'}
RATES = {"rate", "irate", "increase"}
FILLERS = {"absent", "absent_over_time", "vector"}
"""Functions that give a value where there is no series: a panel with one would look well where a metric is gone."""


def panels(board: Board) -> list[Board]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def targets(board: Board) -> Iterator[tuple[str, Board]]:
    for panel in panels(board):
        for target in panel["targets"]:
            yield panel["title"], target


def each_selector(board: Board) -> Iterator[tuple[str, Selector, str]]:
    for title, target in targets(board):
        for selector in selectors(target["expr"]):
            yield title, selector, target["expr"]


def texts(board: Board) -> list[str]:
    found = [
        f"{panel.get('title')!r} has no {what}"
        for panel in panels(board)
        for what in ("title", "description")
        if not panel.get(what, "").strip()
    ]
    titles = [panel["title"] for panel in panels(board)]
    return found + [f"{title!r} is twice there" for title in set(titles) if titles.count(title) > 1]


def units(board: Board) -> list[str]:
    return [panel["title"] for panel in panels(board) if not panel["fieldConfig"]["defaults"].get("unit")]


def thresholds(board: Board) -> list[str]:
    """Numbers with a colour have steps that rise, from the lowest on."""
    found = []
    for panel in panels(board):
        steps = [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        if steps[0] is not None or steps[1:] != sorted(set(steps[1:])):
            found.append(f"{panel['title']!r} has thresholds {steps}")
    return found


def datasources(board: Board) -> list[str]:
    wanted = {"type": "prometheus", "uid": "${datasource}"}
    return [panel["title"] for panel in panels(board) if panel.get("datasource") != wanted or not panel["targets"]] + [
        f"a query of {title!r}" for title, target in targets(board) if target.get("datasource") != wanted
    ]


def variables(board: Board) -> list[str]:
    made = {variable["name"]: variable for variable in board["templating"]["list"]}
    found = [f"there is no variable {name}" for name in ("datasource", "job", "instance") if name not in made]
    if "datasource" in made and (made["datasource"]["type"], made["datasource"]["query"]) != (
        "datasource",
        "prometheus",
    ):
        found.append("datasource chooses something else")
    for name, variable in made.items():
        if variable["type"] != "query":
            continue
        wanted = {"multi": True, "includeAll": True, "allValue": ".+", "label": name.capitalize(), "refresh": 2}
        found += [f"{name}: {key} is not {value}" for key, value in wanted.items() if variable.get(key) != value]
        if variable.get("datasource") != {"type": "prometheus", "uid": "${datasource}"}:
            found.append(f"{name} has another data source")
        metric = re.match(r"label_values\((\w+)", variable["query"])
        if metric is None or metric[1] not in families():
            found.append(f"{name} asks for {variable['query']}")
    for title, target in targets(board):
        used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
        found += [f"{title!r} uses {name}, which is no variable" for name in used - made.keys()]
    return found


def scopes(board: Board) -> list[str]:
    """Every selector has the matchers of job and instance. Alerts about all servers have no instance to match."""
    return [
        f"{title!r}: {selector.names}"
        for title, selector, expression in each_selector(board)
        if not (SCOPE if "ALERTS" not in expression else {'job=~"$job"'}) <= selector.matchers
    ]


def grammar(board: Board) -> list[str]:
    found = []
    for title, target in targets(board):
        try:
            parsed(target["expr"])
        except ValueError as fault:
            found.append(f"{title!r}: {fault}")
    return found


def metrics(board: Board) -> list[str]:
    """Every metric is exported, and has the labels by which it is summed or matched."""
    known, found = families(), []
    for title, selector, _ in each_selector(board):
        by = {label for node in selector.around for label in _labels(node)}
        unknown = [name for name in selector.names if name not in known]
        found += [f"{title!r}: nothing exports {name}" for name in unknown or ([] if selector.names else ["(no name)"])]
        if unknown or "ALERTS" in selector.names:
            continue
        for name in selector.names:
            strange = (by | selector.labels) - known[name][1] - TARGET
            found += [f"{title!r}: {name} has no label {label}" for label in sorted(strange)]
    return found


def rates(board: Board) -> list[str]:
    """Counters are shown as rates only, gauges never, and the window is the one that Grafana chooses."""
    known, found = families(), []
    for title, selector, _ in each_selector(board):
        around = selector.around[0] if selector.around else None
        is_rate = isinstance(around, promql.Call) and around.func.name in RATES
        kinds = {known.get(name, ("unknown", frozenset()))[0] for name in selector.names}
        if "counter" in kinds and not is_rate:
            found.append(f"{title!r}: {selector.names} is a counter without a rate")
        if "gauge" in kinds and RATES & set(selector.functions):
            found.append(f"{title!r}: {selector.names} is a gauge with a rate")
        if is_rate and selector.window != RATE_WINDOW:
            found.append(f"{title!r}: the window is {selector.window}")
    return found


def quantiles(board: Board) -> list[str]:
    """A quantile is that of ``sum by (le, …) (rate(…_bucket…))``, and buckets are summed by ``le`` anywhere."""
    found = []
    for title, target in targets(board):
        for node, _ in nodes(parsed(target["expr"])):
            if isinstance(node, promql.Call) and node.func.name == "histogram_quantile":
                argument = node.args[1]
                if not (isinstance(argument, promql.AggregateExpr) and str(argument.op) == "sum"):
                    found.append(f"{title!r}: the quantile is not of a sum")
        for selector in selectors(target["expr"]):
            sums = [node for node in selector.around if isinstance(node, promql.AggregateExpr)]
            is_bucket = any(name.endswith("_bucket") for name in selector.names)
            if is_bucket and not (sums and "le" in _labels(sums[0])):
                found.append(f"{title!r}: buckets are not summed by le")
            if "histogram_quantile" in selector.functions and not is_bucket:
                found.append(f"{title!r}: the quantile is not of buckets")
    return found


def fillers(board: Board) -> list[str]:
    return [
        f"{title!r} has {node.func.name}()"
        for title, target in targets(board)
        for node, _ in nodes(parsed(target["expr"]))
        if isinstance(node, promql.Call) and node.func.name in FILLERS
    ]


def legends(board: Board) -> list[str]:
    """Every series has a legend, from labels that the query keeps; queries of a panel have ids of their own."""
    found = []
    for title, target in targets(board):
        legend, kept = target.get("legendFormat", ""), set[str]()
        for node, _ in nodes(parsed(target["expr"])):
            kept |= _labels(node)
        if not legend.strip():
            found.append(f"{title!r} has no legend")
        found += [f"{title!r} shows {label}" for label in re.findall(r"{{(\w+)}}", legend) if label not in kept]
    for panel in panels(board):
        ids = [target["refId"] for target in panel["targets"]]
        if len(ids) != len(set(ids)):
            found.append(f"{panel['title']!r} has two queries of one id")
    return found


def layout(board: Board) -> list[str]:
    """Panels fill their lines, and none lies over another."""
    cells: dict[tuple[int, int], str] = {}
    widths: dict[int, int] = {}
    found = []
    for panel in board["panels"]:
        place = panel["gridPos"]
        widths[place["y"]] = widths.get(place["y"], 0) + place["w"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (x, y) in cells:
                    found.append(f"{panel['title']!r} lies over {cells[x, y]!r}")
                cells[x, y] = panel["title"]
    return sorted(set(found)) + [f"line {y} has {width} of 24 columns" for y, width in widths.items() if width != 24]


def ids(board: Board) -> list[str]:
    """Panels are numbered by their places from 1 on, as links of alerts have them, and headings by other numbers."""
    numbers = [panel["id"] for panel in panels(board)]
    rows = [panel["id"] for panel in board["panels"] if panel["type"] == "row"]
    found = [] if numbers == list(range(1, len(numbers) + 1)) else [f"panels have the ids {numbers}"]
    return found + ([] if len({*numbers, *rows}) == len(board["panels"]) else ["two panels have one id"])


def habits(board: Board) -> list[str]:
    """It cannot be edited where it is provisioned, has links to its siblings, and is read again by itself."""
    found = [] if board.get("editable") is False else ["it can be edited, and the change would be lost"]
    siblings = [link for link in board["links"] if link["type"] == "dashboards" and link["tags"] == board["tags"]]
    if not any(link["includeVars"] and link["keepTime"] for link in siblings):
        found.append("no links lead to the other dashboards")
    return found + [f"{what} is not set" for what in ("uid", "title", "description", "refresh") if not board.get(what)]


def _labels(node: promql.Expr) -> set[str]:
    """The labels by which a node sums."""
    return set(node.modifier.labels) if isinstance(node, promql.AggregateExpr) and node.modifier else set()


RULES: tuple[Callable[[Board], list[str]], ...] = (
    texts,
    units,
    thresholds,
    datasources,
    variables,
    scopes,
    grammar,
    metrics,
    rates,
    quantiles,
    fillers,
    legends,
    layout,
    ids,
    habits,
)
