"""The freshness of a status by its age. The rules take numbers for one subject and arrays for many. Times are monotonic
seconds.

A status that is read from an embedded store is confirmed by its reading. Where several machines share a log, reading
this machine's copy proves only what the machine has applied: a status is then confirmed as of the time of its reading,
or as of the newest own mark (``model.confirmed``) that the reading has seen, whichever is earlier.
"""

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

DECISIONS_S: Final = STALE_S
"""The time for which the last known recognition exceptions and trust list count without an own mark that confirms them:
as long as a level may be shown without being confirmed. After it no code is admitted."""

_AGES_S: Final = (CURRENT_S, STALE_S)
_STATUSES: Final = (Status.CURRENT, Status.STALE, Status.UNAVAILABLE)
_STATUS_NUMBERS: Final = np.array(_STATUSES, np.uint8)
_Seconds = TypeVar("_Seconds", float, npt.NDArray[np.float64])


def confirmed_at(
    read_as_of_s: _Seconds,
    read_at_s: _Seconds,
    is_followed: Any,
    is_absent: Any,
    followed_at_s: float,
    fed_as_of_s: Any,
) -> _Seconds:
    """Return as of when statuses were last confirmed: by their reading, or by a later reading of the change feed.

    ``read_at_s`` is the start of the read, ``followed_at_s`` the time of the last read of the feed. ``read_as_of_s``
    and ``fed_as_of_s`` are as of when these two confirm what they read: the same times for an embedded store; for a
    copy of a log, no later than the newest own mark that was known then. ``is_followed`` tells whether the feed
    confirms the statuses, ``is_absent`` whether the subject had no record: bool, or bool[n].
    """
    has_lapsed = is_absent & (followed_at_s - read_at_s > ABSENT_S)
    by_feed = is_followed & (has_lapsed ^ True)
    if isinstance(read_as_of_s, np.ndarray):
        return np.where(by_feed, np.maximum(read_as_of_s, fed_as_of_s), read_as_of_s)
    return fed_as_of_s if by_feed and fed_as_of_s > read_as_of_s else read_as_of_s


def status_at(age_s: float) -> Status:
    """Return the freshness of a status of this age."""
    return _STATUSES[bisect_left(_AGES_S, age_s)]


def statuses_at(age_s: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Return the freshness of statuses of these ages: uint8[n]."""
    return _STATUS_NUMBERS[np.searchsorted(_AGES_S, age_s)]
