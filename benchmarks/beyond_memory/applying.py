"""Applying records of random subjects to a store of which a part is in memory. No brokers run: messages are applied as
they were written, in transactions like those of the replicator, each on disk."""

import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from onecode_server.crypto.signing import Signer
from onecode_server.replication import message_form
from onecode_server.replication.apply import apply
from onecode_server.replication.messages import CHUNK_RECORDS_MAX, Chunk, identifier_in
from onecode_server.replication.replicator import RECORDS_MAX
from onecode_server.replication.rule_versions import RULES
from onecode_server.replication.signing import Sealer, certify
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.protocol import Publication
from onecode_server.stores.replica_layout import Membership
from onecode_server.stores.replica_transaction import ReplicaTransaction

from benchmarks.beyond_memory.looking_up import WARM_UP, begin
from benchmarks.replica_records import NOW, chunks_of, record_of
from benchmarks.store import anonymous_mib, disk_bytes

TOGETHER: Final = RECORDS_MAX // CHUNK_RECORDS_MAX
"""Chunks of a transaction: as many as the replicator applies at once when it is behind."""

_MACHINE: Final = bytes(16)
_CLUSTER, _KEY = Signer(b"c" * 32), Signer(b"k" * 32)
_YEAR_US: Final = 365 * 86_400 * 1_000_000
MEMBERSHIP: Final = Membership(_CLUSTER.public_key, _MACHINE, {"no brokers": ""})
"""To what the store belongs."""


class Applying(NamedTuple):
    """What applying took: records a second, and how many; the share of time in commits, bytes of the disk that a
    record read, and MiB of memory that is no file's, more than the process had before."""

    records_per_s: float
    records: int
    commit_share: float
    disk_bytes: float
    anonymous_mib: float


class _Logged(NamedTuple):
    """A message as the log delivers it."""

    partition: int
    offset: int
    epoch: int
    time: int
    value: bytes


def apply_records(
    directory: Path, bounded_by: Path | None, subjects: int, records: int, turn: int, seconds: float
) -> Applying:
    """Apply ``records`` of random subjects, each of a higher revision than in the turn before, until ``seconds`` are
    over at the end of a transaction. For a process that has not touched the store; it stays in the group. Raises
    StoreUnavailable."""
    warm_up = round(records * WARM_UP / CHUNK_RECORDS_MAX)
    sealer = Sealer(certify(_MACHINE, _KEY.public_key, NOW + _YEAR_US, _CLUSTER), _KEY)
    values = list(_sealed(sealer, subjects, records + warm_up * CHUNK_RECORDS_MAX, turn))
    store = LmdbReplica(directory)
    try:
        offsets = {partition: state.offset for partition, state in store.partitions().items()}
        messages = list[_Logged]()
        for partition, value in values:
            messages.append(_Logged(partition, offsets[partition], 0, NOW, value))
            offsets[partition] += 1
        had_mib = anonymous_mib()
        begin(directory, bounded_by)
        _take(store, messages[:warm_up], seconds * WARM_UP)
        # What is left of the time: offsets must follow those of the warm-up.
        done = {partition: state.offset for partition, state in store.partitions().items()}
        rest = [message for message in messages if message.offset >= done[message.partition]]
        began_s, disk = time.perf_counter(), disk_bytes()
        taken, apply_s = _take(store, rest, seconds)
        took_s = time.perf_counter() - began_s
        own_mib = anonymous_mib() - had_mib
        return Applying(taken / took_s, taken, 1 - apply_s / took_s, (disk_bytes() - disk) / taken, own_mib)
    finally:
        store.close_here()


def _take(store: LmdbReplica, messages: Sequence[_Logged], seconds: float) -> tuple[int, float]:
    """Apply messages; return the records that were taken, and the seconds in transactions before their commits."""
    taken, apply_s, until_s = 0, 0.0, time.perf_counter() + seconds

    def work(state: ReplicaTransaction, some: Sequence[_Logged]) -> tuple[int, float]:
        began_s = time.perf_counter()
        count = sum(apply(state, message, _CLUSTER.public_key).taken for message in some)
        return count, time.perf_counter() - began_s

    for at in range(0, len(messages), TOGETHER):
        some = messages[at : at + TOGETHER]
        count, took_s = store.apply(lambda state, some=some: work(state, some))  # type: ignore[misc]
        taken, apply_s = taken + count, apply_s + took_s
        if time.perf_counter() >= until_s:
            break
    return taken, apply_s


def _sealed(sealer: Sealer, subjects: int, records: int, turn: int) -> Iterator[tuple[int, bytes]]:
    """Yield chunks of records of random subjects: in each turn others, of a higher revision."""
    record, chance = record_of(2 + turn), random.Random(turn)
    for partition, chosen in chunks_of(chance, subjects, records):
        identifier = identifier_in(partition, chance.randbytes(15))
        publications = tuple(Publication(subject, record) for subject in chosen)
        body = message_form.encode(Chunk(_MACHINE, identifier, NOW, RULES, 1, publications))
        yield partition, sealer.seal(body, partition)
