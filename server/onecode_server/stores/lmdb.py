"""The embedded store: LMDB, one directory for any number of processes on a machine."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from onecode_server.errors import StoredDamaged
from onecode_server.model.status import Token, token_of
from onecode_server.stores import layout
from onecode_server.stores.lmdb_environment import WRITES_TOGETHER
from onecode_server.stores.lmdb_migration import MigratingTables
from onecode_server.stores.protocol import (
    UNREADABLE,
    ChangeRecords,
    Changes,
    KnownList,
    Merge,
    Publication,
    Records,
    Snapshot,
    Space,
    TokenKey,
    Unreadable,
)

CHANGES_MAX: Final = 20_000
"""The bound on changes that one call returns; a reader that missed more had better drop its whole cache."""

PROBE_BYTES: Final = 256 * 1024
"""The size of a probe's value: more than the pages that one publication frees for the next, so that the file must grow
as for a publication."""

_T = TypeVar("_T")
_Missing = TypeVar("_Missing")
LIST_KEY: Final = b"trust-list"
_PROBE_KEY: Final = b"probe"


class LmdbStore(MigratingTables):
    """The store on LMDB; ``protocol.WritableStore`` documents its methods."""

    async def statuses(self, subjects: Sequence[bytes]) -> Snapshot:
        """Return the records of each subject, in order, and the number of the newest change in them."""

        def read(txn: Any) -> Snapshot:
            found = [txn.get(subject, db=self._statuses) for subject in subjects]
            return Snapshot(self._last(txn, self._changes)[0], _readable(layout.unpack_records, found, ()))

        snapshot = await self._env.read(read, for_check=True, weight=len(subjects))
        self._env.note_damaged(snapshot.records.count(UNREADABLE))
        return snapshot

    async def records(self, subject: bytes) -> Records:
        """Return the records of one subject, for people: reads of checks have a queue of their own and do not wait for
        it."""

        def read(txn: Any) -> Records:
            data = txn.get(subject, db=self._statuses)
            return () if data is None else layout.unpack_records(data)

        return await self._env.read(read)

    async def tokens(self, keys: Sequence[TokenKey]) -> list[Token | Unreadable | None]:
        """Return the stored token of each key, in order."""

        def read(txn: Any) -> list[Token | Unreadable | None]:
            found = [txn.get(layout.token_key(key), db=self._tokens) for key in keys]
            return _readable(layout.unpack_token, found, None)

        tokens = await self._env.read(read, for_check=True, weight=len(keys))
        self._env.note_damaged(tokens.count(UNREADABLE))
        return tokens

    async def publish(self, publications: Sequence[Publication], merge: Merge) -> list[bool]:
        """Write in one commit, on disk when this returns."""

        def write(txn: Any) -> list[bool]:
            time = self._commit_time(txn, self._clock())
            taken = [self._publish(txn, item, merge, time) for item in publications]
            changed = (item.subject for item, was in zip(publications, taken, strict=True) if was)
            self._add_changes(txn, changed, time)
            return taken

        owner = publications[0].record.publisher if publications else ""
        return await self._env.write(write, owner=owner, weight=len(publications))

    async def amend(self, subject: bytes, change: ChangeRecords) -> Records:
        """Write what ``change`` makes of a subject's records, with its audit entry, in one commit; return it."""

        def write(txn: Any) -> Records:
            data = txn.get(subject, db=self._statuses)
            records, event, details = change(() if data is None else layout.unpack_records(data))
            now = self._clock()
            txn.put(subject, layout.pack_records(records), db=self._statuses)
            self._record(txn, now, event, subject.hex(), details)
            self._add_changes(txn, (subject,), self._commit_time(txn, now))
            return records

        return await self._env.write(write)

    async def changes(self, after: int) -> Changes:
        """Return the subjects whose records changed after a position, in any process."""

        return await self._env.read(lambda txn: self._changes_in(txn, after), for_check=True)

    def _changes_in(self, txn: Any, after: int) -> Changes:
        position, data = self._last(txn, self._changes)
        steps = self._acknowledged_steps(txn)
        newest_at = layout.unpack_change(data)[1] if data else 0
        if position - after > CHANGES_MAX:
            return Changes(position, newest_at, [], is_complete=False, steps=steps)
        cursor = txn.cursor(db=self._changes)
        subjects, oldest = [], after + 1
        if position > after and cursor.set_range(layout.number(after + 1)):
            oldest = layout.read_number(cursor.key())
            subjects = [layout.unpack_change(value)[0] for value in cursor.iternext(keys=False)]
        return Changes(position, newest_at, subjects, is_complete=oldest == after + 1, steps=steps)

    async def known_list(self) -> KnownList | None:
        """Return the highest trust list that was ever taken, or None."""
        return await self._env.read(self._known_list)

    async def remember_list(self, candidate: KnownList, time: int) -> KnownList:
        """Keep ``candidate`` if its version is the highest, and return the list that is kept then."""

        def write(txn: Any) -> KnownList:
            known = self._known_list(txn)
            if known is not None and known.version >= candidate.version:
                return known
            self._put_list(txn, candidate, time)
            return candidate

        return await self._env.write(write)

    def space(self) -> Space:
        """Return the room of the store. It blocks for as long as the disk does. Raises OSError."""
        return self._env.space()

    async def probe(self) -> None:
        """Find out whether the store can be written, and note it. Raises StoreUnavailable where it cannot."""
        await self._env.write(
            lambda txn: txn.put(_PROBE_KEY, bytes(PROBE_BYTES), db=self._meta), weight=WRITES_TOGETHER
        )
        await self._env.write(lambda txn: txn.delete(_PROBE_KEY, db=self._meta))
        self._env.writes.succeeded()

    async def close(self) -> None:
        """Close files and end threads, after the running calls have ended."""
        await self._env.close()

    def close_here(self) -> None:
        """Close files and end threads, where there is no event loop."""
        self._env.close_here()

    def _publish(self, txn: Any, item: Publication, merge: Merge, time: int) -> bool:
        data = txn.get(item.subject, db=self._statuses)
        known = () if data is None else layout.unpack_records(data)
        merged = merge(known, item.record._replace(published_at=time))
        if merged is None:
            return False
        is_new = merged is not known
        if is_new:
            txn.put(item.subject, layout.pack_records(merged), db=self._statuses)
        if item.token is not None and (is_new or txn.get(layout.token_key(item.token), db=self._tokens) is None):
            token = token_of(item.subject, item.record, merged)
            txn.put(layout.token_key(item.token), layout.pack_token(token), db=self._tokens)
        return is_new

    def _put_list(self, txn: Any, candidate: KnownList, time: int) -> None:
        txn.put(LIST_KEY, layout.pack_list(candidate), db=self._meta)
        details = {"version": candidate.version, "sha256": candidate.digest.hex()}
        self._record(txn, time, "trust list taken", str(candidate.version), details)

    def _known_list(self, txn: Any) -> KnownList | None:
        data = txn.get(LIST_KEY, db=self._meta)
        return None if data is None else layout.unpack_list(data)


def _readable(
    read: Callable[[bytes], _T], found: Sequence[bytes | None], missing: _Missing
) -> list[_T | _Missing | Unreadable]:
    """Return the value of each item, or UNREADABLE for a damaged one, which does not affect the others."""
    try:
        return [missing if data is None else read(data) for data in found]
    except StoredDamaged:
        return [missing if data is None else _read_or_unreadable(read, data) for data in found]


def _read_or_unreadable(read: Callable[[bytes], _T], data: bytes) -> _T | Unreadable:
    try:
        return read(data)
    except StoredDamaged:
        return UNREADABLE
