"""Records for measurements of a shared log: a machine's store that is filled at once, and chunks of records for it."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from onecode_server.model.partition import partition_of
from onecode_server.model.status import Level, Scope, StatusRecord
from onecode_server.replication.messages import CHUNK_RECORDS_MAX
from onecode_server.stores import layout
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.replica_layout import Membership

from benchmarks.store import PARTS, subjects_of

NOW: Final = 1_795_000_000_000_000
"""2026-11-18, Unix microseconds: the same records in every run."""


def fill(store: Path, count: int, membership: Membership, advance: Callable[[int], None]) -> None:
    """Make a machine's store with a record of each of ``count`` subjects: in order, so that it takes seconds. Its pages
    are then full, where random order fills two thirds of them. Raises StoreUnavailable."""
    replica = LmdbReplica(store)
    try:
        replica.join(membership)
        packed = layout.pack_records((record_of(1),))
        for part in range(PARTS):
            subjects = sorted(subjects_of(part, count))

            def write(txn: Any, subjects: list[bytes] = subjects) -> None:
                for subject in subjects:
                    txn.put(subject, packed, db=replica._statuses, append=True)

            replica._env.write_here(write)
            advance(len(subjects))
    finally:
        replica.close_here()


def chunks_of(chance: random.Random, subjects: int, count: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield chunks of one partition each, of which every subject is another one, in turns of all partitions."""
    by_partition: dict[int, list[bytes]] = {}
    each = -(-count // PARTS)
    for part in range(PARTS):
        known = [*subjects_of(part, subjects)]
        chosen = chance.sample(known, min(each, len(known)))
        by_partition.setdefault(partition_of(chosen[0]), []).extend(chosen)
    for all_of_it in by_partition.values():
        chance.shuffle(all_of_it)
    while any(by_partition.values()):
        for partition, left in by_partition.items():
            if left:
                yield partition, left[:CHUNK_RECORDS_MAX]
                del left[:CHUNK_RECORDS_MAX]


def record_of(revision: int) -> StatusRecord:
    """Return a subject's record of a revision from 1 on: the first is green, and red follows."""
    level = Level.GREEN if revision == 1 else Level.RED
    return StatusRecord("420000", Scope.NATIONAL, level, NOW + revision, None, revision, NOW)
