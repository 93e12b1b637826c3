"""The kernel's tables of keys: made once, kept while their key is of use, in memory that never grows past a bound.

A table is 296 KiB of multiples of one key. Where there are more keys than room, the busiest have it. Readers take the
generation of the moment and work with it; a change makes the next one, and a table's memory is free again once nobody
reads the last generation that had it. So no reader ever waits, or sees a table change.
"""

import mmap
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from onecode_server.crypto._kernel import ffi, lib

TABLES_MAX: Final = 512
"""Fifteen keys for each of 34 regions, and 148 MiB at the most; memory is taken as tables are made."""
SIGHTINGS: Final = 3
"""A table takes as long to make as twenty checks without one: a key that comes back is worth it."""
COUNTED_MAX: Final = 4096
"""Keys without a table that are counted: far more than have one, and no caller can make it more."""
FORGET_AFTER: Final = 100_000
"""Checks after which counts are halved, so that the busiest are those of today."""

_PAGE_BYTES: Final = 2 * 1024 * 1024


class Table:
    """One table's place in memory; free again when nothing refers to it. ``address`` is 0 for a key that is none."""

    __slots__ = ("_free", "_place", "address")

    def __init__(self, address: int, place: int, free: list[int]) -> None:
        self.address = address
        self._place = place
        self._free = free

    def __del__(self) -> None:
        self._free.append(self._place)


class Generation:
    """The tables of a moment: ``addresses`` by public key, 0 for what is no public key. Never changed once made."""

    __slots__ = ("addresses", "tables")

    def __init__(self, tables: Mapping[bytes, Table | None]) -> None:
        self.tables = dict(tables)
        self.addresses = {key: table.address if table else 0 for key, table in tables.items()}


class KeyTables:
    """Tables for up to ``tables_max`` keys, and the base point's."""

    def __init__(self, tables_max: int = TABLES_MAX) -> None:
        # Address space: the system gives memory page by page as tables are written. Large pages save a few percent.
        base_bytes = lib.ONECODE_BASE_TABLE_BYTES
        self._memory = mmap.mmap(-1, base_bytes + tables_max * lib.ONECODE_KEY_TABLE_BYTES)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            self._memory.madvise(mmap.MADV_HUGEPAGE)
        self.base = ffi.from_buffer(self._memory)
        self._first = int(ffi.cast("uintptr_t", self.base)) + base_bytes
        lib.onecode_make_base_table(self.base)
        self._free = list(range(tables_max))
        self._counts: Counter[bytes] = Counter()
        self._counted = 0
        self._changing = threading.Lock()
        self.current = Generation({})
        self.is_crowded = False

    def prepare(self, public_keys: Collection[bytes]) -> None:
        """Hold tables for these keys, as many as there is room for, and for no others; none is made again."""
        with self._changing:
            known = self.current.tables
            kept = {key: known[key] for key in public_keys if key in known}
            del known
            self.current = Generation(kept)  # what is not kept is free from here on, unless it is being read
            for key in public_keys:
                if key not in kept and self._free:
                    kept[key] = self._make(key)
            self.current = Generation(kept)
            self.is_crowded = False

    def learn(self, public_keys: Sequence[bytes]) -> Generation:
        """Count what was asked for, make the tables that pay, and return the generation of the moment.

        Called for batches with a key that has no table, and for every batch while there is no room: then one key a
        call may take the place of another that was asked for less than half as often. Never waits: what cannot be
        learned while tables are being made is learned the next time.
        """
        if not self._changing.acquire(blocking=False):
            return self.current
        try:
            self._count(public_keys)
            tables = dict(self.current.tables)
            missing = {key for key in public_keys if key not in tables and self._counts[key] >= SIGHTINGS}
            busiest_first = sorted(missing, key=self._counts.__getitem__, reverse=True)
            for key in busiest_first:
                if not self._free:
                    self.is_crowded = True
                    self._make_room(tables, key)
                    break
                tables[key] = self._make(key)
            self.current = Generation(tables)
            return self.current
        finally:
            self._changing.release()

    def _make_room(self, tables: dict[bytes, Table | None], newcomer: bytes) -> None:
        """Let the idlest table go for a key that is busier; that one has its table the next time it is asked for."""
        idlest = min(tables, key=self._counts.__getitem__, default=None)
        if idlest is not None and self._counts[newcomer] > 2 * self._counts[idlest]:
            del tables[idlest]

    def _count(self, public_keys: Sequence[bytes]) -> None:
        self._counts.update(public_keys)
        self._counted += len(public_keys)
        if self._counted >= FORGET_AFTER or len(self._counts) > COUNTED_MAX:
            halved = ((key, count // 2) for key, count in self._counts.most_common(COUNTED_MAX // 2))
            self._counts = Counter({key: count for key, count in halved if count})
            self._counted = 0

    def _make(self, public_key: bytes) -> Table | None:
        """Return a new table, or None for what is no public key."""
        place = self._free.pop()
        table = Table(self._first + place * lib.ONECODE_KEY_TABLE_BYTES, place, self._free)
        is_key = len(public_key) == 32 and lib.onecode_make_key_table(ffi.cast("void *", table.address), public_key)
        return table if is_key else None
