"""The audit record over the boundary of its archive: whole, in order, and bound to what stands before it."""

import zlib
from pathlib import Path
from typing import Any

import pytest

from onecode_server.errors import Malformed
from onecode_server.model import audit
from onecode_server.model.audit import AuditEntry
from onecode_server.stores import layout
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.lmdb_audit import AUDIT_MAX, BLOCK_ENTRIES, KEPT_MIN

MANY = KEPT_MIN + 3 * BLOCK_ENTRIES + 5


async def add(store: LmdbStore, count: int) -> None:
    def write(txn: Any) -> None:
        for number in range(count):
            store._record(txn, number, "event", "subject", {"词": "绿\n", "n": number})

    await store._env.write(write)


async def entries_of(store: LmdbStore, after: int = 0) -> list[AuditEntry]:
    found: list[AuditEntry] = []
    while chunk := await store.audit(after + len(found)):
        assert len(chunk) <= AUDIT_MAX
        found += chunk
    return found


async def sizes(store: LmdbStore) -> tuple[int, int]:
    """Return how many entries lie as they were written, and how many blocks are archived."""
    return await store._env.read(
        lambda txn: tuple(txn.stat(table)["entries"] for table in (store._audit, store._audit_archive))
    )


def is_whole(entries: list[AuditEntry]) -> bool:
    return all(audit.follows(entry, last) for last, entry in zip([None, *entries], entries, strict=False))


async def test_the_chain_goes_on_over_the_archive_and_over_a_restart(directory: Path) -> None:
    for count in (MANY, 200):
        store = LmdbStore(directory, lambda: 1000)
        await add(store, count)
        await store.close()
    store = LmdbStore(directory, lambda: 1000)
    entries = await entries_of(store)
    assert [entry.number for entry in entries] == list(range(1, MANY + 201))
    assert is_whole(entries)
    kept, blocks = await sizes(store)
    assert KEPT_MIN <= kept < KEPT_MIN + BLOCK_ENTRIES
    assert kept + blocks * BLOCK_ENTRIES == MANY + 200
    for after in (1, BLOCK_ENTRIES - 1, BLOCK_ENTRIES, blocks * BLOCK_ENTRIES, blocks * BLOCK_ENTRIES + 1, MANY + 199):
        assert await entries_of(store, after) == entries[after:]
    assert await store.audit(MANY + 200) == []
    await store.close()


async def test_a_record_from_before_there_was_an_archive_is_archived_a_block_with_each_entry(store: LmdbStore) -> None:
    store._archive_entries = lambda *_: None  # type: ignore[method-assign]
    await add(store, MANY)
    del store._archive_entries
    assert await sizes(store) == (MANY, 0)
    for number in range(1, 4):
        await add(store, 1)
        assert await sizes(store) == (MANY + number - number * BLOCK_ENTRIES, number)
    await add(store, 1)
    assert await sizes(store) == (MANY + 4 - 3 * BLOCK_ENTRIES, 3)
    assert is_whole(await entries_of(store))


@pytest.mark.parametrize("change", ["drop", "change", "move", "noise", "bomb"])
async def test_a_block_that_is_not_what_was_archived_is_found(store: LmdbStore, change: str) -> None:
    await add(store, MANY)

    def write(txn: Any) -> None:
        first, second = (layout.number(number * BLOCK_ENTRIES) for number in (1, 2))
        archive, block = store._audit_archive, txn.get(layout.number(BLOCK_ENTRIES), db=store._audit_archive)
        if change == "drop":
            txn.delete(first, db=archive)
        elif change == "change":
            txn.put(first, changed(block, b'"n": 7', b'"n": 8'), db=archive)
        elif change == "move":
            txn.put(second, block, db=archive)
        else:
            txn.put(first, b"x" if change == "noise" else zlib.compress(bytes(2**25)), db=archive)

    await store._env.write(write)
    if change in ("noise", "bomb"):
        with pytest.raises(Malformed, match="a block of the audit archive cannot be read"):
            await store.audit(0)
        return
    assert not is_whole(await store.audit(0) + await store.audit(BLOCK_ENTRIES))


def changed(block: bytes, old: bytes, new: bytes) -> bytes:
    """Return a block in which something was changed."""
    entries = zlib.decompress(block)
    assert old in entries
    return zlib.compress(entries.replace(old, new))
