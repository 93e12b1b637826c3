"""An LMDB environment for an event loop: files are checked before use, reads and writes run on threads.

Neither a page fault nor another process's commit delays the loop. Commits are on disk when they return (LMDB's default,
synchronous mode).
"""

import logging
import resource
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import lmdb

from onecode_server.errors import StoreBusy, StoredDamaged, StoreUnavailable
from onecode_server.stores.lane import Lane, Outcome, Work
from onecode_server.stores.lmdb_files import SCHEMA_KEY, LmdbFiles
from onecode_server.stores.protocol import Space
from onecode_server.stores.transactions import read_together, write_together
from onecode_server.stores.write_state import WriteState

READ_TIMEOUT_S: Final = 1.0
"""A scanner waits for the store for a second at most; after that the answer is given without it, and says so."""
WRITE_TIMEOUT_S: Final = 30.0
"""Commits wait for each other and for the disk; a chunk takes milliseconds unless the disk is dying."""
CHECK_READS_MAX: Final = 131_072
"""The bound on subjects and tokens that checks wait for: 10 MB. A caller has one look-up at a time, for at most a slice
of codes, and a process admits 16,384 codes by default: this bound never changes a verdict."""
CHECK_READS_TOGETHER: Final = 512
"""Subjects that are read together: about a millisecond, which bounds the wait of the first."""
READS_MAX: Final = 256
"""The bound on other waiting reads: lists, the audit record, a subject's records for people."""
WRITES_MAX: Final = 50_000
"""The bound on records that wait to be written: some 25 MB, and about two seconds of work."""
WRITES_TOGETHER: Final = 1000
"""Records to a commit: some milliseconds for the disk. 400 publishers of one record each share a commit."""
FAULTS_MAX: Final = 384
"""The page faults of the writer after which the file is mapped anew. Each makes up to 64 KiB of the file resident
(Linux's fault-around): 24 MiB, and 62 more where one commit's 1,000 records lie scattered over a store of any size."""

LOG_AGAIN_S: Final = 60.0

_log = logging.getLogger(__name__)
_THREAD: Final = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)  # the whole process, where threads have none
_T = TypeVar("_T")


class LmdbEnvironment:
    """One directory with named tables. ``tables`` maps their names to handles; transactions are LMDB's own."""

    def __init__(
        self,
        directory: Path,
        names: Sequence[str],
        schema: bytes,
        before: Sequence[bytes] = (),
        failed: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Open the environment in ``directory``, made if it is missing. Raises StoreUnavailable.

        ``schema`` names the layout. Files of the layouts in ``before`` are opened, and stay unchanged until they are
        migrated; files of any other layout are refused. Reader slots of killed processes are freed. ``failed`` is
        called for each call that fails, with ``check_read``, ``read`` or ``write``, and with ``damaged`` where an item
        could not be read.
        """
        self._checking, self._reading = threading.Lock(), threading.Lock()
        self._faults = 0
        self.writes = WriteState()
        self.is_applied_from_log = False
        self._failed, self._log_again_s = failed, 0.0
        try:
            with ExitStack() as opened:
                self._files = LmdbFiles(directory, names, schema)
                opened.callback(self._files.close)
                self.commits: Final = self._files.commits  # each call of a server asks: without two functions between
                """Returns the number of the last commit of any process that readers see: ``LmdbFiles.commits``."""
                self.tables, self.schema_found = self._files.tables, self._files.schema
                self.is_outdated = self.schema_found in before
                if self.schema_found != schema and not self.is_outdated:
                    found = self.schema_found
                    raise StoreUnavailable(f"the store in {directory} has another layout ({found!r}, not {schema!r})")
                self._checks = Lane("store-check-read", self._read_for_checks, CHECK_READS_MAX, CHECK_READS_TOGETHER)
                self._reads = Lane("store-read", self._read, READS_MAX, 1)
                self._changes = Lane("store-write", self._write, WRITES_MAX, WRITES_TOGETHER)
                opened.pop_all()
        except (lmdb.Error, OSError, RuntimeError) as fault:  # threads that did start end with the process
            raise StoreUnavailable(f"cannot open the store in {directory}: {fault}") from None

    def open_table(self, name: str) -> Any:
        """Return a table in addition to the named ones, made if it is missing. One at a time."""
        return self._files.env.open_db(name.encode())

    def is_marked(self, txn: Any, schema: bytes) -> bool:
        """Tell whether the files have the layout ``schema`` by now, even if another process migrated them."""
        return bool(txn.get(SCHEMA_KEY, db=self.tables["meta"]) == schema)

    def mark(self, txn: Any, schema: bytes) -> None:
        """Note in a transaction that the files have the layout ``schema`` from now on."""
        txn.put(SCHEMA_KEY, schema, db=self.tables["meta"])

    def space(self) -> Space:
        """Return the room of the store, as ``protocol.Store.space`` does. Raises OSError also after ``close``."""
        return self._files.space()

    async def read(self, work: Callable[[Any], _T], *, for_check: bool = False, weight: int = 1) -> _T:
        """Return what ``work`` makes of a read transaction. Raises StoreUnavailable.

        Reads of checks (``for_check``) have a thread and a queue of their own; ``weight`` is the number of items to
        read.
        """
        lane = self._checks if for_check else self._reads
        return await self._on(lane, "check_read" if for_check else "read", work, READ_TIMEOUT_S, weight=weight)

    async def write(self, work: Callable[[Any], _T], *, owner: str = "", weight: int = 1) -> _T:
        """Return what ``work`` makes of a write transaction, once it is on disk. An exception of ``work`` undoes its
        own changes alone. Raises StoreUnavailable.

        Writes take turns by ``owner``; those of little ``weight`` (records) share a commit. A store whose changes come
        from a log is never written in this way: other machines would not have the change.
        """
        if self.is_applied_from_log:
            raise StoreUnavailable("the store belongs to a log: what is not in the log is not written")
        return await self._on(self._changes, "write", work, WRITE_TIMEOUT_S, owner, weight)

    def write_here(self, work: Callable[[Any], _T]) -> _T:
        """Return what ``work`` makes of a write transaction, once it is on disk, on the caller's own thread, which
        waits. For the one process that applies a log. Raises StoreUnavailable."""
        try:
            return cast("_T", self._write([work])[0].value)
        except (lmdb.Error, OSError, MemoryError) as fault:
            self._failed("write")
            raise StoreUnavailable(f"the store failed: {fault}") from None

    def read_here(self, work: Callable[[Any], _T]) -> _T:
        """Return what ``work`` makes of a read transaction, on the caller's own thread. For a start. Raises
        StoreUnavailable."""
        try:
            with self._files.env.begin() as txn:
                return work(txn)
        except (lmdb.Error, OSError, MemoryError) as fault:
            raise StoreUnavailable(f"the store failed: {fault}") from None

    def note_damaged(self, count: int) -> None:
        """Count damaged items, and log them once a minute."""
        if not count:
            return
        for _ in range(count):
            self._failed("damaged")
        if time.monotonic() >= self._log_again_s:
            self._log_again_s = time.monotonic() + LOG_AGAIN_S
            _log.error("stored data cannot be read: 'onecode store check' lists all damage")

    async def close(self) -> None:
        """Close files and end threads, after the running calls have ended."""
        self.close_here()

    def close_here(self) -> None:
        """Do what ``close`` does, where there is no event loop."""
        have_ended = [lane.close() for lane in (self._checks, self._reads, self._changes)]
        if all(have_ended):  # else a thread still waits for a hanging disk, and its files are closed with the process
            self._files.close()

    async def _on(
        self, lane: Lane, operation: str, work: Callable[[Any], _T], timeout_s: float, owner: str = "", weight: int = 1
    ) -> _T:
        try:
            return await lane.call(work, timeout_s, owner, weight)
        except StoreBusy:  # which depends on the number of callers, and is no fault of the store
            raise
        except StoredDamaged:
            self.note_damaged(1)
            raise
        except StoreUnavailable:
            self._failed(operation)
            raise
        except TimeoutError as fault:
            self._failed(operation)
            why = f"the store did not answer within {timeout_s:g} s"
            if lane is self._changes:
                self.writes.failed(type(fault)(why))
            raise StoreUnavailable(why) from None
        except (lmdb.Error, OSError, RuntimeError, MemoryError) as fault:
            self._failed(operation)
            raise StoreUnavailable(f"the store failed: {fault}") from None

    def _read_for_checks(self, works: Sequence[Work]) -> list[Outcome]:
        with self._checking:
            self._files.check()
            return read_together(self._files.env, works)

    def _read(self, works: Sequence[Work]) -> list[Outcome]:
        with self._reading:
            self._files.check()
            return read_together(self._files.env, works)

    def _write(self, works: Sequence[Work]) -> list[Outcome]:
        try:
            self._files.check()
            outcomes = write_together(self._files.env, works, self.writes.failed)
        except (lmdb.Error, OSError, MemoryError, StoreUnavailable) as fault:
            if not isinstance(fault, StoredDamaged):
                self.writes.failed(fault)
            raise
        self._let_go_of_pages()
        return outcomes

    def _let_go_of_pages(self) -> None:
        # Mapped pages count as the process's memory, and writes all over a store map all of it. This is the writer's
        # thread, and readers are locked out meanwhile.
        faults = _page_faults()
        if faults - self._faults >= FAULTS_MAX:
            # The lock of the slow reads is taken first, so that no check waits for those meanwhile.
            with self._reading, self._checking:
                self._files.map_anew()
            self._faults = faults


def _page_faults() -> int:
    """Return the number of page faults of this thread."""
    used = resource.getrusage(_THREAD)
    return used.ru_minflt + used.ru_majflt
