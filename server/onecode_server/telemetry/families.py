"""What all metrics are made by: a registry of their own, and the page that shows them."""

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar

from prometheus_client import CollectorRegistry, PlatformCollector, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from onecode_server.telemetry.counting import LoopCounter, LoopGauge, LoopHistogram, LoopMetric, children

_Metric = TypeVar("_Metric", LoopCounter, LoopHistogram, LoopGauge)
_Mode = Literal["livesum", "livemax", "livemin", "mostrecent"]
"""The merge of a gauge of all workers: their sum, their largest or smallest value, whichever is the worst, or the last
value of any. ``live`` excludes workers that have ended."""


def _nothing() -> None:
    """Bring in nothing."""


Counts = list[tuple[str, list[str], Any]]
"""Counts of a worker: the metric's name, its labels' values, and the argument of its ``add`` or ``set``."""


class Families:
    """Metrics in a registry of their own, and the page that shows them."""

    def __init__(self) -> None:
        self.before_page: Callable[[], None] = _nothing
        """Called before each page, on its thread: it brings in what was counted elsewhere."""
        self.registry = CollectorRegistry()
        self._others = CollectorRegistry()
        self._all: dict[str, LoopMetric] = {}
        self.show(PlatformCollector(registry=None))

    def show(self, collector: Collector) -> None:
        """Add metrics that another object collects."""
        self.registry.register(collector)
        self._others.register(collector)

    def flush(self) -> Counts:
        """Return the counts since the last call, and the gauges that have changed, for a supervisor to add up."""
        return [
            (metric._name, list(child._labelvalues), count)
            for metric in self._all.values()
            for child in children(metric)
            if (count := child.flush()) is not None
        ]

    def page(self, is_openmetrics: bool) -> bytes:
        """Return all metrics in Prometheus's text format (0.0.4), or in OpenMetrics (1.0.0)."""
        self.before_page()
        shown: list[str] = []
        for metric in self._all.values():
            name = f"{metric._name}_total" if metric._type == "counter" and not is_openmetrics else metric._name
            shown.append(f"# HELP {name} {metric._documentation}\n# TYPE {name} {metric._type}\n")
            shown.extend(child.text() for child in children(metric))
        others = (openmetrics.generate_latest if is_openmetrics else generate_latest)(self._others)
        return "".join(shown).encode() + others

    def _counter(self, name: str, text: str, labels: Iterable[str] = ()) -> LoopCounter:
        return self._made(LoopCounter(name, text, tuple(labels), registry=self.registry))

    def _gauge(self, name: str, text: str, mode: _Mode, labels: Iterable[str] = ()) -> LoopGauge:
        return self._made(LoopGauge(name, text, tuple(labels), registry=self.registry, multiprocess_mode=mode))

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], labels: Iterable[str] = ()) -> LoopHistogram:
        return self._made(LoopHistogram(name, text, tuple(labels), buckets=buckets, registry=self.registry))

    def _made(self, metric: _Metric) -> _Metric:
        self._all[metric._name] = metric
        return metric
