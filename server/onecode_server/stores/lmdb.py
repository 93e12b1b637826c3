"""The embedded store: LMDB, one directory for any number of processes on a machine.

Reads and writes run on two threads of the store's own, so that neither a page fault nor another process's commit ever
holds up the event loop. Commits are on disk when they return (LMDB's default, synchronous mode).
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import lmdb

from onecode_server.errors import StoreUnavailable
from onecode_server.model.exception import RecognitionException
from onecode_server.model.status import Token
from onecode_server.stores import layout
from onecode_server.stores.protocol import KnownList, Merge, Publication, Records, TokenKey

MAP_BYTES_MAX: Final = 64 * 1024**3
"""Address space, not disk: the file grows as it is written. 500 million subjects fit, a third of the country."""
READERS_MAX: Final = 512
"""Reader slots for all processes together: two for each of some hundred workers and commands, with room to spare."""
READ_TIMEOUT_S: Final = 1.0
"""A scanner waits a second at most for the store: then the answer is given without it, and says so."""
WRITE_TIMEOUT_S: Final = 30.0
"""Commits wait for each other and for the disk; a chunk takes milliseconds unless the disk is dying."""
WAITING_MAX: Final = 256
"""Calls that wait for a thread. Beyond that the store is not answering, and more waiting does not help."""

_SCHEMA_KEY, _LIST_KEY = b"schema", b"trust-list"
_T = TypeVar("_T")


class LmdbStore:
    """The store on LMDB; see ``protocol.Store`` for what its methods promise."""

    def __init__(self, directory: Path) -> None:
        """Open the store in ``directory``, made if it is missing. Raises StoreUnavailable.

        Reader slots that a killed process left behind are taken back.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._env = lmdb.open(
                str(directory), map_size=MAP_BYTES_MAX, max_dbs=4, max_readers=READERS_MAX, mode=0o600
            )
            self._env.reader_check()
            self._statuses, self._tokens, self._exceptions, self._meta = (
                self._env.open_db(name) for name in (b"statuses", b"tokens", b"exceptions", b"meta")
            )
            with self._env.begin(db=self._meta, write=True) as txn:
                schema = txn.get(_SCHEMA_KEY)
                if schema is None:
                    txn.put(_SCHEMA_KEY, layout.SCHEMA)
            self._file = directory / "data.mdb"
            self._identity = _identity(self._file)
        except (lmdb.Error, OSError) as fault:
            raise StoreUnavailable(f"cannot open the store in {directory}: {fault}") from None
        if schema not in (None, layout.SCHEMA):
            self._env.close()
            raise StoreUnavailable(f"the store in {directory} has another layout ({schema!r}, not {layout.SCHEMA!r})")
        self._reader = ThreadPoolExecutor(1, "store-read")
        self._writer = ThreadPoolExecutor(1, "store-write")
        self._waiting = 0

    async def statuses(self, subjects: Sequence[bytes]) -> list[Records]:
        """Return the records of each subject, in order."""

        def read(txn: Any) -> list[Records]:
            found = (txn.get(subject, db=self._statuses) for subject in subjects)
            return [() if data is None else layout.unpack_records(data) for data in found]

        return await self._read(read)

    async def tokens(self, keys: Sequence[TokenKey]) -> list[Token | None]:
        """Return what is known of each token, in order."""

        def read(txn: Any) -> list[Token | None]:
            found = (txn.get(layout.token_key(key), db=self._tokens) for key in keys)
            return [None if data is None else layout.unpack_token(data) for data in found]

        return await self._read(read)

    async def publish(self, publications: Sequence[Publication], merge: Merge) -> list[bool]:
        """Write in one commit, on disk when this returns."""
        return await self._write(lambda txn: [self._publish(txn, item, merge) for item in publications])

    async def exceptions(self) -> list[RecognitionException]:
        """Return every exception that was ever reported."""

        def read(txn: Any) -> list[RecognitionException]:
            return [layout.unpack_exception(data) for _, data in txn.cursor(db=self._exceptions)]

        return await self._read(read)

    async def put_exception(self, exception: RecognitionException) -> None:
        """Write an exception, in place of the one with the same id."""
        key, data = exception.id.encode(), layout.pack_exception(exception)
        await self._write(lambda txn: txn.put(key, data, db=self._exceptions))

    async def known_list(self) -> KnownList | None:
        """Return the highest trust list that was ever taken, or None."""
        return await self._read(self._known_list)

    async def remember_list(self, candidate: KnownList) -> KnownList:
        """Keep ``candidate`` if its version is the highest, and return the one that is kept then."""

        def write(txn: Any) -> KnownList:
            known = self._known_list(txn)
            if known is not None and known.version >= candidate.version:
                return known
            txn.put(_LIST_KEY, layout.pack_list(candidate), db=self._meta)
            return candidate

        return await self._write(write)

    async def close(self) -> None:
        """Let go of files and threads, after the calls that run have ended."""
        for executor in (self._reader, self._writer):
            executor.shutdown(wait=True, cancel_futures=True)
        self._env.close()

    def _publish(self, txn: Any, item: Publication, merge: Merge) -> bool:
        data = txn.get(item.subject, db=self._statuses)
        merged = merge(() if data is None else layout.unpack_records(data), item.record)
        if merged is None:
            return False
        txn.put(item.subject, layout.pack_records(merged), db=self._statuses)
        if item.token is not None:
            token = Token(item.subject, item.record.effective_at, item.record.expires_at)
            txn.put(layout.token_key(item.token), layout.pack_token(token), db=self._tokens)
        return True

    def _known_list(self, txn: Any) -> KnownList | None:
        data = txn.get(_LIST_KEY, db=self._meta)
        return None if data is None else layout.unpack_list(data)

    async def _read(self, work: Callable[[Any], _T]) -> _T:
        def run() -> _T:
            self._check_identity()
            with self._env.begin() as txn:
                return work(txn)

        return await self._on(self._reader, run, READ_TIMEOUT_S)

    async def _write(self, work: Callable[[Any], _T]) -> _T:
        def run() -> _T:
            self._check_identity()
            with self._env.begin(write=True) as txn:
                return work(txn)

        return await self._on(self._writer, run, WRITE_TIMEOUT_S)

    async def _on(self, executor: ThreadPoolExecutor, run: Callable[[], _T], timeout_s: float) -> _T:
        if self._waiting >= WAITING_MAX:
            raise StoreUnavailable("too many calls wait for the store")
        self._waiting += 1
        try:
            # A thread cannot be stopped: the call is left to itself, and counts as waiting until it ends.
            future = asyncio.get_running_loop().run_in_executor(executor, run)
            future.add_done_callback(self._ended)
            return await asyncio.wait_for(asyncio.shield(future), timeout_s)
        except TimeoutError:
            raise StoreUnavailable(f"the store did not answer within {timeout_s:g} s") from None
        except asyncio.CancelledError:
            if not future.cancelled():  # the caller was, not the call
                raise
            raise StoreUnavailable("the store was closed") from None
        except (lmdb.Error, OSError, RuntimeError) as fault:
            raise StoreUnavailable(f"the store failed: {fault}") from None

    def _ended(self, future: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # asked for, so that a call nobody waits for any more is not logged as lost

    def _check_identity(self) -> None:
        # An open map outlives its file: without this, a moved or replaced data directory would be read for ever.
        if _identity(self._file) != self._identity:
            raise StoreUnavailable("the store's file is not the one that was opened")


def _identity(file: Path) -> tuple[int, int]:
    try:
        status = os.stat(file)
    except OSError as fault:
        raise StoreUnavailable(f"the store's file is gone: {fault.strerror}") from None
    return status.st_dev, status.st_ino
