"""The migration of an LMDB store from the layout before: records are copied under other subjects, in chunks."""

from itertools import islice
from typing import Any, Final

from onecode_server.stores import layout
from onecode_server.stores.lmdb_tables import LmdbTables
from onecode_server.stores.protocol import CopiedRecords, CopyRecords, RecordsCopy

_COPIES: Final = "copies"
"""The subjects that a migration has made: there until it ends."""


class MigratingTables(LmdbTables):
    """Tables that may have the layout before, and can be brought to that of today."""

    @property
    def is_outdated(self) -> bool:
        """Whether the files have the layout of before, which is read and not to be served from."""
        return self._env.is_outdated

    async def subject_count(self) -> int:
        """Return how many subjects have records."""
        return await self._env.read(lambda txn: int(txn.stat(self._statuses)["entries"]))

    async def copy_records(self, after: bytes, limit: int, copies: CopyRecords) -> CopiedRecords:
        """Copy records under other subjects in one commit: those of up to ``limit`` subjects that follow ``after``.

        What was copied before is passed by, so that it may be done again from the start after a crash. Does nothing
        where another process has ended the migration.
        """
        made = self._env.open_table(_COPIES)

        def write(txn: Any) -> CopiedRecords:
            copied = CopiedRecords(after, 0, is_last=True, copies=[])
            if self._env.is_marked(txn, layout.SCHEMA):
                return copied
            cursor = txn.cursor(db=self._statuses)
            found = cursor.set_range(after) and (item for item in cursor if item[0] != after)
            chunk = list(islice(found or (), limit))
            changed = []
            for subject, data in chunk:
                if txn.get(subject, db=made) is not None:
                    continue
                for copy in copies(subject, layout.unpack_records(data)):
                    copied.copies.append(copy)
                    txn.put(copy.subject, b"", db=made)
                    if self._copy(txn, copy):
                        changed.append(copy.subject)
            self._tell(txn, changed, self._commit_time(txn, self._clock()))
            return copied._replace(
                last=chunk[-1][0] if chunk else after, subjects=len(chunk), is_last=len(chunk) < limit
            )

        return await self._env.write(write)

    async def end_migration(self, event: str, details: dict[str, Any]) -> None:
        """Note that the files have the layout of today, with an audit entry. Harmless where that is so."""

        def write(txn: Any) -> None:
            if self._env.is_marked(txn, layout.SCHEMA):
                return
            txn.drop(made)
            self._env.mark(txn, layout.SCHEMA)
            self._record(txn, self._clock(), event, f"layout {layout.SCHEMA.decode()}", details)

        made = self._env.open_table(_COPIES)
        await self._env.write(write)
        self._env.is_outdated = False

    def _copy(self, txn: Any, copy: RecordsCopy) -> bool:
        """Join copied records with those that are there, and tell whether that changed any."""
        data = txn.get(copy.subject, db=self._statuses)
        there = () if data is None else layout.unpack_records(data)
        packed = layout.pack_records(copy.join(there))
        if packed == data:
            return False
        txn.put(copy.subject, packed, db=self._statuses)
        return True
