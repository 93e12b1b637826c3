"""The newest own marks that this process knows, where several machines share a log: as of when its copy is complete.

The store tells them with each read of the change feed, in the same transaction. They only ever rise.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from onecode_server.model.confirmed import NEVER_S, NOTHING_CONFIRMED, Confirmed
from onecode_server.model.partition import ALL, DECISIONS, partition_of
from onecode_server.model.status import SUBJECT_BYTES
from onecode_server.rules import freshness
from onecode_server.rules.freshness import CURRENT_S, DECISIONS_S
from onecode_server.status.table import NO_RECORD, Entries, Entry
from onecode_server.telemetry.metrics import Metrics

_PARTITION_OF_BYTE: Final = [partition_of(bytes([first])) for first in range(256)]

Marks = list[float]
"""When the newest own mark of a subject's partition was sent (monotonic seconds), by the subject's first byte."""


class OwnMarks:
    """Holds the marks, of statuses by their subjects and of decisions. ``monotonic`` returns the machine's monotonic
    seconds, by which marks are sent.

    ``marks`` is replaced as a whole by newer ones, so that a read can keep those that it began with.
    """

    def __init__(self, monotonic: Callable[[], float], metrics: Metrics) -> None:
        self._monotonic = monotonic
        self._decisions_at_s = NEVER_S
        self._set(NOTHING_CONFIRMED)
        for partition in ALL:
            age_s = partial(self._age_s, partition)
            metrics.log_confirmed_age.labels(str(partition)).set_function(age_s)

    def take(self, told: Confirmed | None) -> None:
        """Take the marks that a read of the change feed told of."""
        if told is not None and told != self._confirmed:  # reads may end in another order than they began in
            self._set(Confirmed(tuple(map(max, told.partitions, self._confirmed.partitions))))

    def take_decisions(self) -> None:
        """Note that the exceptions of this process are at least as new as the last read of the change feed."""
        self._decisions_at_s = self._confirmed.partitions[DECISIONS]

    @property
    def confirms_decisions(self) -> bool:
        """Whether exceptions and trust list were confirmed within DECISIONS_S."""
        return self._monotonic() - self._decisions_at_s <= DECISIONS_S

    def confirms(self, subject: bytes) -> bool:
        """Whether a read that begins now finds all about a subject that was acknowledged up to CURRENT_S ago."""
        return self._monotonic() - self.marks[subject[0]] <= CURRENT_S

    def as_of(self, subjects: Sequence[bytes], entries: Sequence[Entry | None], followed_at_s: float) -> list[float]:
        """Return as of when entries of the status cache are confirmed: never, where there is none.

        ``followed_at_s`` is when the change feed was read last.
        """
        return [
            NEVER_S if entry is None else self._one_as_of(subject, entry, followed_at_s)
            for subject, entry in zip(subjects, entries, strict=True)
        ]

    def columns_as_of(
        self, subjects: Sequence[bytes], entries: Entries, followed_at_s: float
    ) -> npt.NDArray[np.float64]:
        """Return the same of many rows of the status table: float64[n]."""
        first_bytes = np.frombuffer(b"".join(subjects), np.uint8)[::SUBJECT_BYTES]
        fed_s = np.minimum(self._columns[first_bytes], followed_at_s)
        read_as_of_s: npt.NDArray[np.float64] = entries["as_of_s"]
        read = entries["read_at_s"], entries["is_followed"], entries["publisher"] == NO_RECORD
        return freshness.confirmed_at(read_as_of_s, *read, followed_at_s, fed_s)

    def report(self) -> dict[str, Any]:
        """Return for operations the age in seconds of each partition's newest mark, None where there is none; and the
        fault that a partition is not confirmed, or None."""
        ages_s = {partition: self._age_s(partition) for partition in ALL}
        late = [str(partition) for partition, age_s in ages_s.items() if age_s > CURRENT_S]
        return {
            "confirmed_age_s": {str(partition): _rounded(age_s) for partition, age_s in ages_s.items()},
            "fault": f"not confirmed for {CURRENT_S:g} s: partitions {', '.join(late)}" if late else None,
        }

    def _one_as_of(self, subject: bytes, entry: Entry, followed_at_s: float) -> float:
        records, read_at_s, read_as_of_s, _, is_followed = entry
        fed_s = bound(self.marks, subject, followed_at_s)
        return freshness.confirmed_at(read_as_of_s, read_at_s, is_followed, not records, followed_at_s, fed_s)

    def _set(self, confirmed: Confirmed) -> None:
        self._confirmed = confirmed
        self.marks: Marks = [confirmed.partitions[partition] for partition in _PARTITION_OF_BYTE]
        self._columns = np.array(self.marks)

    def _age_s(self, partition: int) -> float:
        return self._monotonic() - self._confirmed.partitions[partition]


def bound(marks: Marks | None, subject: bytes, at_s: float) -> float:
    """Return as of when a read that began at ``at_s``, with ``marks`` known, confirms a subject. An embedded store has
    no marks: what is read from it is confirmed by that."""
    return at_s if marks is None else min(at_s, marks[subject[0]])


def _rounded(age_s: float) -> float | None:
    return None if math.isinf(age_s) else round(age_s, 1)
