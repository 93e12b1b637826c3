"""Prometheus metrics with a low cost for a check and for a scrape: plain numbers, converted to text at a scrape.

A single check counts some twenty things. prometheus-client takes a lock for each and compares each observation with one
bucket after the other: together a fifth of the cost of the check itself. Here a count is an addition. A page of all
pairs of 35 regions has 2,100 lines, for which prometheus-client holds the GIL 16 ms; here a line is kept until its
number changes.

prometheus-client's own value classes are not used, since the environment (``PROMETHEUS_MULTIPROC_DIR``) can turn them
into mapped files. Counts are added on one thread, the event loop's; any thread may read.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Any, Self

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

_Shape = Sequence[tuple[str, dict[str, str]]]


class _Shown:
    """The common base of the three metrics: numbers that are shown, each under a suffix of the name and labels of its
    own."""

    _name: str
    _labelnames: tuple[str, ...]
    _labelvalues: tuple[str, ...]
    _text: tuple[list[float], str] = [], ""
    _heads: Sequence[str] = ()

    def text(self) -> str:
        """Return the lines of the exposition format, which Prometheus's own and OpenMetrics have in common."""
        numbers, (kept, text) = self._numbers(), self._text
        if numbers != kept:
            self._heads = self._heads or [self._head(*shape) for shape in self._shape()]
            lines = zip(self._heads, numbers, strict=True)
            text = "".join(f"{head} {_number(number)}\n" for head, number in lines)
            self._text = numbers, text
        return text

    def _shape(self) -> _Shape:
        raise NotImplementedError

    def _numbers(self) -> list[float]:
        raise NotImplementedError

    def _child_samples(self) -> Iterable[Sample]:
        shown = zip(self._shape(), self._numbers(), strict=True)
        return [Sample(suffix, labels, number) for (suffix, labels), number in shown]

    def _head(self, suffix: str, labels: dict[str, str]) -> str:
        pairs = dict(zip(self._labelnames, self._labelvalues, strict=False)) | labels
        shown = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(pairs.items()))
        return f"{self._name}{suffix}{{{shown}}}" if shown else f"{self._name}{suffix}"


class LoopCounter(_Shown, Counter):
    """A counter. Raises ValueError for a negative amount."""

    def _metric_init(self) -> None:
        self._added: float = 0
        self._flushed: float | None = None

    def labels(self, *values: str) -> Self:  # type: ignore[override]
        """Return the counter of these values, which are few: see the naming rule in ``metrics``."""
        known: Self = _known(self, values)
        return known

    def inc(self, amount: float = 1) -> None:  # type: ignore[override]
        """Add to the count."""
        if amount < 0:
            raise ValueError("a counter never falls")
        self._added += amount

    add = inc

    def flush(self) -> float | None:
        """Return the amount added since the last call, for ``add`` elsewhere; None where nothing was added.

        The first amount may be 0: in a series that begins with 1, no rate shows the first count.
        """
        before, self._flushed = self._flushed, self._added
        return self._flushed - (before or 0) if self._flushed != before else None

    def _shape(self) -> _Shape:
        return [("_total", {})]

    def _numbers(self) -> list[float]:
        return [self._added]


class CounterGroup:
    """Counters to which the same amounts are added: by one call, which takes half the time of one for each."""

    __slots__ = ("_counters",)

    def __init__(self, *counters: LoopCounter) -> None:
        self._counters = counters

    def inc(self, amount: float) -> None:
        """Add to each count. Raises ValueError for a negative amount."""
        if amount < 0:
            raise ValueError("a counter never falls")
        for counter in self._counters:
            counter._added += amount


class LoopHistogram(_Shown, Histogram):
    """A histogram."""

    def _metric_init(self) -> None:
        self._added = [0] * len(self._upper_bounds)
        self._flushed: list[int] | None = None
        self._added_sum: float = 0
        self._flushed_sum: float = 0

    def labels(self, *values: str) -> Self:  # type: ignore[override]
        """Return the histogram of these values."""
        known: Self = _known(self, values)
        return known

    def observe(self, amount: float) -> None:  # type: ignore[override]
        """Count an observation."""
        self._added[bisect_left(self._upper_bounds, amount)] += 1
        self._added_sum += amount

    def flush(self) -> list[float] | None:
        """Return the amounts added to each bucket, and last to the sum, since the last call, as a counter does."""
        if self._added == self._flushed:
            return None
        before = self._flushed or [0] * len(self._added)
        added = [now - then for now, then in zip(self._added, before, strict=True)]
        added_sum = self._added_sum - self._flushed_sum
        self._flushed, self._flushed_sum = self._added.copy(), self._added_sum
        return [*added, added_sum]

    def add(self, counts: list[float]) -> None:
        """Add the counts of another histogram. Raises ValueError where its buckets differ."""
        *added, added_sum = counts
        self._added = [int(one + more) for one, more in zip(self._added, added, strict=True)]
        self._added_sum += added_sum

    def _shape(self) -> _Shape:
        buckets = [("_bucket", {"le": _number(bound)}) for bound in self._upper_bounds]
        return [*buckets, ("_count", {}), ("_sum", {})]

    def _numbers(self) -> list[float]:
        below = list(accumulate(self._added.copy()))
        return [*below, below[-1], self._added_sum]


class LoopGauge(_Shown, Gauge):
    """A gauge with the value that was set last, or that a function returns at each scrape."""

    def _metric_init(self) -> None:
        self._function: Callable[[], float] | None = None
        self._last: float = 0
        # What no worker has set yet must not replace what another one has: a last value is told once it is set.
        self._flushed: float | None = 0.0 if self._multiprocess_mode == "mostrecent" else None

    def labels(self, *values: str) -> Self:  # type: ignore[override]
        """Return the gauge of these values."""
        known: Self = _known(self, values)
        return known

    def set(self, value: float) -> None:
        """Set the gauge to ``value``."""
        self._last = value

    def set_function(self, f: Callable[[], float]) -> None:
        """Set the gauge to the return value of ``f`` at each scrape."""
        self._function = f

    def flush(self) -> float | None:
        """Return the current value; None where it is unchanged since the last call. The first value may be 0, so that
        its series is there, except of a gauge whose last value counts."""
        (now,) = self._numbers()
        before, self._flushed = self._flushed, now
        is_same = now == before or (before is not None and math.isnan(now) and math.isnan(before))
        return None if is_same else now

    def _shape(self) -> _Shape:
        return [("", {})]

    def _numbers(self) -> list[float]:
        return [float(self._function() if self._function else self._last)]


LoopMetric = LoopCounter | LoopHistogram | LoopGauge


def begin(metric: LoopMetric, *series: str | tuple[str, ...]) -> None:
    """Show series of a metric before anything is counted, by the values of their labels; text is of one label.

    It may be called on any thread.
    """
    for values in series:
        metric.labels(*((values,) if isinstance(values, str) else values))


def children(metric: LoopMetric) -> list[Any]:
    """Return a metric for each combination of its labels' values that was ever used."""
    return list(metric._metrics.values()) if metric._labelnames else [metric]


def _known(metric: Any, values: tuple[str, ...]) -> Any:
    """Return the child of these values. prometheus-client looks it up each time, under a lock."""
    children = metric.__dict__.setdefault("_children", {})
    child = children.get(values)
    if child is None:
        child = children[values] = super(type(metric), metric).labels(*values)
    return child


def _number(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
