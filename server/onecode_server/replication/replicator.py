"""The replicator: it applies the log to this machine's store, and is the only one that writes it.

All runs on one thread, which blocks for the log and for the disk. What a turn has applied is one transaction, with the
offsets, so that a process that ends anywhere goes on where the last transaction ended.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from onecode_server.errors import LogBroken, OnecodeError
from onecode_server.log.mark_sender import MarkSender
from onecode_server.log.reader import LogReader, Message
from onecode_server.model.partition import ALL, DECISIONS
from onecode_server.model.partition_state import PartitionState
from onecode_server.replication import message_form, reset_audit
from onecode_server.replication.agreement import Agreement
from onecode_server.replication.apply import Applied, Diverged, UnknownRules, apply
from onecode_server.replication.ignored import Ignored
from onecode_server.replication.machine import Machine
from onecode_server.replication.mark_keeper import MARK_S, Checkpoint, MarkKeeper
from onecode_server.replication.rule_versions import KNOWN, RuleVersions
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.replica_layout import Stop
from onecode_server.stores.replica_transaction import ReplicaTransaction
from onecode_server.system.boot import boot_id
from onecode_server.system.clock import Clock, wall_clock
from onecode_server.telemetry.counting import begin
from onecode_server.telemetry.log_metrics import APPLIED, ReplicatorMetrics

WAIT_S: Final = 0.1
"""The longest wait for a message: a stop, a mark and a report are not later than that."""
MESSAGES_MAX: Final = 256
"""Messages that are read at once: 16 MiB of the largest."""
RECORDS_MAX: Final = 20_000
"""Records of one transaction. To apply so many takes some tenths of a second, and marks are due each second."""


class Stopped(OnecodeError):
    """This machine had stopped before it was started, for a fault of its store. The text is the reason of then."""


CANNOT_GO_ON: Final = (LogBroken, Diverged, UnknownRules, Stopped)
"""What only a person can mend: to try again would change nothing."""


class Replicator:
    """``clock`` returns Unix microseconds, ``monotonic`` nanoseconds of the system's monotonic clock, which all
    processes of a machine share. ``versions`` are the rules that this program knows."""

    def __init__(
        self,
        store: LmdbReplica,
        reader: LogReader,
        sender: MarkSender,
        machine: Machine,
        metrics: ReplicatorMetrics,
        clock: Clock = wall_clock,
        monotonic: Callable[[], int] = time.monotonic_ns,
        versions: RuleVersions = KNOWN,
    ) -> None:
        """Begin where the store ends, unless its last stop is a lasting one. Raises OSError where the system names no
        boot, and StoreUnavailable."""
        self._store, self._reader, self._sender, self._machine = store, reader, sender, machine
        self._metrics, self._clock, self._monotonic, self._versions = metrics, clock, monotonic, versions
        begin(metrics.log_ignored, *Ignored)
        started = clock(), monotonic() // 1000
        self._marks = MarkKeeper(machine.identifier, boot_id(), *started, store.own_marks(), versions.latest)
        self._agreement = Agreement(machine.identifier, self._marks.incarnation)
        self._mark_due_us = 0
        self._in_force = store.rules()
        self._states: dict[int, PartitionState] = store.partitions()
        self._unapplied: Sequence[Message] = ()
        self._stop = store.stop()
        if self._stop is not None and not self._stop.is_lasting:
            store.apply(ReplicaTransaction.forget_stop)
            self._stop = None

    def turn(self) -> None:
        """Send the marks that are due, and apply what the log has.

        Raises LogBroken, Diverged, UnknownRules and Stopped (CANNOT_GO_ON): nothing of the transaction is applied then,
        no later turn goes on, and the store has the reason. Raises StoreUnavailable where the store cannot be written:
        the next turn applies the same messages.
        """
        if self._stop is not None:
            raise Stopped(self._stop.reason)
        try:
            self._send_marks()
            self._apply_what_is_there()
        except CANNOT_GO_ON as fault:
            # A fault of the log or of the program is found again by the next start, unless it was mended. A store that
            # differs would be found only once others are heard, and would confirm itself until then.
            stop = Stop(str(fault), self._clock(), is_lasting=isinstance(fault, Diverged))
            self._store.apply(lambda state: state.put_stop(stop))
            self._stop = stop
            raise

    def _apply_what_is_there(self) -> None:
        if not self._unapplied:
            self._unapplied = self._reader.read(WAIT_S, MESSAGES_MAX)
        while self._unapplied:
            began_s = time.perf_counter()
            done = self._store.apply(partial(self._apply, self._unapplied))
            self._take(done)
            self._count(done, time.perf_counter() - began_s)

    def _take(self, done: "_Done") -> None:
        """Remember what a transaction came to, once it is on disk: a commit that fails must leave no trace."""
        self._marks, self._agreement = done.marks, done.agreement
        self._states |= done.states
        self._unapplied = self._unapplied[len(done.messages) :]

    def _apply(self, messages: Sequence[Message], state: ReplicaTransaction) -> "_Done":
        """Apply messages, until RECORDS_MAX records. Nothing outside ``state`` and the result is changed."""
        began_s, records, has_own, applied = time.perf_counter(), 0, False, list[Applied]()
        marks, agreement, states = self._marks.copy(), self._agreement.copy(), dict[int, PartitionState]()
        for message in messages:
            one = apply(state, message, self._machine.cluster, agreement, self._versions)
            applied.append(one)
            reached = states[message.partition] = state.partition(message.partition)
            if one.mark is not None:
                head = state.audit_head() if message.partition == DECISIONS else bytes(32)
                place = Checkpoint(message.offset, reached.digest, head)
                is_disputed = agreement.is_disputed(message.partition)
                has_own |= marks.take(message.partition, one.mark, message.time, place, is_disputed=is_disputed)
            if one.reset is not None:
                reset_audit.note(state, one.reset, self._machine.identifier)
            records += one.taken + one.known + one.refused
            if records >= RECORDS_MAX:
                break
        if has_own:
            state.put_own_marks(marks.applied)
        return _Done(applied, time.perf_counter() - began_s, marks, agreement, states)

    def _count(self, done: "_Done", seconds: float) -> None:
        for outcome in APPLIED:
            self._metrics.log_applied.labels(outcome).inc(sum(getattr(one, outcome) for one in done.messages))
        for one in done.messages:
            if one.ignored:
                self._metrics.log_ignored.labels(one.ignored).inc()
        self._metrics.log_batch_seconds.labels("apply").observe(done.seconds)
        self._metrics.log_batch_seconds.labels("commit").observe(seconds - done.seconds)

    def _send_marks(self) -> None:
        now_us = self._monotonic() // 1000
        if now_us < self._mark_due_us:
            self._sender.poll()
            return
        # A later program may have put rules in force on this store. No message need come that says so again.
        self._in_force = self._store.rules()
        self._versions.of(self._in_force)
        self._mark_due_us = now_us + round(MARK_S * 1e6)
        now = self._clock()
        for partition, mark in self._marks.marks(now_us, now):
            self._send(partition, message_form.encode(mark))
        reset_audit.send_missing(self._store, now, partial(self._send, DECISIONS))

    def _send(self, partition: int, body: bytes) -> None:
        self._sender.send(partition, self._machine.sealer.seal(body, partition))

    def report(self) -> dict[str, Any]:
        """Return for operations how far each partition is applied and confirmed, and show it in the metrics."""
        ages = self._marks.confirmed_age_s(self._monotonic() // 1000)
        clocks, unreachable = self._marks.clock_faults, self._reader.fault or self._sender.fault
        for partition, lag in self._reader.lag().items():
            self._metrics.log_lag.labels(str(partition)).set(lag)
        self._metrics.log_fault.labels("clock").set(bool(clocks))
        self._metrics.log_fault.labels("unreachable").set(unreachable is not None)
        return {
            "machine": self._machine.identifier.hex(),
            "rules": {"in_force": self._in_force, "known": self._versions.latest},
            "fault": next(iter(clocks.values()), unreachable),
            "partitions": {str(partition): self._partition(partition, ages[partition]) for partition in ALL},
        }

    def _partition(self, partition: int, age_s: float | None) -> dict[str, Any]:
        state = self._states[partition]
        return {
            "offset": state.offset,
            "digest": state.digest.hex(),
            "confirmed_age_s": None if age_s is None else round(age_s, 1),
            "clock_fault": self._marks.clock_faults.get(partition),
            "differs_from": [machine.hex() for machine in self._agreement.differing(partition)],
        }


class _Done(NamedTuple):
    """What one transaction has applied, the seconds that this took before the commit, and what is known behind it."""

    messages: list[Applied]
    seconds: float
    marks: MarkKeeper
    agreement: Agreement
    states: dict[int, PartitionState]
