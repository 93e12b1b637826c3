"""A machine's copy of a log, in memory, that applies what it is told to and when it is told to."""

import math
from collections.abc import Awaitable, Callable, Sequence

from onecode_server.model.confirmed import Confirmed
from onecode_server.model.partition import ALL, partition_of
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.stores.protocol import Changes, Records, Snapshot

SUBJECTS = [bytes([first]) * 16 for first in (0, 1, 100, 255)]
"""Two of one partition, and one each of two others."""


class Replica:
    """The log of each partition, as acknowledged by all machines, and this machine's copy as far as it has applied it.

    ``meanwhile`` is awaited between the snapshot of a read and its answer. Records take effect at the time that equals
    their revision, so that columns tell it too.
    """

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._log: list[list[tuple[bytes | None, int | float]]] = [[] for _ in ALL]
        self._applied = [0 for _ in ALL]
        self._acknowledged: dict[bytes, list[float]] = {subject: [] for subject in SUBJECTS}
        self._records: dict[bytes, Records] = {}
        self._feed: list[bytes] = []
        self._marks = [-math.inf for _ in ALL]
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.reads: list[tuple[float, bytes]] = []
        """The time and the subject of each read."""

    def publish(self, subject: bytes) -> None:
        """Have a new record acknowledged by the log, wherever it was published."""
        acknowledged = self._acknowledged[subject]
        acknowledged.append(self._clock_s())
        self._log[partition_of(subject)].append((subject, len(acknowledged)))

    def mark(self, partition: int) -> None:
        """Have a mark of this machine acknowledged."""
        self._log[partition].append((None, self._clock_s()))

    def apply(self, partition: int, messages: int) -> None:
        """Apply the next messages of a partition."""
        first = self._applied[partition]
        for subject, number in self._log[partition][first : first + messages]:
            self._applied[partition] += 1
            if subject is None:
                self._marks[partition] = number
            else:
                revision = int(number)
                record = StatusRecord("420000", Scope.NATIONAL, Level.GREEN, revision, None, revision, 1)
                self._records[subject] = (record,)
                self._feed.append(subject)

    def revision_at(self, subject: bytes, time_s: float) -> int:
        """Return the revision that was acknowledged by all machines until a time; 0 for none."""
        return sum(acknowledged_s <= time_s for acknowledged_s in self._acknowledged[subject])

    async def statuses(self, subjects: Sequence[bytes]) -> Snapshot:
        self.reads += [(self._clock_s(), subject) for subject in subjects]
        found = Snapshot(len(self._feed), [self._records.get(subject, ()) for subject in subjects])
        if self.meanwhile is not None:
            await self.meanwhile()
        return found

    def revision(self, subject: bytes) -> int:
        """Return the revision that this machine has applied; 0 for none."""
        return self._records[subject][0].revision if subject in self._records else 0

    def marked(self, subject: bytes) -> float:
        """Return when the newest own mark that was applied to a subject's partition was sent."""
        return self._marks[partition_of(subject)]

    async def changes(self, after: int) -> Changes:
        return Changes(len(self._feed), 0, self._feed[after:], True, 0, Confirmed(tuple(self._marks)))
