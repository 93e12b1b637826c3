"""Metrics pages in Prometheus's text format, and what has changed between two of them. Pure functions of texts."""

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from onecode_server.errors import OnecodeError

Labels = frozenset[tuple[str, str]]
Series = Mapping[Labels, float]
"""The values of a metric, by labels and their values."""


VALUE_MAX: Final = 1e18
"""Larger values, which no server has, are left out, and so are +Inf (a time that never comes) and NaN: no sum
overflows."""


_NAME: Final = re.compile(r"[{ \t]")
"""What ends the name in a sample's line."""


class PageFault(OnecodeError):
    """A page could not be had, or is not a server's."""


class Page(NamedTuple):
    """The samples of a page by the metric's name. ``at_s`` is when it came, on the monotonic clock."""

    at_s: float
    samples: Mapping[str, Series]


def read_page(content: bytes, at_s: float, names: Collection[str]) -> Page:
    """Return the samples of the metrics in ``names``. Raises PageFault."""
    samples: dict[str, dict[Labels, float]] = {}
    try:
        # The parser takes twenty microseconds a line, and most of a page is the matrix of homes and hosts.
        lines = (line for line in content.decode().split("\n") if _NAME.split(line, 1)[0] in names)
        for family in text_string_to_metric_families("\n".join([*lines, ""])):
            for sample in family.samples:
                if sample.name in names and abs(sample.value) < VALUE_MAX:
                    samples.setdefault(sample.name, {})[frozenset(sample.labels.items())] = float(sample.value)
    except Exception:  # the parser looks before and behind characters that it has not found
        raise PageFault("the page is not in Prometheus's text format") from None
    if not samples:
        raise PageFault("the page has no metrics of onecode")
    return Page(at_s, samples)


class Interval(NamedTuple):
    """Two pages of one server, the earlier one first."""

    before: Page
    after: Page

    @property
    def seconds(self) -> float:
        """The time between the pages, which is never 0."""
        return max(self.after.at_s - self.before.at_s, 1e-3)

    def increases(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        """Yield the labels of each series of a counter, and by how much it has risen.

        A counter that has fallen began anew with a new process, as for Prometheus's own ``rate``.
        """
        before = self.before.samples.get(name, {})
        for labels, now in self.after.samples.get(name, {}).items():
            then = before.get(labels, 0.0)
            risen = now - then if now >= then else now
            yield dict(labels), max(risen, 0.0)


Matches = Callable[[Mapping[str, str]], bool]


def rates(intervals: Sequence[Interval], name: str, *by: str) -> dict[str, float]:
    """Return the rate of a counter a second, of all servers together, by the values of labels, joined by a space."""
    found: dict[str, float] = {}
    for interval in intervals:
        for labels, risen in interval.increases(name):
            key = " ".join(labels.get(label, "") for label in by)
            found[key] = found.get(key, 0.0) + risen / interval.seconds
    return found


def values(intervals: Iterable[Interval], name: str) -> list[float]:
    """Return the later values of all series of a metric."""
    return [value for interval in intervals for value in interval.after.samples.get(name, {}).values()]


def values_by(intervals: Iterable[Interval], name: str, *by: str) -> dict[str, float]:
    """Return the sums of the later values, by the values of labels, joined by a space."""
    found: dict[str, float] = {}
    for interval in intervals:
        for labels, value in interval.after.samples.get(name, {}).items():
            key = " ".join(dict(labels).get(label, "") for label in by)
            found[key] = found.get(key, 0.0) + value
    return found


def quantile(intervals: Sequence[Interval], histogram: str, share: float, matches: Matches) -> float | None:
    """Return the value below which a share of the observations between the pages lies, None without any.

    ``matches`` chooses series by their labels. As in Prometheus, observations are taken to lie evenly in their bucket,
    and those above the last finite bound to be equal to it.
    """
    below: dict[float, float] = {}
    for interval in intervals:
        for labels, risen in interval.increases(f"{histogram}_bucket"):
            if matches(labels) and (bound := _bound(labels.get("le", ""))) is not None:
                below[bound] = below.get(bound, 0.0) + risen
    bounds = sorted(below)
    # Of servers with different buckets, or of a page that makes no sense, a count may be less than one before it.
    counts: list[float] = []
    for bound in bounds:
        counts.append(max(below[bound], counts[-1] if counts else 0.0))
    if not counts or not counts[-1]:
        return None
    wanted = share * counts[-1]
    for (low, before), (high, count) in pairwise([(0.0, 0.0), *zip(bounds, counts, strict=True)]):
        if count >= wanted and count > before:
            if high == math.inf:
                return low
            return low + (high - low) * max(0.0, wanted - before) / (count - before)
    return bounds[-1]


def _bound(text: str) -> float | None:
    try:
        bound = float(text)
    except ValueError:
        return None
    return bound if bound >= 0 else None
