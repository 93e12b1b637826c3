"""The files of one LMDB environment: opened and mapped, checked before each use, and let go."""

import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import lmdb

from onecode_server.stores import pid_namespace
from onecode_server.stores.lmdb_file import OpenedFile, allocate_lock, expect_whole, space_of
from onecode_server.stores.lmdb_map import READERS_MAX, open_map
from onecode_server.stores.protocol import Space

SCHEMA_KEY: Final = b"schema"


class LmdbFiles:
    """The opened files. ``env`` is LMDB's environment, ``tables`` maps the names of tables to its handles, and
    ``schema`` is the layout that the files were found to have, or were given where they are new."""

    def __init__(self, directory: Path, names: Sequence[str], schema: bytes) -> None:
        """Open the files in ``directory``, which is made if it is missing, and free the reader slots of killed
        processes. Raises StoreUnavailable, lmdb.Error and OSError, with nothing left open."""
        self._laying = threading.Lock()
        with ExitStack() as opened:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            data, lock = directory / "data.mdb", directory / "lock.mdb"
            opened.callback(os.close, pid_namespace.enter(directory))
            allocate_lock(lock, READERS_MAX)
            expect_whole(data)
            self.env, self._map_bytes = open_map(directory, len(names) + 1)
            opened.callback(self.env.close)
            self.env.reader_check()
            self.tables: dict[str, Any] = {name: self.env.open_db(name.encode()) for name in names}
            self.schema = self._found_schema(schema)
            self._files = OpenedFile(data), OpenedFile(lock)
            self._metas_bytes = 2 * self.env.stat()["psize"]
            self._descriptor = os.open(data, os.O_RDONLY | os.O_CLOEXEC)
            opened.callback(os.close, self._descriptor)
            self._opened = opened.pop_all()

    def _found_schema(self, schema: bytes) -> bytes:
        with self.env.begin(db=self.tables["meta"], write=True) as txn:
            found: bytes | None = txn.get(SCHEMA_KEY)
            if found is None:
                txn.put(SCHEMA_KEY, schema)
                return schema
            return bytes(found)

    def check(self) -> None:
        """Raise StoreUnavailable where a file is not the opened one any more, or was cut."""
        # The lock file too: a process that made a new one would not exclude the processes that have the old one.
        for file in self._files:
            file.check()

    def commits(self) -> int:
        """Return the number of the last commit of any process that readers see, from the map. 0 after ``close``, and
        where the file was cut before that."""
        try:
            with self._laying:
                # Avoids reading a page that is no longer in the file. This takes a third of the time of fstat(2) here.
                if os.lseek(self._descriptor, 0, os.SEEK_END) < self._metas_bytes:
                    return 0
                # A read transaction's number and not ``last_txnid``, which rises when a commit's last page is written:
                # readers see the commit only when that page is also on disk, milliseconds later.
                txn = self.env.begin()
                try:
                    return int(txn.id())
                finally:
                    txn.abort()
        except (lmdb.Error, OSError):
            return 0

    def space(self) -> Space:
        """Return the room of the store, as ``protocol.Store.space`` does. Raises OSError also after ``close``."""
        return space_of(self._descriptor, self._map_bytes)

    def map_anew(self) -> None:
        """Map the data file anew, with no page resident: a page fault then gets a page from the kernel's cache. No
        transaction of this process may run meanwhile.

        Setting the size of the map, even to the same value, makes LMDB do so.
        """
        with self._laying:
            self.env.set_mapsize(self._map_bytes)

    def close(self) -> None:
        """Close all of them. May be called again."""
        self._opened.close()
        self._descriptor = -1  # its number may be another file's soon
