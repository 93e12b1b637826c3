"""The counters of a verdict: found once for each verdict, and shown with 0 from the start."""

from typing import Final

from onecode_server.model.status import Status
from onecode_server.model.verdict import Reason, Verdict
from onecode_server.rules import admission
from onecode_server.telemetry.counting import CounterGroup, begin
from onecode_server.telemetry.metrics import UNKNOWN_REGION, Metrics

_STATUSES: Final = (Status.CURRENT, Status.STALE, Status.UNAVAILABLE, Status.NONE)
"""The statuses of authentic codes."""


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
