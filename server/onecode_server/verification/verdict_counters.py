"""The counters of a verdict: found once for each verdict, and shown with 0 from the start."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from onecode_server.model.status import Status
from onecode_server.model.trust_list import TrustList
from onecode_server.model.verdict import Reason, Verdict
from onecode_server.rules import admission
from onecode_server.telemetry.counting import CounterGroup, begin
from onecode_server.telemetry.metrics import UNKNOWN_REGION, Metrics

_STATUSES: Final = (Status.CURRENT, Status.STALE, Status.UNAVAILABLE, Status.NONE)
"""The statuses of authentic codes."""


class VerdictCounters:
    """Counts verdicts by what they say, and scans by home and host."""

    def __init__(self, metrics: Metrics) -> None:
        # Reading the names of enums takes longer than counting.
        self._counters_of = lru_cache(admission.VERDICTS_KEPT)(
            lambda verdict, host: verdict_counters(metrics, verdict, host)
        )
        begin_verdicts(metrics)

    def count(self, answers: Iterable[tuple[Verdict, str, int]], trust: TrustList) -> None:
        """Count verdicts under a trust list, each with the host of its scans and with how many these are."""
        for verdict, host, count in answers:
            self._counters_of(verdict, host if host in trust.regions else UNKNOWN_REGION).inc(count)


def verdict_counters(metrics: Metrics, verdict: Verdict, host: str) -> CounterGroup:
    """Return the counters to which each code with this verdict adds one that was scanned at a known host, or at
    UNKNOWN_REGION."""
    found = [
        metrics.verdicts.labels(verdict.decision.name, verdict.authenticity.name),
        metrics.reasons.labels(verdict.reason.name),
        metrics.scans.labels(verdict.home or UNKNOWN_REGION, host),
    ]
    if verdict.status in _STATUSES:
        found.append(metrics.statuses.labels(verdict.status.name))
    if verdict.reason is Reason.LEVEL_UNMAPPED:
        found.append(metrics.unmapped_levels.labels(verdict.home))
    return CounterGroup(*found)


def begin_verdicts(metrics: Metrics) -> None:
    """Show the series of verdicts, as far as the rules can produce them."""
    begin(metrics.verdicts, *((decision.name, authenticity.name) for decision, authenticity in admission.ANSWERS))
    begin(metrics.reasons, *(reason.name for reason in Reason))
    begin(metrics.statuses, *(status.name for status in _STATUSES))
