"""The store of a machine whose changes come from a log: one process applies them, all others only read.

What was applied, and how far, is one transaction: after a crash the log is read again from the offsets that are stored
beside the records.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, assert_never

from onecode_server.errors import StoreUnavailable
from onecode_server.model.confirmed import NEVER_S, NOTHING_CONFIRMED, Confirmed
from onecode_server.model.partition import ALL, DECISIONS
from onecode_server.model.partition_state import PartitionState
from onecode_server.stores import layout, replica_layout
from onecode_server.stores.lmdb import LIST_KEY, LmdbStore
from onecode_server.stores.protocol import Changes
from onecode_server.stores.replica_layout import CHECKPOINTS_MAX, AppliedMarks, BegunDecisions, Membership, Stop
from onecode_server.stores.replica_transaction import ReplicaTransaction
from onecode_server.stores.stored_items import ItemKind, StoredItem
from onecode_server.system.boot import boot_id

_T = TypeVar("_T")


class Decided(NamedTuple):
    """How far the partition of decisions is applied, and the audit record then: the number of its last entry, and that
    entry's hash (32 bytes)."""

    partition: PartitionState
    entries: int
    head: bytes


class LmdbReplica(LmdbStore):
    """A store with what belongs to a log: offsets, outcomes, checkpoints. ``LmdbStore`` documents its reads."""

    TABLES = (*LmdbStore.TABLES, "log_partitions", "log_outcomes", "log_outcome_times", "log_checkpoints", "log_resets")

    def __init__(self, directory: Path, *given: Any) -> None:
        super().__init__(directory, *given)
        self._env.is_applied_from_log = True
        self._boot = boot_id()
        self._checkpoints = self._env.read_here(self._count_checkpoints)

    def apply(self, work: Callable[[ReplicaTransaction], _T]) -> _T:
        """Return what ``work`` makes of a transaction, once it is on disk; an exception undoes all of it.

        It blocks, and is called on one thread of the only process that writes. Raises StoreUnavailable.
        """

        counts = self._checkpoints.copy()

        def write(txn: Any) -> _T:
            transaction = ReplicaTransaction(self, txn)
            made = work(transaction)
            transaction.finish()
            return made

        try:
            return self._env.write_here(write)
        except BaseException:
            self._checkpoints = counts  # those of the transaction were undone
            raise

    def join(self, membership: Membership) -> None:
        """Note that this store belongs to a log. Raises StoreUnavailable where it belongs to another one or holds
        changes that came from none."""

        def write(txn: Any) -> None:
            known = self._find_membership(txn)
            if known is None:
                if self._last(txn, self._audit)[0] or txn.stat(self._statuses)["entries"]:
                    raise StoreUnavailable(
                        "the store has changes of its own, which no other machine would have: "
                        "bring them into the log with 'onecode log migrate'"
                    )
                self._put_membership(txn, membership)
            elif known != membership:
                raise StoreUnavailable(_difference(known, membership))

        self._env.write_here(write)
        self.membership = membership

    def own_marks(self) -> AppliedMarks | None:
        """Return the newest own marks that were applied, on the caller's thread. Raises StoreUnavailable."""
        return self._env.read_here(lambda txn: ReplicaTransaction(self, txn).own_marks())

    def stop(self) -> Stop | None:
        """Return why this machine applies no more of the log, from memory; None where it goes on. Raises
        StoreUnavailable."""
        return self._env.read_here(lambda txn: ReplicaTransaction(self, txn).stop())

    def reset_records(self, limit: int) -> list[tuple[bytes, bytes]]:
        """Return up to ``limit`` audit entries of Resets that are not applied yet: their identifiers (16 bytes) and the
        messages' bodies, on the caller's thread. Raises StoreUnavailable."""
        table = self._env.tables["log_resets"]
        return self._env.read_here(lambda txn: list(islice(txn.cursor(db=table).iternext(), limit)))

    def rules(self) -> int:
        """Return the version of the rules under which machines write, from memory. Raises StoreUnavailable."""
        return self._env.read_here(lambda txn: ReplicaTransaction(self, txn).rules())

    def partitions(self) -> dict[int, PartitionState]:
        """Return how far each partition is applied, on the caller's thread. Raises StoreUnavailable."""
        return self._env.read_here(lambda txn: {p: ReplicaTransaction(self, txn).partition(p) for p in ALL})

    def checkpoints(self, places: Sequence[tuple[int, int]]) -> list[bytes | None]:
        """Return the digests that are kept for marks by their partitions and offsets, in order, on the caller's thread.
        Raises StoreUnavailable."""
        return self._env.read_here(lambda txn: [ReplicaTransaction(self, txn).checkpoint(*place) for place in places])

    def decided(self) -> Decided:
        """Return how far decisions are applied, on the caller's thread. Raises StoreUnavailable."""

        def read(txn: Any) -> Decided:
            state = ReplicaTransaction(self, txn)
            return Decided(state.partition(DECISIONS), self._last(txn, self._audit)[0], state.audit_head())

        return self._env.read_here(read)

    def adopt(self, machine: bytes) -> None:
        """Make the store of a machine's backup that of another machine, by its id (16 bytes), before it serves: it
        applies the log, even where the machine of the backup had stopped. Raises StoreUnavailable where the store
        belongs to no log."""

        def write(txn: Any) -> Membership:
            if (known := self._find_membership(txn)) is None:
                raise StoreUnavailable("the store belongs to no log")
            self._put_membership(txn, known._replace(machine=machine))
            transaction = ReplicaTransaction(self, txn)
            transaction.forget_own_marks()  # those of the machine that made the backup
            transaction.forget_stop()
            txn.drop(self._env.tables["log_resets"], delete=False)  # theirs too, which it sends itself
            return known._replace(machine=machine)

        self.membership = self._env.write_here(write)

    def _changes_in(self, txn: Any, after: int) -> Changes:
        """Return the changes, with what the own marks that are applied confirm of them. Those of another boot count by
        another clock."""
        marks = ReplicaTransaction(self, txn).own_marks()
        confirmed = NOTHING_CONFIRMED
        if marks is not None and marks.boot == self._boot:
            confirmed = Confirmed(tuple(sent_us / 1e6 if sent_us else NEVER_S for sent_us in marks.sent_us))
        return super()._changes_in(txn, after)._replace(confirmed=confirmed)

    async def outcomes(self, identifiers: Sequence[bytes]) -> list[bytes | None]:
        """Return what became of messages by their ids (16 bytes each), in order; None where one is not applied."""

        def read(txn: Any) -> list[bytes | None]:
            found = [txn.get(identifier, db=self._env.tables["log_outcomes"]) for identifier in identifiers]
            return [None if data is None else replica_layout.unpack_outcome(data)[2] for data in found]

        return await self._env.read(read)

    def begin(self, membership: Membership, states: Mapping[int, PartitionState], begun: BegunDecisions) -> None:
        """Make an embedded store the first one of a log that begins with it, applied as far as ``states`` say. Raises
        StoreUnavailable."""

        def work(transaction: ReplicaTransaction) -> None:
            self._put_membership(transaction._txn, membership)
            for partition, state in states.items():
                transaction.set_partition(partition, state)
            transaction.set_begun(begun)

        self.apply(work)
        self.membership = membership

    def _put_item(self, txn: Any, item: StoredItem) -> None:
        """Write an item of the store with which the log began. Ended reports are live once more, until a next step."""
        kind, key, data = item
        match kind:
            case ItemKind.LIST:
                txn.put(LIST_KEY, data, db=self._meta)
            case ItemKind.ENTRY:
                txn.put(key, data, db=self._audit, append=True)
                self._archive_entries(txn, layout.read_number(key))
            case ItemKind.REPORT:
                report = layout.unpack_exception(data)
                self._keep(txn, report, None)
                if report.acknowledged_at is not None:
                    self._put_steps(txn, self._last(txn, self._audit)[0])
            case ItemKind.REQUEST:
                txn.put(key, data, db=self._env.tables["report_requests"])
            case _:
                assert_never(kind)

    def _count_checkpoints(self, txn: Any) -> dict[int, int]:
        counts: dict[int, int] = {}
        for key in txn.cursor(db=self._env.tables["log_checkpoints"]).iternext(values=False):
            counts[key[0]] = counts.get(key[0], 0) + 1
        return counts

    def _put_checkpoint(self, txn: Any, partition: int, offset: int, digest: bytes) -> None:
        table = self._env.tables["log_checkpoints"]
        self._checkpoints[partition] = self._checkpoints.get(partition, 0) + txn.put(
            replica_layout.place_key(partition, offset), digest, overwrite=False, db=table
        )
        cursor = txn.cursor(db=table)
        while self._checkpoints[partition] > CHECKPOINTS_MAX and cursor.set_range(
            replica_layout.partition_key(partition)
        ):
            cursor.delete()
            self._checkpoints[partition] -= 1


def _difference(known: Membership, given: Membership) -> str:
    if known.cluster != given.cluster:
        return "the store belongs to another cluster: cluster.pub is not that of the log it was made from"
    if known.machine != given.machine:
        return "the store is that of another machine, by its id: restore it with 'onecode store restore'"
    return (
        "the log's topics were made anew, or are those of another cluster: what the store has applied is not in them. "
        "Restore the store from a backup made since"
    )
