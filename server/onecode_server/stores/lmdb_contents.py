"""Reads all that an embedded store has, for the log that is to begin with it. Nobody else may have the store open.

The files are only read: neither locks nor tables are made.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import lmdb

from onecode_server.errors import Malformed, StoreUnavailable
from onecode_server.model import audit
from onecode_server.model.partition import STATUS_PARTITIONS, partition_of
from onecode_server.model.status import SUBJECT_BYTES
from onecode_server.stores import layout
from onecode_server.stores.lmdb import LIST_KEY
from onecode_server.stores.lmdb_audit import unpack_block
from onecode_server.stores.lmdb_file import expect_whole
from onecode_server.stores.lmdb_files import SCHEMA_KEY
from onecode_server.stores.lmdb_tables import MEMBERSHIP_KEY
from onecode_server.stores.stored_items import ItemKind, StoredItem, expect_readable

_TABLES_MAX: Final = 64
_HASHED_TOGETHER: Final = 4096
"""Items that are hashed by one call: one for each would take as long as reading them."""
_DIGEST_BYTES: Final = 32


class PartitionContent(NamedTuple):
    """What a store has of a status partition: the numbers of subjects and tokens, and a digest (32 bytes, BLAKE2b) of
    all of them in the order of their keys."""

    subjects: int
    tokens: int
    digest: bytes


class Sizes(NamedTuple):
    """The number of items of an embedded store: subjects and tokens, and of audit entries, blocks of 128 of them,
    reports and request ids together."""

    statuses: int
    others: int


class StoreReader:
    """One embedded store at one moment."""

    def __init__(self, env: Any, txn: Any) -> None:
        self._env, self._txn = env, txn

    @property
    def is_of_a_log(self) -> bool:
        """Whether the store belongs to a log already."""
        return self._txn.get(MEMBERSHIP_KEY, db=self._table("meta")) is not None

    def sizes(self) -> Sizes:
        """Return how much there is to read."""

        def entries(*names: str) -> int:
            return sum(self._txn.stat(self._table(name))["entries"] for name in names)

        return Sizes(entries("statuses", "tokens"), entries("audit", "audit_archive", "reports", "report_requests"))

    def contents(self, advance: Callable[[int], None]) -> list[PartitionContent]:
        """Return the content of each status partition. ``advance`` is called with the number of items read."""
        digests = [hashlib.blake2b(digest_size=_DIGEST_BYTES) for _ in range(STATUS_PARTITIONS)]
        counts = {name: [0] * STATUS_PARTITIONS for name in ("statuses", "tokens")}
        done = 0
        for name, counted in counts.items():
            waiting: list[list[bytes]] = [[] for _ in range(STATUS_PARTITIONS)]
            for key, data in self._txn.cursor(db=self._table(name)):
                # A token is in its subject's partition, which its value begins with.
                partition = partition_of(key if name == "statuses" else data[:SUBJECT_BYTES])
                items = waiting[partition]
                items += (len(key).to_bytes(2), key, len(data).to_bytes(4), data)
                counted[partition] += 1
                done += 1
                if len(items) >= 4 * _HASHED_TOGETHER:
                    digests[partition].update(b"".join(items))
                    items.clear()
                    advance(done)
            for digest, items in zip(digests, waiting, strict=True):
                digest.update(b"".join(items))
        return [
            PartitionContent(subjects, tokens, digest.digest())
            for subjects, tokens, digest in zip(counts["statuses"], counts["tokens"], digests, strict=True)
        ]

    def items(self) -> Iterator[StoredItem]:
        """Yield the highest trust list, the audit record, the reports, and the results of request ids. Raises
        StoreUnavailable where one cannot be read, or breaks the chain of the audit record."""
        if (known := self._txn.get(LIST_KEY, db=self._table("meta"))) is not None:
            yield _read(StoredItem(ItemKind.LIST, b"", known))
        yield from self._entries()
        for kind, name in ((ItemKind.REPORT, "reports"), (ItemKind.REQUEST, "report_requests")):
            for key, data in self._txn.cursor(db=self._table(name)):
                yield _read(StoredItem(kind, key, data))

    def audit_head(self) -> bytes:
        """Return the hash of the last audit entry (32 bytes), zeros where there is none."""
        cursor = self._txn.cursor(db=self._table("audit"))
        return audit.unpack(cursor.value()).hash if cursor.last() else audit.GENESIS

    def _entries(self) -> Iterator[StoredItem]:
        last = None
        for number, data in enumerate(self._entry_bytes(), 1):
            entry = audit.unpack(data)
            if not audit.follows(entry, last):
                raise StoreUnavailable(f"audit entry {number} breaks the hash chain: see 'onecode audit verify'")
            last = entry
            yield StoredItem(ItemKind.ENTRY, layout.number(number), data)

    def _entry_bytes(self) -> Iterator[bytes]:
        for block in self._txn.cursor(db=self._table("audit_archive")).iternext(keys=False):
            yield from unpack_block(block)
        yield from self._txn.cursor(db=self._table("audit")).iternext(keys=False)

    def _table(self, name: str) -> Any:
        return self._env.open_db(name.encode(), txn=self._txn, create=False)


@contextmanager
def opened(store: Path) -> Iterator[StoreReader]:
    """Open the store in a directory, which nobody else has open. Raises StoreUnavailable, also for another layout."""
    if not (store / "data.mdb").is_file():
        raise StoreUnavailable(f"there is no store in {store}")
    expect_whole(store / "data.mdb")
    try:
        with lmdb.open(str(store), max_dbs=_TABLES_MAX, readonly=True, lock=False) as env, env.begin() as txn:
            meta = env.open_db(b"meta", txn=txn, create=False)
            if (found := txn.get(SCHEMA_KEY, db=meta)) != layout.SCHEMA:
                raise StoreUnavailable(
                    f"the store in {store} has another layout ({found!r}): run 'onecode store migrate' first"
                )
            yield StoreReader(env, txn)
    except (lmdb.Error, Malformed) as fault:
        raise StoreUnavailable(f"cannot read the store in {store}: {fault}") from None


def _read(item: StoredItem) -> StoredItem:
    try:
        expect_readable(item)
    except Malformed:
        where = f"{item.kind.name.lower()} {item.key!r}"
        raise StoreUnavailable(f"{where} cannot be read: 'onecode store check' lists all damage") from None
    return item
