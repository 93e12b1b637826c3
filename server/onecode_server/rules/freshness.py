"""The freshness of a status by its age. The rules take numbers for one subject and arrays for many. Times are monotonic
seconds."""

from bisect import bisect_left
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from onecode_server.model.status import Status

CURRENT_S: Final = 5.0
"""A status that was confirmed within this time is CURRENT."""
STALE_S: Final = 300.0
"""A status that was confirmed within this time, but not within CURRENT_S, is STALE; an older one is UNAVAILABLE."""
ABSENT_S: Final = 30.0
"""The time for which the change feed alone confirms that a subject has no record. Reading such a subject again is
cheap, and a wrong absence is costly."""

_AGES_S: Final = (CURRENT_S, STALE_S)
_STATUSES: Final = (Status.CURRENT, Status.STALE, Status.UNAVAILABLE)
_STATUS_NUMBERS: Final = np.array(_STATUSES, np.uint8)
_Seconds = TypeVar("_Seconds", float, npt.NDArray[np.float64])


def confirmed_at(read_at_s: _Seconds, is_followed: Any, is_absent: Any, followed_at_s: float) -> _Seconds:
    """Return when statuses were last confirmed: when they were read, or when the change feed was read after that.

    ``is_followed`` tells whether the feed confirms them, ``is_absent`` whether the subject had no record: bool, or
    bool[n]. ``read_at_s`` is the start of the read, ``followed_at_s`` the time of the last read of the feed.
    """
    has_lapsed = is_absent & (followed_at_s - read_at_s > ABSENT_S)
    by_feed = is_followed & (has_lapsed ^ True)
    if isinstance(read_at_s, np.ndarray):
        return np.where(by_feed, np.maximum(read_at_s, followed_at_s), read_at_s)
    return followed_at_s if by_feed and followed_at_s > read_at_s else read_at_s


def status_at(age_s: float) -> Status:
    """Return the freshness of a status of this age."""
    return _STATUSES[bisect_left(_AGES_S, age_s)]


def statuses_at(age_s: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Return the freshness of statuses of these ages: uint8[n]."""
    return _STATUS_NUMBERS[np.searchsorted(_AGES_S, age_s)]
