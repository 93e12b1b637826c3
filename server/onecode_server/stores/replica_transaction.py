"""A transaction in which messages of a log are applied to a store: records, reports, and how far the log is applied."""

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from onecode_server.model import audit
from onecode_server.model.audit import AuditEntry
from onecode_server.model.partition_state import INITIAL, PartitionState
from onecode_server.model.status import Token
from onecode_server.stores import layout, replica_layout
from onecode_server.stores.lmdb_exceptions import ReportView
from onecode_server.stores.protocol import ExceptionChange, ExceptionView, KnownList, TokenKey
from onecode_server.stores.replica_layout import (
    FIRST_RULES,
    IDENTIFIER_BYTES,
    NOT_BEGUN,
    STOP_KEY,
    AppliedMarks,
    BegunDecisions,
    Stop,
)
from onecode_server.stores.stored_items import StoredItem

if TYPE_CHECKING:
    from onecode_server.stores.lmdb_replica import LmdbReplica

FORGOTTEN_MAX: Final = 64
"""Outcomes that one message lets go of: more than it adds, so that they do not pile up."""

_RULES_KEY: Final = b"log-rules"
_MARKS_KEY: Final = b"log-marks"
_BEGUN_KEY: Final = b"log-begun"


class ReplicaTransaction:
    """What messages are applied to; ``replication.state.ReplicaState`` documents its methods.

    Records are written at its end, in the order of their subjects: LMDB's pages are then written once.
    """

    def __init__(self, store: "LmdbReplica", txn: Any) -> None:
        self._store, self._txn, self._tables = store, txn, store._env.tables
        self._records: dict[bytes, bytes] = {}
        self._changed: list[tuple[bytes, int]] = []
        self._partitions: dict[int, PartitionState] = {}

    def finish(self) -> None:
        """Write what was put, as the last step of the transaction."""
        for subject in sorted(self._records):
            self._txn.put(subject, self._records[subject], db=self._tables["statuses"])
        for partition, state in self._partitions.items():
            key = replica_layout.partition_key(partition)
            self._txn.put(key, replica_layout.pack_state(state), db=self._tables["log_partitions"])
        self._store._add_timed_changes(self._txn, self._changed)

    def partition(self, partition: int) -> PartitionState:
        """Return how far a partition is applied."""
        if (state := self._partitions.get(partition)) is not None:
            return state
        data = self._txn.get(replica_layout.partition_key(partition), db=self._tables["log_partitions"])
        return INITIAL if data is None else replica_layout.unpack_state(data)

    def set_partition(self, partition: int, state: PartitionState) -> None:
        """Note how far a partition is applied."""
        self._partitions[partition] = state

    def records(self, subject: bytes) -> bytes:
        """Return the packed records of a subject."""
        if (packed := self._records.get(subject)) is not None:
            return packed
        found: bytes = self._txn.get(subject, default=b"", db=self._tables["statuses"])
        return found

    def put_records(self, subject: bytes, packed: bytes, time: int) -> None:
        """Replace the packed records of a subject, at ``time`` of the log."""
        self._records[subject] = packed
        self._changed.append((subject, time))

    def has_token(self, key: TokenKey) -> bool:
        """Return whether a token was published."""
        return self._txn.get(layout.token_key(key), db=self._tables["tokens"]) is not None

    def put_token(self, key: TokenKey, token: Token) -> None:
        """Write a token."""
        self._txn.put(layout.token_key(key), layout.pack_token(token), db=self._tables["tokens"])

    def outcome(self, identifier: bytes) -> bytes | None:
        """Return what became of a message that was applied lately, or None."""
        data = self._txn.get(identifier, db=self._tables["log_outcomes"])
        return None if data is None else replica_layout.unpack_outcome(data)[2]

    def put_outcome(self, identifier: bytes, partition: int, time: int, outcome: bytes) -> None:
        """Keep what became of a message (an id of 16 bytes), which was applied at ``time`` of the log."""
        packed = replica_layout.pack_outcome(partition, time, outcome)
        self._txn.put(identifier, packed, db=self._tables["log_outcomes"])
        self._txn.put(replica_layout.place_key(partition, time) + identifier, b"", db=self._tables["log_outcome_times"])

    def forget_outcomes(self, partition: int, before: int) -> None:
        """Let go of outcomes of a partition that are older than a time of the log, FORGOTTEN_MAX of them at most."""
        cursor = self._txn.cursor(db=self._tables["log_outcome_times"])
        if not cursor.set_range(replica_layout.partition_key(partition)):
            return
        end = replica_layout.place_key(partition, before)
        keys = []
        for key in islice(cursor.iternext(values=False), FORGOTTEN_MAX):
            if key >= end:
                break
            keys.append(key)
        for key in keys:
            self._txn.delete(key, db=self._tables["log_outcome_times"])
            self._txn.delete(key[-IDENTIFIER_BYTES:], db=self._tables["log_outcomes"])

    def exceptions(self) -> ExceptionView:
        """Return the reports as they are now."""
        return ReportView(self._txn, self._tables)

    def put_exception(self, change: ExceptionChange) -> None:
        """Write a step of a report, with its audit entry."""
        self._store._take_step(self._txn, change)

    def known_list(self) -> KnownList | None:
        """Return the highest trust list."""
        return self._store._known_list(self._txn)

    def put_list(self, known: KnownList, time: int) -> None:
        """Write the highest trust list, with its audit entry at ``time``."""
        self._store._put_list(self._txn, known, time)

    def record(self, time: int, event: str, subject: str, details: dict[str, Any]) -> None:
        """Add an entry to the audit record."""
        self._store._record(self._txn, time, event, subject, details)

    def last_entry(self) -> AuditEntry | None:
        """Return the last audit entry, or None."""
        data = self._store._last(self._txn, self._tables["audit"])[1]
        return audit.unpack(data) if data else None

    def audit_head(self) -> bytes:
        """Return the hash of the last audit entry: 32 bytes, zeros where there is none."""
        last = self.last_entry()
        return audit.GENESIS if last is None else last.hash

    def begun(self) -> BegunDecisions:
        """Return how much was applied of the store with which the log began."""
        data = self._txn.get(_BEGUN_KEY, db=self._tables["meta"])
        return NOT_BEGUN if data is None else replica_layout.unpack_begun(data)

    def set_begun(self, begun: BegunDecisions) -> None:
        """Keep how much was applied of the store with which the log began."""
        self._txn.put(_BEGUN_KEY, replica_layout.pack_begun(begun), db=self._tables["meta"])

    def put_item(self, item: StoredItem) -> None:
        """Write an item of the store with which the log began."""
        self._store._put_item(self._txn, item)

    def rules(self) -> int:
        """Return the version of the rules under which machines write, from FIRST_RULES on."""
        return layout.read_number(self._txn.get(_RULES_KEY, default=bytes([FIRST_RULES]), db=self._tables["meta"]))

    def set_rules(self, version: int) -> None:
        """Choose the version of the rules."""
        self._txn.put(_RULES_KEY, layout.number(version), db=self._tables["meta"])

    def checkpoint(self, partition: int, offset: int) -> bytes | None:
        """Return the digest that was kept for an offset, or None."""
        found: bytes | None = self._txn.get(
            replica_layout.place_key(partition, offset), db=self._tables["log_checkpoints"]
        )
        return found

    def put_checkpoint(self, partition: int, offset: int, digest: bytes) -> None:
        """Keep the digest at an offset, among the CHECKPOINTS_MAX newest of the partition."""
        self._store._put_checkpoint(self._txn, partition, offset, digest)

    def own_marks(self) -> AppliedMarks | None:
        """Return the newest own marks that were applied."""
        data = self._txn.get(_MARKS_KEY, db=self._tables["meta"])
        return None if data is None else replica_layout.unpack_marks(data)

    def put_own_marks(self, marks: AppliedMarks) -> None:
        """Note the newest own marks that were applied: by them all processes of this machine tell how fresh it is."""
        self._txn.put(_MARKS_KEY, replica_layout.pack_marks(marks), db=self._tables["meta"])

    def forget_own_marks(self) -> None:
        """Let nothing be confirmed until a next own mark is applied."""
        self._txn.delete(_MARKS_KEY, db=self._tables["meta"])

    def put_reset_record(self, identifier: bytes, body: bytes) -> None:
        """Keep the audit entry of a Reset, a message's body, until it is applied by its identifier (16 bytes)."""
        self._txn.put(identifier, body, db=self._tables["log_resets"])

    def forget_reset_record(self, identifier: bytes) -> None:
        """Let go of the audit entry of a Reset."""
        self._txn.delete(identifier, db=self._tables["log_resets"])

    def stop(self) -> Stop | None:
        """Return why this machine applies no more of the log; None where it goes on."""
        data = self._txn.get(STOP_KEY, db=self._tables["meta"])
        return None if data is None else replica_layout.unpack_stop(data)

    def put_stop(self, stop: Stop) -> None:
        """Note that this machine applies no more of the log: its workers read it, and its next start."""
        self._txn.put(STOP_KEY, replica_layout.pack_stop(stop), db=self._tables["meta"])

    def forget_stop(self) -> None:
        """Let this machine apply the log again."""
        self._txn.delete(STOP_KEY, db=self._tables["meta"])
