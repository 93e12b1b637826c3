"""Which records of a publisher, subject and scope are kept beside the newest one, and how many.

Records are ordered by revision here, and ``now`` is the writer's clock, in Unix microseconds.
"""

from collections.abc import Sequence
from typing import Final

from onecode_server.model.status import StatusRecord

RECENT_MAX: Final = 8
"""Further records of one publisher, subject and scope that are kept for readers whose clocks are behind. A subject's
level does not change every minute; together with the pending ones they take some 300 bytes."""
LAG_US: Final = 600_000_000
"""Ten minutes by which a reader's clock may be behind the writer's: the records in effect at that time are kept."""


def since_lag(mine: Sequence[StatusRecord], now: int) -> list[StatusRecord]:
    """Return the newest record that took effect LAG_US ago or earlier, and all with a higher revision."""
    for place in range(len(mine) - 1, 0, -1):
        if mine[place].effective_at <= now - LAG_US:
            return list(mine[place:])
    return list(mine)


def waiting(mine: Sequence[StatusRecord], now: int) -> list[StatusRecord]:
    """Return the pending records: not in effect yet, and of a higher revision than the newest that has taken effect."""
    newest = max((r.revision for r in mine if r.effective_at <= now), default=-1)
    return [r for r in mine if r.effective_at > now and r.revision > newest]


def bounded(mine: list[StatusRecord], now: int) -> list[StatusRecord]:
    """Return records within the limit: the newest in effect, the pending ones, and RECENT_MAX others."""
    if len(mine) <= RECENT_MAX + 1:  # nearly always
        return mine
    kept_max = RECENT_MAX + 1 + len(waiting(mine, now))
    while len(mine) > kept_max:
        del mine[_least_needed(mine[: len(mine) - len(waiting(mine, now))])]
    return mine


def _least_needed(past: Sequence[StatusRecord]) -> int:
    """Return the place of the record to remove first.

    1. A record that no reader selects at any time, because a later one took effect at the same time or earlier.
    2. A record behind one that is at least as severe and does not end before the next one takes effect: a reader that
       would select the removed record selects the one before it.
    3. The oldest record.

    Among five records without an end there is always one of the first two kinds.
    """
    for place, record in enumerate(past[:-1]):
        if any(later.effective_at <= record.effective_at for later in past[place + 1 :]):
            return place
    for place in range(1, len(past) - 1):
        before, after = past[place - 1], past[place + 1]
        continues = before.expires_at is None or before.expires_at >= after.effective_at
        if before.level >= past[place].level and continues:
            return place
    return 0
