"""Faults in the claims of authentic codes: counted by region and claim, and logged at a limited rate, without values.

A region that changes a claim's type makes all of its codes malformed at once. So only the first fault of each kind is
logged in each minute; the others are only counted.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from onecode_server.errors import ClaimFault
from onecode_server.telemetry.metrics import Metrics

CLAIMS: Final = (
    "subject",
    "level",
    "issued_at",
    "expiry",
    "not_before",
    "issuer",
    "residence",
    "source",
    "claims",
)
"""The claims that faults name; ``claims`` is all of them, where they are no object."""
LOG_EVERY_S: Final = 60.0
KINDS_MAX: Final = 1024
"""Kinds of fault that are logged in a minute at most, for any trust list: some hundred kilobytes of text."""

_log = logging.getLogger(__name__)


class ClaimFaults:
    """Counts and logs which claim of which region does not match the region's trust-list entry."""

    def __init__(self, metrics: Metrics, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._monotonic_s = monotonic_s
        self._logged: set[tuple[str, str, str]] = set()
        self._since_s = monotonic_s()

    def note(self, region: str, fault: ClaimFault) -> None:
        """Count a fault in a code of a region of the trust list; log it if it is the first of its kind in a minute."""
        self._metrics.claim_faults.labels(region, fault.claim).inc()
        now_s = self._monotonic_s()
        if now_s - self._since_s >= LOG_EVERY_S:
            self._logged.clear()
            self._since_s = now_s
        kind = region, fault.claim, fault.why
        if kind in self._logged or len(self._logged) >= KINDS_MAX:
            return
        self._logged.add(kind)
        _log.warning("codes of region %s are refused for their claims: %s", region, fault)
