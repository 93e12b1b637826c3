"""The embedded store: LMDB, one directory for any number of processes on a machine."""

import logging
import time as wall_time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from onecode_server.model import audit
from onecode_server.model.audit import AuditEntry
from onecode_server.model.exception import RecognitionException
from onecode_server.model.status import Token
from onecode_server.stores import layout
from onecode_server.stores.lmdb_environment import LmdbEnvironment
from onecode_server.stores.protocol import (
    ChangeRecords,
    Changes,
    CopiedRecords,
    CopyRecords,
    DecideException,
    KnownList,
    Merge,
    Publication,
    Records,
    RecordsCopy,
    Snapshot,
    TokenKey,
)

CHANGES_KEPT: Final = 100_000
"""The newest changes, 40 bytes each: what other processes missed while they were busy for some seconds."""
CHANGES_MAX: Final = 20_000
"""Changes that one call returns; whoever missed more does better to forget all that it knows."""
AUDIT_MAX: Final = 1000

SKEW_US: Final = 60_000_000
"""By how much clocks may disagree, where nobody says otherwise."""

_log = logging.getLogger(__name__)
_TABLES: Final = ("statuses", "tokens", "changes", "exceptions", "audit", "meta")
_COPIES: Final = "copies"
"""The subjects that a migration has made: there until it ends."""
_LIST_KEY: Final = b"trust-list"


def _wall_clock() -> int:
    return wall_time.time_ns() // 1000


class LmdbStore:
    """The store on LMDB; see ``protocol.Store`` for what its methods promise."""

    def __init__(self, directory: Path, clock: Callable[[], int] = _wall_clock, skew_us: int = SKEW_US) -> None:
        """Open the store in ``directory``, made if it is missing. Raises StoreUnavailable.

        ``clock`` returns Unix microseconds. A commit more than ``skew_us`` behind the newest stored time is logged.
        """
        self._clock, self._skew_us = clock, skew_us
        self._clock_behind_us = 0
        self._env = LmdbEnvironment(directory, _TABLES, layout.SCHEMA, layout.SCHEMA_BEFORE)
        tables = self._env.tables
        self._statuses, self._tokens, self._changes = tables["statuses"], tables["tokens"], tables["changes"]
        self._exceptions, self._audit, self._meta = tables["exceptions"], tables["audit"], tables["meta"]

    async def statuses(self, subjects: Sequence[bytes]) -> Snapshot:
        """Return the records of each subject, in order, and the newest change that they hold."""

        def read(txn: Any) -> Snapshot:
            found = (txn.get(subject, db=self._statuses) for subject in subjects)
            records = [() if data is None else layout.unpack_records(data) for data in found]
            return Snapshot(self._last(txn, self._changes)[0], records)

        return await self._env.read(read)

    async def tokens(self, keys: Sequence[TokenKey]) -> list[Token | None]:
        """Return what is known of each token, in order."""

        def read(txn: Any) -> list[Token | None]:
            found = (txn.get(layout.token_key(key), db=self._tokens) for key in keys)
            return [None if data is None else layout.unpack_token(data) for data in found]

        return await self._env.read(read)

    async def publish(self, publications: Sequence[Publication], merge: Merge) -> list[bool]:
        """Write in one commit, on disk when this returns."""

        def write(txn: Any) -> list[bool]:
            time = self._commit_time(txn, self._clock())
            taken = [self._publish(txn, item, merge, time) for item in publications]
            changed = (item.subject for item, was in zip(publications, taken, strict=True) if was)
            self._tell(txn, changed, time)
            return taken

        return await self._env.write(write)

    @property
    def clock_behind_us(self) -> int:
        """By how many microseconds the clock was behind the newest stored time at the last commit here; 0 where by no
        more than the skew."""
        return self._clock_behind_us

    async def amend(self, subject: bytes, change: ChangeRecords) -> Records:
        """Write what ``change`` makes of a subject's records, with its audit entry, in one commit; return it."""

        def write(txn: Any) -> Records:
            data = txn.get(subject, db=self._statuses)
            records, event, details = change(() if data is None else layout.unpack_records(data))
            now = self._clock()
            txn.put(subject, layout.pack_records(records), db=self._statuses)
            self._record(txn, now, event, subject.hex(), details)
            self._tell(txn, (subject,), self._commit_time(txn, now))
            return records

        return await self._env.write(write)

    def commits(self) -> int:
        """Return a number that rises with every commit, by whichever process."""
        return self._env.commits()

    async def changes(self, after: int) -> Changes:
        """Return whose records changed after a position, by whichever process."""

        def read(txn: Any) -> Changes:
            position, data = self._last(txn, self._changes)
            steps = self._last(txn, self._audit)[0]
            newest_at = layout.unpack_change(data)[1] if data else 0
            if position - after > CHANGES_MAX:
                return Changes(position, newest_at, [], is_complete=False, steps=steps)
            cursor = txn.cursor(db=self._changes)
            subjects, oldest = [], after + 1
            if position > after and cursor.set_range(layout.number(after + 1)):
                oldest = layout.read_number(cursor.key())
                subjects = [layout.unpack_change(value)[0] for value in cursor.iternext(keys=False)]
            return Changes(position, newest_at, subjects, is_complete=oldest == after + 1, steps=steps)

        return await self._env.read(read)

    async def exceptions(self) -> list[RecognitionException]:
        """Return every exception that was ever reported."""

        return await self._env.read(self._reports)

    async def change_exceptions(self, decide: DecideException) -> RecognitionException:
        """Write the report that ``decide`` makes, with its audit entry, in one commit; return it."""

        def write(txn: Any) -> RecognitionException:
            report, event, time = decide(self._reports(txn))
            txn.put(report.id.encode(), layout.pack_exception(report), db=self._exceptions)
            self._record(txn, time, event, report.id, report._asdict())
            return report

        return await self._env.write(write)

    async def audit(self, after: int) -> list[AuditEntry]:
        """Return the audit entries whose number is higher than ``after``, in order, at most AUDIT_MAX of them."""

        def read(txn: Any) -> list[AuditEntry]:
            cursor = txn.cursor(db=self._audit)
            if not cursor.set_range(layout.number(after + 1)):
                return []
            return [audit.unpack(data) for data in islice(cursor.iternext(keys=False), AUDIT_MAX)]

        return await self._env.read(read)

    async def known_list(self) -> KnownList | None:
        """Return the highest trust list that was ever taken, or None."""
        return await self._env.read(self._known_list)

    async def remember_list(self, candidate: KnownList, time: int) -> KnownList:
        """Keep ``candidate`` if its version is the highest, and return the one that is kept then."""

        def write(txn: Any) -> KnownList:
            known = self._known_list(txn)
            if known is not None and known.version >= candidate.version:
                return known
            txn.put(_LIST_KEY, layout.pack_list(candidate), db=self._meta)
            details = {"version": candidate.version, "sha256": candidate.digest.hex()}
            self._record(txn, time, "trust list taken", str(candidate.version), details)
            return candidate

        return await self._env.write(write)

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

    async def close(self) -> None:
        """Let go of files and threads, after the calls that run have ended."""
        await self._env.close()

    def _copy(self, txn: Any, copy: RecordsCopy) -> bool:
        """Join copied records with those that are there, and tell whether that changed any."""
        data = txn.get(copy.subject, db=self._statuses)
        there = () if data is None else layout.unpack_records(data)
        packed = layout.pack_records(copy.join(there))
        if packed == data:
            return False
        txn.put(copy.subject, packed, db=self._statuses)
        return True

    def _publish(self, txn: Any, item: Publication, merge: Merge, time: int) -> bool:
        data = txn.get(item.subject, db=self._statuses)
        record = item.record._replace(published_at=time)
        merged = merge(() if data is None else layout.unpack_records(data), record)
        if merged is None:
            return False
        txn.put(item.subject, layout.pack_records(merged), db=self._statuses)
        if item.token is not None:
            # From the first record that is kept, until the end of the last word: what is announced ends nothing today.
            own = (
                r.effective_at for r in merged if (r.publisher, r.scope) == (item.record.publisher, item.record.scope)
            )
            token = Token(item.subject, min(own), item.record.expires_at)
            txn.put(layout.token_key(item.token), layout.pack_token(token), db=self._tokens)
        return True

    def _commit_time(self, txn: Any, now: int) -> int:
        """Return the time of the commit that runs: ``now``, or the newest stored time where the clock is behind that.

        The newest stored time is that of the newest change: each commit of records makes one.
        """
        data = self._last(txn, self._changes)[1]
        newest = layout.unpack_change(data)[1] if data else now
        behind = newest - now if newest - now > self._skew_us else 0
        if behind and not self._clock_behind_us:
            _log.error("the clock is behind the newest stored time", extra={"behind_s": round(behind / 1e6, 1)})
        elif self._clock_behind_us and not behind:
            _log.info("the clock is no longer behind the newest stored time")
        self._clock_behind_us = behind
        return max(now, newest)

    def _tell(self, txn: Any, subjects: Iterable[bytes], time: int) -> None:
        """Add to the change feed, and let go of what is older than it keeps. ``time`` is that of the commit."""
        first = last = self._last(txn, self._changes)[0]
        for last, subject in enumerate(subjects, first + 1):
            txn.put(layout.number(last), layout.pack_change(subject, time), db=self._changes, append=True)
        for old in range(max(first - CHANGES_KEPT, 0), last - CHANGES_KEPT + 1):
            txn.delete(layout.number(old), db=self._changes)

    def _record(self, txn: Any, time: int, event: str, subject: str, details: dict[str, Any]) -> None:
        """Add to the audit record, bound to what stands there."""
        data = self._last(txn, self._audit)[1]
        entry = audit.chain(audit.unpack(data) if data else None, time, event, subject, details)
        txn.put(layout.number(entry.number), audit.pack(entry), db=self._audit, append=True)

    def _last(self, txn: Any, db: Any) -> tuple[int, bytes]:
        """Return the highest number of a numbered table and what stands there; 0 and nothing where it is empty."""
        cursor = txn.cursor(db=db)
        return (layout.read_number(cursor.key()), cursor.value()) if cursor.last() else (0, b"")

    def _reports(self, txn: Any) -> list[RecognitionException]:
        return [layout.unpack_exception(data) for _, data in txn.cursor(db=self._exceptions)]

    def _known_list(self, txn: Any) -> KnownList | None:
        data = txn.get(_LIST_KEY, db=self._meta)
        return None if data is None else layout.unpack_list(data)
