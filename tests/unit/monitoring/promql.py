"""Expressions as trees, by a parser that is not ours: their selectors, with what stands around each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import promql_parser as promql
from prometheus_client import Metric

from onecode_server.telemetry.metrics import Metrics
from onecode_server.telemetry.supervisor_metrics import SupervisorMetrics

from monitoring.alerts import GROUPS

RATE_WINDOW = timedelta(minutes=13, seconds=37)
"""What is put in the place of ``$__rate_interval``, which is Grafana's: a duration that nobody writes by chance."""
OTHERS = {"up": ("gauge", frozenset()), "ALERTS": ("gauge", frozenset({"alertname", "alertstate", "severity"}))}
"""The series that Prometheus makes itself."""
TARGET = frozenset({"job", "instance"})
"""The labels that Prometheus gives to every series of a server."""


Around = tuple[promql.Expr, ...]


@dataclass(frozen=True)
class Selector:
    """A selector of series. ``around`` are the functions, aggregations and operators around it, the nearest first."""

    names: tuple[str, ...]
    matchers: frozenset[str]
    labels: frozenset[str]
    window: timedelta | None
    around: Around

    @property
    def functions(self) -> list[str]:
        return [node.func.name for node in self.around if isinstance(node, promql.Call)]


@cache
def parsed(expression: str) -> promql.Expr:
    """Raises ValueError where it is no PromQL, once Grafana has put the window in."""
    return promql.parse(expression.replace("$__rate_interval", "13m37s"))


def nodes(node: promql.Expr, around: Around = ()) -> Iterator[tuple[promql.Expr, Around]]:
    """Yield the node and all nodes below it, each with the nodes around it, the nearest first."""
    yield node, around
    for below in _below(node):
        yield from nodes(below, (node, *around))


def selectors(expression: str) -> list[Selector]:
    found = []
    for node, around in nodes(parsed(expression)):
        if not isinstance(node, promql.VectorSelector):
            continue
        matchers = node.matchers.matchers
        names = tuple(name for matcher in matchers if matcher.name == "__name__" for name in matcher.value.split("|"))
        window = around[0].range if around and isinstance(around[0], promql.MatrixSelector) else None
        found.append(
            Selector(
                (node.name,) if node.name else names,
                frozenset(str(matcher) for matcher in matchers),
                frozenset(matcher.name for matcher in matchers) - {"__name__"},
                window,
                tuple(outer for outer in around if not isinstance(outer, promql.MatrixSelector)),
            )
        )
    return found


@cache
def families() -> dict[str, tuple[str, frozenset[str]]]:
    """The type and labels of each series that rules record or servers show, by its name in an expression."""
    known: dict[str, tuple[str, frozenset[str]]] = dict(OTHERS)
    known |= {rule.name: ("gauge", frozenset({"job"})) for group in GROUPS for rule in group.recordings}
    for made in (Metrics(), SupervisorMetrics()):
        for family in made.registry.collect():
            metric = made._all.get(family.name)
            labels = metric._labelnames if metric else {label for sample in family.samples for label in sample.labels}
            known |= _series(family, frozenset(labels))
    return known


def _series(family: Metric, labels: frozenset[str]) -> dict[str, tuple[str, frozenset[str]]]:
    if family.type == "counter":
        return {f"{family.name}_total": ("counter", labels)}
    if family.type == "histogram":
        both = {f"{family.name}{end}": ("counter", labels) for end in ("_sum", "_count")}
        return {**both, f"{family.name}_bucket": ("counter", labels | {"le"})}
    return {family.name: ("gauge", labels)}


def _below(node: promql.Expr) -> list[promql.Expr]:
    if isinstance(node, promql.Call):
        return list(node.args)
    if isinstance(node, promql.BinaryExpr):
        return [node.lhs, node.rhs]
    if isinstance(node, promql.MatrixSelector):
        return [node.vector_selector]
    if isinstance(node, (promql.AggregateExpr, promql.ParenExpr, promql.UnaryExpr, promql.SubqueryExpr)):
        return [node.expr]
    return []
