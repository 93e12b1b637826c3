"""Recognition exceptions: which reports may be filed, acknowledged and withdrawn, and the state of a report.

A region that cannot recognise another must report it first: the host, the home, the reason, the start and the end. No
exception counts for the past, and each one ends by itself.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.region import NATIONAL
from onecode_server.model.trust_list import TrustList

LASTS_MIN_US: Final = 3600 * 1_000_000
"""An hour: a shorter exception would be over before a person has acknowledged it, and costs as much to keep."""
LASTS_MAX_US: Final = 30 * 86_400 * 1_000_000
"""A month; a longer exception must be reported again, so that the host decides again."""
AHEAD_MAX_US: Final = 30 * 86_400 * 1_000_000
"""The same as LASTS_MAX_US: the renewal of an exception of a month may be filed on its first day."""
REASON_BYTES_MAX: Final = 1024
PAIR_OPEN_MAX: Final = 8
"""Reports of a pair (host and home) that wait for the operator: a report, its correction and its renewal, and as many
twice over, since anyone may have filed them. An open report does not exclude others of the same time."""
HOST_OPEN_MAX: Final = 256
"""Reports of a host that wait for the operator: seven for each of the 33 other provinces. Those of all hosts together
are some 9,000, kept for 72 hours."""
PAIR_ACKNOWLEDGED_MAX: Final = 8
"""Acknowledged reports of a pair that have not ended: one for each weekend of the 60 days that they reach ahead. Each
server holds all of them in memory: for 34 regions some 9,000, 3 MB."""


class State(IntEnum):
    """The state of a report. The API uses the same numbers."""

    REPORTED = 1
    ACKNOWLEDGED = 2
    EFFECTIVE = 3
    ENDED = 4
    WITHDRAWN = 5


class Obstacle(StrEnum):
    """The reason why a step is not possible, with its message. The names are for programs."""

    HOST_UNKNOWN = "the host is not a region of the trust list"
    HOME_UNKNOWN = "the home is not a region of the trust list"
    HOME_IS_HOST = "a region cannot stop recognising itself"
    HOME_IS_NATIONAL = "no region can stop recognising the national authority"
    HOST_IS_NATIONAL = "the national authority cannot stop recognising a home"
    REASON_MISSING = "a report needs a reason of 1 to 1,024 bytes"
    BACKWARDS = "an exception does not begin in the past"
    TOO_FAR_AHEAD = "an exception begins at most 30 days ahead"
    ENDS_BEFORE_IT_BEGINS = "an exception ends after it begins"
    TOO_SHORT = "an exception lasts an hour at least"
    TOO_LONG = "an exception lasts at most 30 days; a longer one is reported anew"
    OVERLAPS = "an acknowledged report of this host for this home overlaps with it"
    TOO_MANY_OPEN_OF_PAIR = f"{PAIR_OPEN_MAX} reports of this host for this home wait for the operator already"
    TOO_MANY_OPEN_OF_HOST = f"{HOST_OPEN_MAX} reports of this host wait for the operator already"
    TOO_MANY_ACKNOWLEDGED = f"{PAIR_ACKNOWLEDGED_MAX} acknowledged reports of this host for this home have not ended"
    ALREADY_ACKNOWLEDGED = "the report has been acknowledged already"
    ALREADY_WITHDRAWN = "the report has been withdrawn already"
    ALREADY_ENDED = "the report has ended already"


class Others(NamedTuple):
    """The reports that have not ended and limit a new one: the acknowledged ones of its pair, and the homes of all open
    reports of its host."""

    acknowledged: Sequence[RecognitionException]
    waiting_homes: Sequence[str]


def state(report: RecognitionException, now: int) -> State:
    """Return the state of a report at ``now``."""
    if report.withdrawn_at is not None and report.withdrawn_at <= now:
        return State.WITHDRAWN
    if now >= report.ends_at:
        return State.ENDED
    if report.acknowledged_at is None or report.acknowledged_at > now:
        return State.REPORTED
    return State.EFFECTIVE if now >= report.effective_from else State.ACKNOWLEDGED


def start(requested: int, now: int, skew: int) -> int:
    """Return when a report begins, from its ``requested`` start. A reporter's clock may be ``skew`` microseconds
    behind: a start in the past by at most ``skew`` becomes ``now``."""
    return now if now - skew <= requested < now else requested


def report_obstacle(report: RecognitionException, requested: int, others: Others, trust: TrustList) -> Obstacle | None:
    """Return why ``report`` may not be filed at its ``reported_at``, or None. ``requested`` is the requested start: the
    minimum length is measured from it, so that a reporter's slow clock does not shorten the report."""
    if report.host == NATIONAL:
        return Obstacle.HOST_IS_NATIONAL
    if report.home == NATIONAL:
        return Obstacle.HOME_IS_NATIONAL
    if report.host == report.home:
        return Obstacle.HOME_IS_HOST
    if trust.region(report.host) is None:
        return Obstacle.HOST_UNKNOWN
    if trust.region(report.home) is None:
        return Obstacle.HOME_UNKNOWN
    if not 0 < len(report.reason.encode(errors="replace")) <= REASON_BYTES_MAX:
        return Obstacle.REASON_MISSING
    return _time_obstacle(report, requested) or _place_obstacle(report, others)


def _time_obstacle(report: RecognitionException, requested: int) -> Obstacle | None:
    if report.effective_from < report.reported_at:
        return Obstacle.BACKWARDS
    if report.effective_from > report.reported_at + AHEAD_MAX_US:
        return Obstacle.TOO_FAR_AHEAD
    if report.effective_until <= report.effective_from:
        return Obstacle.ENDS_BEFORE_IT_BEGINS
    if report.effective_until - requested < LASTS_MIN_US:
        return Obstacle.TOO_SHORT
    if report.effective_until - report.effective_from > LASTS_MAX_US:
        return Obstacle.TOO_LONG
    return None


def _place_obstacle(report: RecognitionException, others: Others) -> Obstacle | None:
    if overlaps(report, others.acknowledged):
        return Obstacle.OVERLAPS
    if others.waiting_homes.count(report.home) >= PAIR_OPEN_MAX:
        return Obstacle.TOO_MANY_OPEN_OF_PAIR
    if len(others.waiting_homes) >= HOST_OPEN_MAX:
        return Obstacle.TOO_MANY_OPEN_OF_HOST
    return None


def overlaps(report: RecognitionException, acknowledged: Iterable[RecognitionException]) -> bool:
    """Return whether ``report`` overlaps in time with an acknowledged report of its pair."""
    return any(
        other.effective_from < report.effective_until and report.effective_from < other.effective_until
        for other in acknowledged
    )


def acknowledge_obstacle(
    report: RecognitionException, acknowledged: Sequence[RecognitionException], now: int
) -> Obstacle | None:
    """Return why a report cannot be acknowledged at ``now``, or None. ``acknowledged`` are the acknowledged reports of
    its pair that have not ended. A report may be acknowledged after its start: it counts from then on."""
    if report.acknowledged_at is not None and report.withdrawn_at is None and now < report.ends_at:
        return Obstacle.ALREADY_ACKNOWLEDGED
    if obstacle := withdraw_obstacle(report, now):
        return obstacle
    if overlaps(report, acknowledged):
        return Obstacle.OVERLAPS
    return Obstacle.TOO_MANY_ACKNOWLEDGED if len(acknowledged) >= PAIR_ACKNOWLEDGED_MAX else None


def withdraw_obstacle(report: RecognitionException, now: int) -> Obstacle | None:
    """Return why a report cannot be withdrawn at ``now``, or None."""
    if report.withdrawn_at is not None:
        return Obstacle.ALREADY_WITHDRAWN
    if now >= report.ends_at:
        return Obstacle.ALREADY_ENDED
    return None
