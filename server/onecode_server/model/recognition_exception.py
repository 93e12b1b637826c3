"""Recognition exceptions: filed reports that a host does not recognise a home for a time."""

from typing import Final, NamedTuple

UNACKNOWLEDGED_MAX_US: Final = 72 * 3600 * 1_000_000
"""The time for which a report waits for the national operator: a weekend and a day. Then it ends."""


class RecognitionException(NamedTuple):
    """One report. Times are Unix microseconds; None if the step has not happened. ``_by`` has the identity that took a
    step, as text; it is empty in reports of versions in which callers had none."""

    id: str
    host: str
    home: str
    reason: str
    effective_from: int
    effective_until: int
    reported_at: int
    acknowledged_at: int | None = None
    withdrawn_at: int | None = None
    reported_by: str = ""
    acknowledged_by: str = ""
    withdrawn_by: str = ""

    @property
    def ends_at(self) -> int:
        """When the report ends unless it is withdrawn. An unacknowledged report ends after UNACKNOWLEDGED_MAX_US at the
        latest."""
        if self.acknowledged_at is not None:
            return self.effective_until
        return min(self.effective_until, self.reported_at + UNACKNOWLEDGED_MAX_US)
