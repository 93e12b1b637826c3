"""Proves a machine's audit record by the log: the decisions are applied anew from their beginning, to an empty state.

A store can be rewritten by whoever can write its files, together with all of its hashes. The decisions in the log are
signed by the machines that wrote them, and lie on other machines.
"""

import time
from collections.abc import AsyncIterator, Callable
from typing import Final, NamedTuple

from onecode_server.errors import LogBroken, LogUnavailable, StoreUnavailable
from onecode_server.log.reader import LogReader, Message
from onecode_server.model.audit import AuditEntry
from onecode_server.model.partition import DECISIONS
from onecode_server.replication.apply import apply
from onecode_server.replication.messages import Mark
from onecode_server.stores.lmdb_replica import Decided, LmdbReplica
from onecode_server.stores.replica_transaction import ReplicaTransaction

MESSAGES_MAX: Final = 1000
"""Messages of one transaction: nearly all are marks of some 400 bytes."""
SILENT_S: Final = 30.0
"""The wait for the log's ends, and for a next message that is in it: a change of leaders takes seconds."""
_READ_S: Final = 0.5


class Proof(NamedTuple):
    """A machine's record that the log proves: its ``entries``, its ``head`` (32 bytes), by so many ``messages``."""

    entries: int
    head: bytes
    messages: int


async def prove(
    own: LmdbReplica, scratch: LmdbReplica, reader: LogReader, cluster: bytes, advance_to: Callable[[int], None]
) -> Proof:
    """Return what the log proves of a machine's record, as far as the machine has applied the log now.

    ``scratch`` is an empty store that is thrown away, and ``reader`` begins at offset 0 of decisions. ``advance_to``
    takes the number of messages that were applied. Raises StoreUnavailable with the first entry that differs, LogBroken
    where the log does not reach from its beginning to what the machine has applied, LogUnavailable, UnknownRules.
    """
    decided = own.decided()
    until = decided.partition.offset
    _expect_all(reader, until)
    _replay(reader, scratch, cluster, until, advance_to)
    replayed = scratch.decided()
    await _compare(own, scratch, decided, replayed)
    if replayed.partition.digest != decided.partition.digest:
        raise StoreUnavailable(
            f"all {decided.entries} audit entries are those of the log, but the digest of decisions in the store is "
            "not that of the log"
        )
    return Proof(decided.entries, decided.head, until)


def _expect_all(reader: LogReader, until: int) -> None:
    first, following = reader.ends(SILENT_S)[DECISIONS]
    if first > 0:
        raise LogBroken(f"the log's decisions begin at offset {first}: without their beginning they prove nothing")
    if following < until:
        raise LogBroken(f"the log's decisions end at offset {following}, and this machine has applied {until} of them")


def _replay(
    reader: LogReader, scratch: LmdbReplica, cluster: bytes, until: int, advance_to: Callable[[int], None]
) -> None:
    agreement, reached, heard_s = _AnyDigest(), 0, time.monotonic()

    def take(messages: list[Message]) -> Callable[[ReplicaTransaction], None]:
        def work(state: ReplicaTransaction) -> None:
            for message in messages:
                apply(state, message, cluster, agreement)

        return work

    while reached < until:
        if messages := [message for message in reader.read(_READ_S, MESSAGES_MAX) if message.offset < until]:
            scratch.apply(take(messages))
            reached, heard_s = messages[-1].offset + 1, time.monotonic()
            advance_to(reached)
        elif time.monotonic() - heard_s > SILENT_S:
            raise LogUnavailable(f"the log gives nothing after offset {reached} of decisions: {reader.fault}")


async def _compare(own: LmdbReplica, scratch: LmdbReplica, decided: Decided, replayed: Decided) -> None:
    """Raise StoreUnavailable at the first entry that differs."""
    others = _entries(scratch, replayed.entries)
    count = 0
    async for entry in _entries(own, decided.entries):
        count += 1
        other = await anext(others, None)
        if other is None:
            raise StoreUnavailable(f"audit entry {count} ({entry.event}) is not in the log, whose last is {count - 1}")
        if entry != other:
            raise StoreUnavailable(
                f"audit entry {count} differs from the log's: {entry.event} of {entry.subject} is stored, and "
                f"{other.event} of {other.subject} with the hash {other.hash.hex()} was decided"
            )
    if (other := await anext(others, None)) is not None:
        raise StoreUnavailable(f"audit entry {count + 1} ({other.event} of {other.subject}) of the log is not stored")


async def _entries(store: LmdbReplica, count: int) -> AsyncIterator[AuditEntry]:
    """Yield the first ``count`` entries as they are stored, whatever their own numbers are."""
    read = 0
    while read < count and (entries := await store.audit(read)):
        for entry in entries[: count - read]:
            read += 1
            yield entry


class _AnyDigest:
    """Takes marks of every digest: a machine whose store was damaged at some time has left marks that say so."""

    def note(self, partition: int, mark: Mark, time: int, *, is_equal: bool) -> None:
        pass
