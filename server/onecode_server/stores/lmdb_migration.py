"""The migration of an LMDB store from earlier layouts, in chunks: records are copied to other subjects, and reports are
moved to the tables of the current layout."""

import json
from collections.abc import Callable
from itertools import islice
from typing import Any, Final, NamedTuple

from onecode_server.stores import layout
from onecode_server.stores.lmdb_exceptions import ARCHIVED_AFTER_US, ExceptionTables
from onecode_server.stores.protocol import Records

_COPIES: Final = "copies"
"""The table of subjects that a migration has made, which exists until the migration ends."""
MOVED_KEY: Final = b"\0"
_MOVED: Final = json.dumps("the reports are in other tables: the store has a newer layout").encode()
"""The value of MOVED_KEY, in the table where earlier layouts have reports. A server of an earlier version that still
runs on the store cannot read it as a report: it ends at its next read, and no longer files or acknowledges reports
there."""


class RecordsCopy(NamedTuple):
    """A migration's copy of records to another subject: ``join`` merges the records there with the copied ones.
    ``region`` and ``records`` are for the migration's report: the subject's region, and the number of records."""

    region: str
    subject: bytes
    records: int
    join: Callable[[Records], Records]


CopyRecords = Callable[[bytes, Records], list[RecordsCopy]]
"""Returns the copies of one subject's records to other subjects. Called inside a transaction."""


class CopiedRecords(NamedTuple):
    """A step of a migration: its last subject, its number of subjects, whether it was the last step, and the copies."""

    last: bytes
    subjects: int
    is_last: bool
    copies: list[RecordsCopy]


class MigratingTables(ExceptionTables):
    """Tables that may have an earlier layout, and can be migrated to the current one."""

    @property
    def is_outdated(self) -> bool:
        """Whether the files have an earlier layout, which can be read but not served."""
        return self._env.is_outdated

    @property
    def has_unpublished_records(self) -> bool:
        """Whether the files, when they were opened, had the layout whose binary subjects are to be copied."""
        return self._env.schema_found == layout.UNPUBLISHED_SCHEMA

    async def subject_count(self) -> int:
        """Return the number of subjects that have records."""
        return await self._env.read(lambda txn: int(txn.stat(self._statuses)["entries"]))

    async def copy_records(self, after: bytes, limit: int, copies: CopyRecords) -> CopiedRecords:
        """Copy records to other subjects in one commit: those of up to ``limit`` subjects that follow ``after``.

        Subjects that were copied before are skipped, so that the migration may start again after a crash. Does nothing
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
            self._add_changes(txn, changed, self._commit_time(txn, self._clock()))
            return copied._replace(
                last=chunk[-1][0] if chunk else after, subjects=len(chunk), is_last=len(chunk) < limit
            )

        return await self._env.write(write)

    async def end_migration(self, event: str, details: dict[str, Any]) -> None:
        """Note that the files have the current layout, with an audit entry. Does nothing where that is already so.

        From then on, servers of earlier versions cannot read the reports, which ``move_reports`` moves.
        """

        def write(txn: Any) -> None:
            if self._env.is_marked(txn, layout.SCHEMA):
                return
            txn.drop(made)
            self._env.mark(txn, layout.SCHEMA)
            txn.put(MOVED_KEY, _MOVED, db=self._env.tables["exceptions"])
            self._put_steps(txn, self._record(txn, self._clock(), event, f"layout {layout.SCHEMA.decode()}", details))

        made = self._env.open_table(_COPIES)
        await self._env.write(write)
        self._env.is_outdated = False

    async def move_reports(self, limit: int) -> bool:
        """Move up to ``limit`` reports from the table of the earlier layouts, in one commit, and tell whether none is
        left. May be called by several processes at once, and again after a crash.

        Reports that ended long ago go to the archive, the others get the index entries of live ones.
        """
        if await self._env.read(self._all_are_moved):
            return True
        older = self._env.tables["exceptions"]

        def write(txn: Any) -> bool:
            now = self._clock()
            chunk = list(islice((item for item in txn.cursor(db=older) if item[0] != MOVED_KEY), limit))
            for key, data in chunk:
                report = layout.unpack_exception(data)
                is_live = report.ends_at > now - ARCHIVED_AFTER_US
                self._keep(txn, report, None, is_live=is_live)
                txn.delete(key, db=older)
            return self._all_are_moved(txn)

        return await self._env.write(write)

    def _all_are_moved(self, txn: Any) -> bool:
        cursor = txn.cursor(db=self._env.tables["exceptions"])
        return not cursor.first() or (cursor.key() == MOVED_KEY and not cursor.next())

    def _copy(self, txn: Any, copy: RecordsCopy) -> bool:
        """Join copied records with the existing ones, and tell whether that changed any."""
        data = txn.get(copy.subject, db=self._statuses)
        there = () if data is None else layout.unpack_records(data)
        packed = layout.pack_records(copy.join(there))
        if packed == data:
            return False
        txn.put(copy.subject, packed, db=self._statuses)
        return True
