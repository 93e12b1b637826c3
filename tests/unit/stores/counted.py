"""What a step costs, in LMDB's own terms: each entry that it reads, writes or deletes, whatever the clock says."""

from collections import Counter
from typing import Any

from onecode_server.stores.lmdb import LmdbStore


class _CountedCursor:
    def __init__(self, cursor: Any, counts: Counter[str]) -> None:
        self._cursor = cursor
        self._counts = counts

    def __getattr__(self, name: str) -> Any:
        moved = getattr(self._cursor, name)
        if name in ("first", "last", "next", "prev", "set_range"):
            self._counts["read"] += 1
        return moved

    def __iter__(self) -> Any:
        return self.iternext()

    def iternext(self, *, keys: bool = True, values: bool = True) -> Any:
        for item in self._cursor.iternext(keys=keys, values=values):
            self._counts["read"] += 1
            yield item


class _CountedTransaction:
    def __init__(self, txn: Any, counts: Counter[str]) -> None:
        self._txn = txn
        self._counts = counts

    def get(self, *asked: Any, **more: Any) -> Any:
        self._counts["read"] += 1
        return self._txn.get(*asked, **more)

    def put(self, *asked: Any, **more: Any) -> Any:
        self._counts["written"] += 1
        return self._txn.put(*asked, **more)

    def delete(self, *asked: Any, **more: Any) -> Any:
        self._counts["deleted"] += 1
        return self._txn.delete(*asked, **more)

    def cursor(self, *asked: Any, **more: Any) -> Any:
        return _CountedCursor(self._txn.cursor(*asked, **more), self._counts)


def count_entries(store: LmdbStore, monkeypatch: Any) -> Counter[str]:
    """Return what the store's transactions read, write and delete from now on; and how many there are that write."""
    counts: Counter[str] = Counter()
    read, write = store._env.read, store._env.write

    async def counted_read(work: Any, **how: Any) -> Any:
        return await read(lambda txn: work(_CountedTransaction(txn, counts)), **how)

    async def counted_write(work: Any, **how: Any) -> Any:
        counts["commits"] += 1
        return await write(lambda txn: work(_CountedTransaction(txn, counts)), **how)

    monkeypatch.setattr(store._env, "read", counted_read)
    monkeypatch.setattr(store._env, "write", counted_write)
    return counts
