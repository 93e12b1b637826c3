"""The kernel's tables of keys: built once, kept while their key is in use, in memory within a fixed bound.

A table is 296 KiB of multiples of one key. Where there are more keys than space, the busiest keys have tables. Readers
take the current generation and work with it; a change makes a new generation, and the memory of a table is free once no
reader holds a generation that contains it. So no reader waits, or sees a table change.
"""

import mmap
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Final

from onecode_server.crypto._kernel import ffi, lib

TABLES_MAX: Final = 512
"""Fifteen keys for each of 34 regions, and 148 MiB at the most; memory is taken as tables are built."""
SIGHTINGS: Final = 3
"""The number of checks after which a key gets a table: building one takes as long as twenty checks without it, so that
it pays for a key that comes back."""
COUNTED_MAX: Final = 4096
"""The bound on keys without a table that are counted: far more than have one, and no caller can exceed it."""
FORGET_AFTER: Final = 100_000
"""The number of checks after which counts are halved, so that recent use decides which keys are busiest."""


class Table:
    """The memory of one table, which is free when no reference to it is left. ``address`` is 0 for bytes that are no
    key."""

    __slots__ = ("_free", "_place", "address")

    def __init__(self, address: int, place: int, free: list[int]) -> None:
        self.address = address
        self._place = place
        self._free = free

    def __del__(self) -> None:
        self._free.append(self._place)


class Generation:
    """An unchangeable set of tables by public key: their ``addresses``, 0 for bytes that are no public key, and these
    as ``pointers``."""

    __slots__ = ("addresses", "pointers", "tables")

    def __init__(self, tables: Mapping[bytes, Table | None]) -> None:
        self.tables = dict(tables)
        self.addresses = {key: table.address if table else 0 for key, table in tables.items()}
        self.pointers = {key: ffi.cast("void *", address) for key, address in self.addresses.items()}


class KeyTables:
    """Tables for up to ``tables_max`` keys, and the table of the base point."""

    def __init__(self, tables_max: int = TABLES_MAX) -> None:
        # This reserves address space: the system provides memory page by page as tables are written. Large pages save a
        # few percent of a short batch. Shared memory, which mmap makes where it is not told otherwise, mostly has none.
        base_bytes = lib.ONECODE_BASE_TABLE_BYTES
        reserved = base_bytes + tables_max * lib.ONECODE_KEY_TABLE_BYTES
        self._memory = mmap.mmap(-1, reserved, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with suppress(OSError):  # of a kernel that was built without large pages
                self._memory.madvise(mmap.MADV_HUGEPAGE)
        self.base = ffi.from_buffer(self._memory)
        self._first = int(ffi.cast("uintptr_t", self.base)) + base_bytes
        lib.onecode_make_base_table(self.base)
        self._free = list(range(tables_max))
        self._counts: Counter[bytes] = Counter()
        self._counted = 0
        self._changing = threading.Lock()
        self.current = Generation({})
        self.is_over_capacity = False

    def prepare(self, public_keys: Collection[bytes]) -> None:
        """Hold tables for these keys, as many as fit, and for no others; existing ones are not built again."""
        with self._changing:
            known = self.current.tables
            kept = {key: known[key] for key in public_keys if key in known}
            del known
            self.current = Generation(kept)  # the memory of dropped tables is free once no reader holds them
            for key in public_keys:
                if key not in kept and self._free:
                    kept[key] = self._make(key)
            self.current = Generation(kept)
            self.is_over_capacity = False

    def learn(self, public_keys: Sequence[bytes]) -> Generation:
        """Count these keys, build the tables that pay, and return the current generation.

        Called for batches with a key that has no table, and for every batch while there is no space: then one key a
        call may replace another that was used less than half as often. Never waits: where tables are being built
        already, the next call does this work.
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
                    self.is_over_capacity = True
                    self._evict(tables, key)
                    break
                tables[key] = self._make(key)
            self.current = Generation(tables)
            return self.current
        finally:
            self._changing.release()

    def _evict(self, tables: dict[bytes, Table | None], key: bytes) -> None:
        """Drop the least used table for a busier key, whose own table is built at its next use."""
        idlest = min(tables, key=self._counts.__getitem__, default=None)
        if idlest is not None and self._counts[key] > 2 * self._counts[idlest]:
            del tables[idlest]

    def _count(self, public_keys: Sequence[bytes]) -> None:
        self._counts.update(public_keys)
        self._counted += len(public_keys)
        if self._counted >= FORGET_AFTER or len(self._counts) > COUNTED_MAX:
            halved = ((key, count // 2) for key, count in self._counts.most_common(COUNTED_MAX // 2))
            self._counts = Counter({key: count for key, count in halved if count})
            self._counted = 0

    def _make(self, public_key: bytes) -> Table | None:
        """Return a new table, or None for bytes that are no public key."""
        place = self._free.pop()
        table = Table(self._first + place * lib.ONECODE_KEY_TABLE_BYTES, place, self._free)
        is_key = len(public_key) == 32 and lib.onecode_make_key_table(ffi.cast("void *", table.address), public_key)
        return table if is_key else None
