"""The audit record on LMDB: a table of the newest entries, and an archive of the older ones in packed blocks.

The archive is a table of the same environment, not a separate file: entries move there in the transaction that adds the
next entry, a backup of the store contains all of them, and no part can be lost alone. The chain of hashes continues
across the boundary, since a block holds the unchanged bytes of its entries.
"""

import zlib
from itertools import islice
from typing import Any, Final

from onecode_server.errors import Malformed
from onecode_server.model import audit
from onecode_server.model.audit import AuditEntry
from onecode_server.stores import layout
from onecode_server.stores.lmdb_tables import LmdbTables

AUDIT_MAX: Final = 1000
"""The bound on entries that one call returns."""
KEPT_MIN: Final = 1024
"""The number of newest entries that stay unpacked: people look at them first, and can read them without this
program."""
BLOCK_ENTRIES: Final = 128
"""The number of entries that one step archives, once in as many steps: a millisecond. Packed they take a sixth of their
bytes."""
_BLOCK_BYTES_MAX: Final = 16 * 1024**2
"""More than the unpacked bytes of any block: a reason of 1 KiB takes 6 KiB where each byte of it is escaped."""


class AuditedTables(LmdbTables):
    """Tables with an audit record of their changes."""

    async def audit(self, after: int) -> list[AuditEntry]:
        """Return the audit entries whose number is higher than ``after``, in order, at most AUDIT_MAX of them.

        Raises Malformed where an entry cannot be read.
        """

        def read(txn: Any) -> list[AuditEntry]:
            archive = txn.cursor(db=self._audit_archive)
            if archive.set_range(layout.number(after + 1)):
                # Selected by position, not by the entries' own numbers: a misplaced block is then returned and noticed
                # by the reader.
                block, last = unpack_block(archive.value()), layout.read_number(archive.key())
                return [audit.unpack(data) for data in block[max(after + len(block) - last, 0) :]]
            cursor = txn.cursor(db=self._audit)
            if not cursor.set_range(layout.number(after + 1)):
                return []
            return [audit.unpack(data) for data in islice(cursor.iternext(keys=False), AUDIT_MAX)]

        return await self._env.read(read)

    def _record(self, txn: Any, time: int, event: str, subject: str, details: dict[str, Any]) -> int:
        """Add an entry to the audit record, chained to the last one, and return its number."""
        data = self._last(txn, self._audit)[1]
        entry = audit.chain(audit.unpack(data) if data else None, time, event, subject, details)
        txn.put(layout.number(entry.number), audit.pack(entry), db=self._audit, append=True)
        self._archive_entries(txn, entry.number)
        return entry.number

    def _archive_entries(self, txn: Any, newest: int) -> None:
        """Move the oldest block, where there are more entries than are kept: the work of a step is bounded, also in a
        store without an archive."""
        cursor = txn.cursor(db=self._audit)
        if not cursor.first() or newest - layout.read_number(cursor.key()) + 1 < KEPT_MIN + BLOCK_ENTRIES:
            return
        block = list(islice(cursor.iternext(), BLOCK_ENTRIES))
        txn.put(block[-1][0], _packed([data for _, data in block]), db=self._audit_archive, append=True)
        for key, _ in block:
            txn.delete(key, db=self._audit)


def _packed(entries: list[bytes]) -> bytes:
    return zlib.compress(b"\n".join(entries))  # JSON contains no raw line break


def unpack_block(block: bytes) -> list[bytes]:
    """Return the entries of a block, each as it was written. Raises Malformed where the block cannot be read."""
    unpacker = zlib.decompressobj()
    try:
        entries = unpacker.decompress(block, _BLOCK_BYTES_MAX)
    except zlib.error:
        entries = b""
    if not unpacker.eof:
        raise Malformed("a block of the audit archive cannot be read")
    return entries.split(b"\n")
