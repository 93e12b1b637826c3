"""Servers of a run against each other: medians over turns, since the rounds of a turn meet the same machine."""

from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, Final

from benchmarks.load import Case

NO_FRONT: Final = "the native front is not built: make front"


def rate(results: Mapping[str, Any], case: Case, server: str) -> float | None:
    """Return a server's answers a second of its CPU in a case, or None where it was not measured."""
    servers = results["cases"][case.name]["servers"]
    return float(servers[server]["rate"]) if server in servers else None


def times(results: Mapping[str, Any], case: Case, ours: str, theirs: str) -> tuple[float | None, str]:
    """Return how many times as much one server does in a CPU second as another, or None and why that is unknown."""
    return _median(results, case, ours, (theirs,), lambda our, their: _per_cpu_s(our) / _per_cpu_s(their[0]))


def of_the_better(
    results: Mapping[str, Any], case: Case, ours: str, theirs: tuple[str, ...], latency: str
) -> tuple[float | None, str]:
    """Return a latency as a share of that of whichever of some servers has the lower one, or None and why not."""
    return _median(results, case, ours, theirs, lambda our, their: our[latency] / min(one[latency] for one in their))


def _median(
    results: Mapping[str, Any],
    case: Case,
    ours: str,
    theirs: tuple[str, ...],
    ratio: Callable[[Mapping[str, float], list[Mapping[str, float]]], float],
) -> tuple[float | None, str]:
    servers = results["cases"][case.name]["servers"]
    for name in (ours, *theirs):
        if name not in servers:
            return None, results["skipped"][name]
    turns = zip(*(servers[name]["rounds"] for name in (ours, *theirs)), strict=True)
    return round(median(ratio(our, their) for our, *their in turns), 3), ""


def _per_cpu_s(one: Mapping[str, float]) -> float:
    return one["codes"] / one["cpu_s"]
