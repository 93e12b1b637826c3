"""Panels, dashboards, alerts and recording rules, as data: what the renderers and the tests read.

Expressions are PromQL with four kinds of placeholders, which ``expressions.fill`` replaces:

* ``<scope>``: the matchers of ``job`` and ``instance``. Every selector of a metric has it.
* ``<job>``: the matcher of ``job`` alone, for ``ALERTS``: an alert about all servers of a job has no instance.
* ``<region>``: in a panel of a dashboard ``by_region``, what its variable holds: ``host=~"<region>"``.
* ``<rate>``: the window of a rate in a panel.
* ``<5m>``, ``<1h>``, ...: a window in a rule, a duration of Prometheus. A test of the rules divides them.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    """The unit of a panel's values, by Grafana's names of formats."""

    COUNT = "short"
    PER_SECOND = "ops"
    SECONDS = "s"
    BYTES = "bytes"
    RATIO = "percentunit"
    CORES = "none"
    FLAG = "bool_yes_no"
    """1 is yes, 0 is no."""


class Kind(StrEnum):
    """How a panel shows its series."""

    LINES = "lines"
    STACKED = "stacked"
    NUMBER = "number"
    """The last value of each series, coloured by thresholds."""
    HEATMAP = "heatmap"
    """A histogram over time: its query returns buckets by ``le``."""
    MATRIX = "matrix"
    """The last values in a table of ``home`` by ``host``."""
    TABLE = "table"
    """The last value of each series, a row for each, with its labels as columns."""


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, and the legend of its series: text with ``{{label}}``."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Threshold:
    """From ``value`` on (in the panel's unit), or up to it where ``is_floor``, a value is a warning, or critical."""

    value: float
    is_critical: bool = False
    is_floor: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. ``description`` says what is good, and what a bad value means. ``width`` is out of 24 columns."""

    title: str
    description: str
    unit: Unit
    queries: tuple[Query, ...]
    kind: Kind = Kind.LINES
    thresholds: tuple[Threshold, ...] = ()
    width: int = 8

    @property
    def name(self) -> str:
        """The title as an anchor: small letters, digits and hyphens."""
        return anchor(self.title)


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of panels. ``name`` is its file and its id. ``by_region``: it has a variable ``region``."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]
    by_region: bool = False

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, in order."""
        return tuple(panel for row in self.rows for panel in row.panels)


class Severity(StrEnum):
    """Who is told: a person at once, a queue that is read on working days, a list that is read once a week, or nobody:
    such an alert always fires, and a service outside tells somebody where it ends."""

    PAGE = "page"
    TICKET = "ticket"
    NOTICE = "notice"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that tells somebody. ``panel`` is the dashboard's name and the panel's title where it is seen.

    ``wait`` is a window in angle brackets (or "") for which the expression must hold. ``summary`` is one line and may
    have ``{{ $labels.x }}`` and ``{{ $value }}``; ``description`` says what it means for callers, without either. Its
    entry in docs/runbook.md has its name as the heading. Rules of one name differ in their severity.
    """

    name: str
    expression: str
    severity: Severity
    summary: str
    description: str
    panel: tuple[str, str]
    wait: str = "<5m>"
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recording:
    """A series that Prometheus reckons from others, named level:metric:operations."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that are evaluated together, one after the other."""

    name: str
    recordings: tuple[Recording, ...] = ()
    alerts: tuple[Alert, ...] = ()


_NOT_IN_ANCHORS: Final = re.compile(r"[^a-z0-9]+")


def anchor(title: str) -> str:
    """Return a title as an anchor of a page."""
    return _NOT_IN_ANCHORS.sub("-", title.lower()).strip("-")
