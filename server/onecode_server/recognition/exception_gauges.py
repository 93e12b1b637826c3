"""Shows for each host how many recognition exceptions are in effect, and when the first of them ends."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.recognition.exception_cache import ExceptionCache
from onecode_server.rules.recognition import is_in_effect
from onecode_server.system.clock import Clock
from onecode_server.telemetry.metrics import Metrics
from onecode_server.trust.source import TrustSource

LOOK_S: Final = 1.0
"""The period of looks. One that finds neither another report, nor the time of a change, nor another list ends at
once."""
_NEVER: Final = 2**63


class ExceptionGauges:
    """Keeps the gauges of all hosts of the trust list. ``clock`` returns Unix microseconds."""

    def __init__(self, exceptions: ExceptionCache, trust: TrustSource, metrics: Metrics, clock: Clock) -> None:
        self._exceptions = exceptions
        self._trust = trust
        self._metrics = metrics
        self._clock = clock
        self._hosts: dict[str, None] = {}
        self._seen: tuple[object, object] = None, None
        self._looked_at, self._changes_at = 0, 0

    async def look(self) -> None:
        """Bring the gauges up to date."""
        if not self._trust.is_open:
            return
        reports, regions, now = self._exceptions.reports, self._trust.current.regions, self._clock()
        is_same = self._seen[0] is reports and self._seen[1] is regions
        if is_same and self._looked_at <= now < self._changes_at:
            return
        self._show(reports, regions, now)
        self._seen, self._looked_at = (reports, regions), now
        self._changes_at = min((at for report in reports for at in _changes(report) if at > now), default=_NEVER)

    def _show(self, reports: Sequence[RecognitionException], regions: Mapping[str, object], now: int) -> None:
        self._hosts.update(dict.fromkeys(regions))  # a host that left the list has none any more
        ends: dict[str, list[int]] = {host: [] for host in self._hosts}
        for report in reports:
            if report.host in regions and is_in_effect(report, now):
                ends[report.host].append(report.effective_until)
        for host, ends_at in ends.items():
            self._metrics.exceptions.labels(host).set(len(ends_at))
            self._metrics.exceptions_end.labels(host).set(min(ends_at) / 1e6 if ends_at else math.inf)


def _changes(report: RecognitionException) -> tuple[int, ...]:
    """Return the times at which a report may come into effect or cease to be."""
    times = report.effective_from, report.effective_until, report.acknowledged_at, report.withdrawn_at
    return tuple(at for at in times if at is not None)
