"""This machine's own marks: what it sends to each partition once a second, and what it learns when it applies one.

A mark that this machine has sent and applied proves that it has applied all that was acknowledged before it was sent.
Reading without a lag does not: a leader that was cut off goes on answering. No I/O.
"""

import copy
import secrets
from collections.abc import Iterator
from typing import Final, NamedTuple

from onecode_server.errors import LogBroken
from onecode_server.model.partition import ALL, DECISIONS
from onecode_server.replication.messages import Mark
from onecode_server.stores.replica_layout import AppliedMarks

MARK_S: Final = 1.0
"""The period of marks: a fifth of the time for which a confirmed status is CURRENT."""
CLOCKS_APART_US: Final = 30_000_000
"""Half of the skew that is allowed between clocks: the log's times decide which record counts."""
STRANGER_AFTER_US: Final = 5_000_000
"""A mark of this machine's id by another process that was sent so long after this one started is another machine's: the
process before this one had ended by then."""
_INCARNATION_BYTES: Final = 8


class Checkpoint(NamedTuple):
    """A place that a machine has applied: its offset, the partition's digest, and the head of the audit record."""

    offset: int = -1
    digest: bytes = bytes(32)
    audit_head: bytes = bytes(32)


class MarkKeeper:
    """``machine`` and ``boot`` are 16 bytes. ``started_at`` is this process's start (Unix microseconds), ``started_us``
    the same by the monotonic clock. ``knows`` is the latest version of the rules that this program knows.

    Nothing is confirmed anew before this process has applied a mark of its own in decisions: until then it does not
    know which rules are in force, and whether it must stop.

    ``clock_faults`` says for each partition whose clock is too far from this machine's why it is not confirmed.
    """

    def __init__(
        self, machine: bytes, boot: bytes, started_at: int, started_us: int, known: AppliedMarks | None, knows: int
    ) -> None:
        """``known`` are the newest own marks that were applied before."""
        self._machine, self._boot, self._started_at, self._started_us = machine, boot, started_at, started_us
        self._knows, self._has_decisions = knows, False
        self.incarnation = secrets.token_bytes(_INCARNATION_BYTES)
        is_same_boot = known is not None and known.boot == boot
        self._sent_us = list(known.sent_us) if known and is_same_boot else [0] * len(ALL)
        self._sent_before_us = tuple(self._sent_us)
        self._checkpoints = dict.fromkeys(ALL, Checkpoint())
        self.clock_faults: dict[int, str] = {}

    def copy(self) -> "MarkKeeper":
        """Return a keeper that takes the marks of one transaction, and stands for this one once these are committed."""
        other = copy.copy(self)
        other._sent_us, other._checkpoints = self._sent_us.copy(), self._checkpoints.copy()
        other.clock_faults = self.clock_faults.copy()
        return other

    @property
    def applied(self) -> AppliedMarks:
        """The newest own marks that were applied, and count."""
        return AppliedMarks(self._boot, tuple(self._sent_us) if self._has_decisions else self._sent_before_us)

    def confirmed_age_s(self, monotonic_us: int) -> dict[int, float | None]:
        """Return for how many seconds each partition has not been confirmed; None where it never was in this boot."""
        return {p: (monotonic_us - sent) / 1e6 if sent else None for p, sent in enumerate(self.applied.sent_us)}

    def marks(self, monotonic_us: int, now: int) -> Iterator[tuple[int, Mark]]:
        """Yield the marks that are to be sent at this moment, with their partitions."""
        for partition in ALL:
            last = self._checkpoints[partition]
            yield (
                partition,
                Mark(
                    machine=self._machine,
                    incarnation=self.incarnation,
                    boot=self._boot,
                    sent_monotonic_us=monotonic_us,
                    sent_at=now,
                    offset=last.offset,
                    digest=last.digest,
                    audit_head=last.audit_head,
                    knows=self._knows,
                ),
            )

    def take(
        self, partition: int, mark: Mark, log_time: int, reached: Checkpoint, *, is_disputed: bool = False
    ) -> bool:
        """Take a mark that was applied at ``log_time`` (Unix microseconds) where this machine sent it; tell whether it
        did. ``reached`` is the place at which it lies. It confirms nothing where the partition is disputed.

        Raises LogBroken where another machine has this one's id.
        """
        if mark.machine != self._machine:
            return False
        is_mine = mark.incarnation == self.incarnation
        if not is_mine and self._is_strangers(mark):
            raise LogBroken(
                f"another machine has the id {self._machine.hex()} and writes to the log: one of the two must get "
                "another id ('onecode log join')"
            )
        if is_mine:
            self._checkpoints[partition] = reached
            self._has_decisions |= partition == DECISIONS
        if abs(mark.sent_at - log_time) > CLOCKS_APART_US:
            apart_s = (log_time - mark.sent_at) / 1e6
            self.clock_faults[partition] = f"the log's clock is {apart_s:+.0f} s from this machine's"
            return True
        self.clock_faults.pop(partition, None)
        if mark.boot == self._boot and not is_disputed:
            self._sent_us[partition] = max(self._sent_us[partition], mark.sent_monotonic_us)
        return True

    def _is_strangers(self, mark: Mark) -> bool:
        """Tell whether a mark of this machine's id was sent while this process ran. The wall clock says so of other
        machines alone: here it may have been set back between two processes."""
        if mark.boot == self._boot:
            return mark.sent_monotonic_us > self._started_us + STRANGER_AFTER_US
        return mark.sent_at > self._started_at + STRANGER_AFTER_US
