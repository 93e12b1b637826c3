"""An LMDB environment, used from an event loop: opened with care, read and written on threads of its own.

Neither a page fault nor another process's commit ever holds up the loop. Commits are on disk when they return (LMDB's
default, synchronous mode).
"""

import asyncio
import fcntl
import os
import resource
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import lmdb

from onecode_server.errors import StoreUnavailable

MAP_BYTES_MAX: Final = 64 * 1024**3
"""Address space, not disk: the file grows as it is written. A billion subjects fit, two thirds of the country."""
READERS_MAX: Final = 512
"""Reader slots for all processes together: two for each of some hundred workers and commands, with room to spare."""
READ_TIMEOUT_S: Final = 1.0
"""A scanner waits a second at most for the store: then the answer is given without it, and says so."""
WRITE_TIMEOUT_S: Final = 30.0
"""Commits wait for each other and for the disk; a chunk takes milliseconds unless the disk is dying."""
WAITING_MAX: Final = 256
"""Calls that wait for a thread. Beyond that the store is not answering, and more waiting does not help."""
FAULTS_MAX: Final = 384
"""Page faults of the writer before the map is laid anew. Each makes up to 64 KiB of the file resident (Linux's
fault-around): 24 MiB, and 62 more where one commit's 1,000 records lie scattered over a store of any size."""

_THREAD: Final = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)  # the whole process, where threads have none
_SCHEMA_KEY: Final = b"schema"
_T = TypeVar("_T")


class LmdbEnvironment:
    """One directory with named tables. ``tables`` maps their names to handles; transactions are LMDB's own."""

    def __init__(self, directory: Path, names: Sequence[str], schema: bytes, before: Sequence[bytes] = ()) -> None:
        """Open the environment in ``directory``, made if it is missing. Raises StoreUnavailable.

        ``schema`` names the layout: another one's files are not touched, but for those of the layouts ``before``, which
        stay as they are until they are migrated. Reader slots that a killed process left behind are taken back.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._env = lmdb.open(
                str(directory), map_size=MAP_BYTES_MAX, max_dbs=len(names) + 1, max_readers=READERS_MAX, mode=0o600
            )
            self._env.reader_check()
            self._mapping, self._laying = threading.Lock(), threading.Lock()
            self._faults = 0
            self.tables: dict[str, Any] = {name: self._env.open_db(name.encode()) for name in names}
            with self._env.begin(db=self.tables["meta"], write=True) as txn:
                found = txn.get(_SCHEMA_KEY)
                if found is None:
                    txn.put(_SCHEMA_KEY, schema)
            self._file = directory / "data.mdb"
            self._identity = _identity(self._file)
        except (lmdb.Error, OSError) as fault:
            raise StoreUnavailable(f"cannot open the store in {directory}: {fault}") from None
        self.schema_found = schema if found is None else bytes(found)
        self.is_outdated = self.schema_found in before
        if self.schema_found != schema and not self.is_outdated:
            self._env.close()
            raise StoreUnavailable(f"the store in {directory} has another layout ({found!r}, not {schema!r})")
        self._reader = ThreadPoolExecutor(1, "store-read")
        self._writer = ThreadPoolExecutor(1, "store-write")
        self._waiting = 0
        try:
            # A call that comes when no thread can be started stays in its executor's queue, which has no bound.
            for executor in (self._reader, self._writer):
                executor.submit(int)
        except RuntimeError as fault:
            self._env.close()
            raise StoreUnavailable(f"cannot open the store in {directory}: {fault}") from None

    def open_table(self, name: str) -> Any:
        """Return a table beside the named ones, made if it is missing. One at a time."""
        return self._env.open_db(name.encode())

    def is_marked(self, txn: Any, schema: bytes) -> bool:
        """Tell whether the files have the layout ``schema`` by now, whichever process migrated them."""
        return bool(txn.get(_SCHEMA_KEY, db=self.tables["meta"]) == schema)

    def mark(self, txn: Any, schema: bytes) -> None:
        """Note in a transaction that the files have the layout ``schema`` from now on."""
        txn.put(_SCHEMA_KEY, schema, db=self.tables["meta"])

    def commits(self) -> int:
        """Return the number of the last commit, by whichever process: it stands in the map. 0 once all is closed."""
        try:
            with self._laying:
                return int(self._env.info()["last_txnid"])
        except lmdb.Error:
            return 0

    async def read(self, work: Callable[[Any], _T]) -> _T:
        """Return what ``work`` makes of a read transaction. Raises StoreUnavailable."""

        def run() -> _T:
            self._check_identity()
            with self._mapping, self._env.begin() as txn:
                return work(txn)

        return await self._on(self._reader, run, READ_TIMEOUT_S)

    async def write(self, work: Callable[[Any], _T]) -> _T:
        """Return what ``work`` makes of a write transaction, once it is on disk; what it raises undoes it."""

        def run() -> _T:
            self._check_identity()
            with self._env.begin(write=True) as txn:
                done = work(txn)
            self._let_go_of_pages()
            return done

        return await self._on(self._writer, run, WRITE_TIMEOUT_S)

    async def close(self) -> None:
        """Let go of files and threads, after the calls that run have ended."""
        for executor in (self._reader, self._writer):
            executor.shutdown(wait=True, cancel_futures=True)
        self._env.close()

    async def _on(self, executor: ThreadPoolExecutor, run: Callable[[], _T], timeout_s: float) -> _T:
        if self._waiting >= WAITING_MAX:
            raise StoreUnavailable("too many calls wait for the store")
        try:
            # A thread cannot be stopped: the call is left to itself, and counts as waiting until it ends.
            future = asyncio.get_running_loop().run_in_executor(executor, run)
            self._waiting += 1  # not before: where no thread can be had, nothing waits
            future.add_done_callback(self._ended)
            return await asyncio.wait_for(asyncio.shield(future), timeout_s)
        except TimeoutError:
            raise StoreUnavailable(f"the store did not answer within {timeout_s:g} s") from None
        except asyncio.CancelledError:
            if not future.cancelled():  # the caller was, not the call
                raise
            raise StoreUnavailable("the store was closed") from None
        except (lmdb.Error, OSError, RuntimeError, MemoryError) as fault:
            raise StoreUnavailable(f"the store failed: {fault}") from None

    def _ended(self, future: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # asked for, so that a call nobody waits for any more is not logged as lost

    def _let_go_of_pages(self) -> None:
        # What is mapped counts as the process's memory, and writing all over a store maps all of it. LMDB lays the map
        # anew where its size is set, even to what it is, and then nothing is resident; what is needed is a page fault
        # away, in the kernel's cache. No transaction may run meanwhile: the writer is here, the reader waits.
        faults = _page_faults()
        if faults - self._faults >= FAULTS_MAX:
            with self._mapping, self._laying:
                self._env.set_mapsize(MAP_BYTES_MAX)
            self._faults = faults

    def _check_identity(self) -> None:
        # An open map outlives its file: without this, a moved or replaced data directory would be read for ever.
        if _identity(self._file) != self._identity:
            raise StoreUnavailable("the store's file is not the one that was opened")


def is_open_elsewhere(directory: Path) -> bool:
    """Tell whether another process has the environment in ``directory`` open. Not to be asked while this one has.

    LMDB holds a shared lock on the first byte of its lock file for as long as a process has an environment open.
    """
    try:
        with (directory / "lock.mdb").open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _identity(file: Path) -> tuple[int, int]:
    try:
        status = os.stat(file)
    except OSError as fault:
        raise StoreUnavailable(f"the store's file is gone: {fault.strerror}") from None
    return status.st_dev, status.st_ino


def _page_faults() -> int:
    """Return how many page faults this thread has had."""
    used = resource.getrusage(_THREAD)
    return used.ru_minflt + used.ru_majflt
