"""Prometheus metrics that cost a check next to nothing: counted in plain numbers, and told when somebody asks.

A single check counts some twenty things. prometheus-client takes a lock for each and compares each observation with one
bucket after the other: together a fifth of what the check itself costs. Here a count is an addition, and what was added
since goes into prometheus-client's own value before it is read: at a scrape, or each second where values are shared by
files (``Metrics.ask``).

Counts are added on one thread, the event loop's; any may ask.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, Self

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.samples import Sample

_telling = threading.Lock()


class LoopCounter(Counter):
    """A counter. Raises ValueError for a negative amount."""

    def _metric_init(self) -> None:
        super()._metric_init()
        self._added: float = 0
        self._told: float = 0

    def labels(self, *values: str) -> Self:  # type: ignore[override]
        """Return the counter of these values, which are few: see the naming rule in ``metrics``."""
        known: Self = _known(self, values)
        return known

    def inc(self, amount: float = 1) -> None:  # type: ignore[override]
        """Add to the count."""
        if amount < 0:
            raise ValueError("a counter never falls")
        self._added += amount

    def tell(self) -> None:
        """Bring prometheus-client's value up to date."""
        with _telling:
            added = self._added
            self._value.inc(added - self._told)
            self._told = added

    def _child_samples(self) -> Iterable[Sample]:
        self.tell()
        return super()._child_samples()


class LoopHistogram(Histogram):
    """A histogram."""

    def _metric_init(self) -> None:
        super()._metric_init()
        self._added = [0] * len(self._upper_bounds)
        self._told = [0] * len(self._upper_bounds)
        self._added_sum: float = 0
        self._told_sum: float = 0

    def labels(self, *values: str) -> Self:  # type: ignore[override]
        """Return the histogram of these values."""
        known: Self = _known(self, values)
        return known

    def observe(self, amount: float) -> None:  # type: ignore[override]
        """Count an observation."""
        self._added[bisect_left(self._upper_bounds, amount)] += 1
        self._added_sum += amount

    def tell(self) -> None:
        """Bring prometheus-client's values up to date."""
        with _telling:
            added, added_sum = self._added.copy(), self._added_sum
            for bucket, now, before in zip(self._buckets, added, self._told, strict=True):
                if now > before:
                    bucket.inc(now - before)
            self._sum.inc(added_sum - self._told_sum)
            self._told, self._told_sum = added, added_sum

    def _child_samples(self) -> Iterable[Sample]:
        self.tell()
        return super()._child_samples()


class AskedGauge(Gauge):
    """A gauge whose function can also be asked now and then: a file holds a value, and knows of no function."""

    ask: Any = None

    def set_function(self, f: Any) -> None:
        """Let the gauge be what ``f`` returns."""
        super().set_function(f)
        self.ask = f

    def tell(self) -> None:
        """Write down what the function returns now."""
        if self.ask is not None:
            self.set(float(self.ask()))


def children(metric: LoopCounter | LoopHistogram | AskedGauge) -> Iterable[Any]:
    """Return a metric for each combination of its labels' values that was ever used."""
    return list(metric._metrics.values()) if metric._labelnames else [metric]


def _known(metric: Any, values: tuple[str, ...]) -> Any:
    """Return the child of these values. prometheus-client finds it anew each time, under a lock."""
    children = metric.__dict__.setdefault("_children", {})
    child = children.get(values)
    if child is None:
        child = children[values] = super(type(metric), metric).labels(*values)
    return child
