"""What applying reads and writes of a machine's store, inside one write transaction.

Everything that a method returns follows from the messages applied so far, and each method sees what was written before
it in the transaction. A transaction that is given up leaves nothing.
"""

from typing import Any, Protocol

from onecode_server.model.audit import AuditEntry
from onecode_server.model.partition_state import PartitionState
from onecode_server.model.status import Token
from onecode_server.stores.protocol import ExceptionChange, ExceptionView, KnownList, TokenKey
from onecode_server.stores.replica_layout import BegunDecisions
from onecode_server.stores.stored_items import StoredItem


class ReplicaState(Protocol):
    """One machine's applied state. Times are the log's, in Unix microseconds."""

    def partition(self, partition: int) -> PartitionState:
        """Return how far a partition was applied; ``model.partition_state.INITIAL`` at the beginning."""
        ...

    def set_partition(self, partition: int, state: PartitionState) -> None:
        """Keep how far a partition was applied."""
        ...

    def records(self, subject: bytes) -> bytes:
        """Return the packed records of a subject (``stores.layout.pack_records``), b"" where there are none."""
        ...

    def put_records(self, subject: bytes, packed: bytes, time: int) -> None:
        """Write a subject's packed records, and its row of the change feed with ``time``."""
        ...

    def has_token(self, key: TokenKey) -> bool:
        """Return whether a token is stored."""
        ...

    def put_token(self, key: TokenKey, token: Token) -> None:
        """Write a token."""
        ...

    def outcome(self, identifier: bytes) -> bytes | None:
        """Return the outcome of a command that was applied lately, or None."""
        ...

    def put_outcome(self, identifier: bytes, partition: int, time: int, outcome: bytes) -> None:
        """Keep the outcome of a command, for ``forget_outcomes`` by partition and time."""
        ...

    def forget_outcomes(self, partition: int, before: int) -> None:
        """Forget outcomes of a partition whose time is below ``before``: the oldest first, and more of them than one
        command adds, so that they do not pile up, but a bounded number."""
        ...

    def exceptions(self) -> ExceptionView:
        """Return the reports as they are now."""
        ...

    def put_exception(self, change: ExceptionChange) -> None:
        """Write a report with its indexes, the answer to its request id, and its audit entry."""
        ...

    def known_list(self) -> KnownList | None:
        """Return the highest trust list that was taken, or None."""
        ...

    def put_list(self, known: KnownList, time: int) -> None:
        """Write the highest trust list, with its audit entry."""
        ...

    def record(self, time: int, event: str, subject: str, details: dict[str, Any]) -> None:
        """Add an entry to the audit record."""
        ...

    def audit_head(self) -> bytes:
        """Return the hash of the last audit entry (32 bytes), zeros where there is none."""
        ...

    def last_entry(self) -> AuditEntry | None:
        """Return the last audit entry, or None."""
        ...

    def begun(self) -> BegunDecisions:
        """Return how much was applied of the store with which the log began."""
        ...

    def set_begun(self, begun: BegunDecisions) -> None:
        """Keep how much was applied of the store with which the log began."""
        ...

    def put_item(self, item: StoredItem) -> None:
        """Write an item of the store with which the log began, as that store had it, with its indexes."""
        ...

    def rules(self) -> int:
        """Return the version of the rules under which machines write; ``rule_versions.RULES`` at the beginning."""
        ...

    def set_rules(self, version: int) -> None:
        """Keep the version of the rules under which machines write."""
        ...

    def checkpoint(self, partition: int, offset: int) -> bytes | None:
        """Return the digest after the mark at ``offset``, or None where it is not among the kept ones."""
        ...

    def put_checkpoint(self, partition: int, offset: int, digest: bytes) -> None:
        """Keep the digest after the mark at ``offset`` (32 bytes; in decisions 64, with the audit head), and only the
        CHECKPOINTS_MAX newest of the partition."""
        ...
