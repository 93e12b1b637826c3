"""Recognition exceptions: what may be reported, acknowledged and withdrawn, and where a report stands.

A region that cannot recognise another must have said so first: who, whom, why, from when, until when. Nothing counts
backwards, and everything ends by itself.
"""

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import Final

from onecode_server.model.exception import RecognitionException
from onecode_server.model.region import NATIONAL
from onecode_server.model.trust_list import TrustList

LASTS_MAX_US: Final = 30 * 86_400 * 1_000_000
"""A month; what lasts longer is reported again, so that somebody has to want it."""
REASON_BYTES_MAX: Final = 1024


class State(IntEnum):
    """Where a report stands. The numbers are the wire's."""

    REPORTED = 1
    ACKNOWLEDGED = 2
    EFFECTIVE = 3
    ENDED = 4
    WITHDRAWN = 5


class Obstacle(StrEnum):
    """Why a step is not possible, in words for people. The names are for programs."""

    HOST_UNKNOWN = "the host is not a region of the trust list"
    HOME_UNKNOWN = "the home is not a region of the trust list"
    HOME_IS_HOST = "a region cannot stop recognising itself"
    HOME_IS_NATIONAL = "no region can stop recognising the national authority"
    HOST_IS_NATIONAL = "the national authority is no host that stops recognising a home"
    REASON_MISSING = "a report says why, in 1 to 1,024 bytes"
    BACKWARDS = "an exception does not begin in the past"
    ENDS_BEFORE_IT_BEGINS = "an exception ends after it begins"
    TOO_LONG = "an exception lasts at most 30 days; a longer one is reported anew"
    OVERLAPS = "another report of this host for this home has a time in common with it"
    ALREADY_ACKNOWLEDGED = "the report has been acknowledged already"
    ALREADY_WITHDRAWN = "the report has been withdrawn already"
    ALREADY_ENDED = "the report's time is over"


def state(report: RecognitionException, now: int) -> State:
    """Return where a report stands at ``now``."""
    if report.withdrawn_at is not None and report.withdrawn_at <= now:
        return State.WITHDRAWN
    if now >= report.effective_until:
        return State.ENDED
    if report.acknowledged_at is None or report.acknowledged_at > now:
        return State.REPORTED
    return State.EFFECTIVE if now >= report.effective_from else State.ACKNOWLEDGED


def report_obstacle(
    report: RecognitionException, others: Iterable[RecognitionException], trust: TrustList
) -> Obstacle | None:
    """Say why ``report`` may not be filed at its ``reported_at``, or None."""
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
    return _time_obstacle(report, others)


def _time_obstacle(report: RecognitionException, others: Iterable[RecognitionException]) -> Obstacle | None:
    if report.effective_from < report.reported_at:
        return Obstacle.BACKWARDS
    if report.effective_until <= report.effective_from:
        return Obstacle.ENDS_BEFORE_IT_BEGINS
    if report.effective_until - report.effective_from > LASTS_MAX_US:
        return Obstacle.TOO_LONG
    for other in others:
        same_pair = (other.host, other.home) == (report.host, report.home)
        meets = other.effective_from < report.effective_until and report.effective_from < other.effective_until
        if same_pair and meets and other.withdrawn_at is None:
            return Obstacle.OVERLAPS
    return None


def acknowledge_obstacle(report: RecognitionException, now: int) -> Obstacle | None:
    """Say why a report cannot be acknowledged at ``now``, or None. Late is allowed: it counts from then on."""
    if report.acknowledged_at is not None and report.withdrawn_at is None and now < report.effective_until:
        return Obstacle.ALREADY_ACKNOWLEDGED
    return withdraw_obstacle(report, now)


def withdraw_obstacle(report: RecognitionException, now: int) -> Obstacle | None:
    """Say why a report cannot be withdrawn at ``now``, or None."""
    if report.withdrawn_at is not None:
        return Obstacle.ALREADY_WITHDRAWN
    if now >= report.effective_until:
        return Obstacle.ALREADY_ENDED
    return None
