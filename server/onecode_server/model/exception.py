"""Recognition exceptions: filed reports that a host does not recognise a home for a time."""

from typing import NamedTuple


class RecognitionException(NamedTuple):
    """One report. Times are Unix microseconds; None where the step has not happened."""

    id: str
    host: str
    home: str
    reason: str
    effective_from: int
    effective_until: int
    reported_at: int
    acknowledged_at: int | None = None
    withdrawn_at: int | None = None
