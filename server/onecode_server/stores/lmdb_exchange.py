"""Exchanges an embedded store for its successor: a copy, made ready beside it, takes its place in one step.

store.migrating   the copy, of no use until it is in its place: a migration that was broken off begins it anew
store.embedded    the store as it was, under another name for the same bytes, once the copy has its place
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from onecode_server.errors import Misconfigured, StoreUnavailable
from onecode_server.stores import pid_namespace
from onecode_server.stores.lmdb_backup import DATA_FILE, sync
from onecode_server.stores.lmdb_file import allocate_lock, expect_whole
from onecode_server.stores.lmdb_map import READERS_MAX
from onecode_server.system.durable_files import sync_directory

_LOCK_FILE: Final = "lock.mdb"
_CHUNK_BYTES: Final = 1 << 20
_ROOM_BYTES: Final = 64 * 1024**2
"""Beside the copy: what it grows by when it is made a machine's."""


class Exchange:
    """The store in a directory, and its successor beside it."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.copy = store.with_name(f"{store.name}.migrating")
        self.kept = store.with_name(f"{store.name}.embedded")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the store so that nobody can open it: a server that is started meanwhile waits, and then finds the
        successor. Raises Misconfigured where a process has it open, and StoreUnavailable.

        LMDB locks its lock file's first byte before it opens the store. The lock is this process's, and ends where the
        process closes any descriptor of that file: nothing else here may open it.
        """
        if not (self.store / DATA_FILE).is_file():
            raise StoreUnavailable(f"there is no store in {self.store}")
        namespace = pid_namespace.enter(self.store)
        try:
            allocate_lock(self.store / _LOCK_FILE, READERS_MAX)
            with (self.store / _LOCK_FILE).open("r+b") as lock:
                try:
                    fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
                except OSError:
                    raise Misconfigured(
                        f"another process has the store in {self.store} open: stop the servers on it first"
                    ) from None
                yield
        finally:
            os.close(namespace)

    def expect_room(self) -> int:
        """Return the bytes that are to be copied. Raises Misconfigured where the disk has no room for them, or where a
        store of an earlier migration is kept."""
        source, kept = self.store / DATA_FILE, self.kept / DATA_FILE
        if kept.exists() and not kept.samefile(source):
            raise Misconfigured(f"{self.kept} is there from an earlier migration: move it away first")
        self.discard_copy()
        size, free = source.stat().st_size, shutil.disk_usage(self.store).free
        if free < size + _ROOM_BYTES:
            raise Misconfigured(f"the disk of {self.store} has {free:,} bytes free, of {size + _ROOM_BYTES:,} needed")
        return size

    def make_copy(self, advance: Callable[[int], None]) -> None:
        """Copy the store, of which ``alone`` keeps everybody away. ``advance`` is called with the bytes copied."""
        expect_whole(self.store / DATA_FILE)
        self.copy.mkdir(mode=0o700)
        done = 0
        with (self.store / DATA_FILE).open("rb") as source, (self.copy / DATA_FILE).open("xb") as target:
            while chunk := source.read(_CHUNK_BYTES):
                target.write(chunk)
                done += len(chunk)
                advance(done)
        (self.copy / DATA_FILE).chmod(0o600)
        sync(self.copy)

    def take_place(self) -> None:
        """Put the copy in the store's place, and keep the store. A process that ends anywhere in this leaves one of the
        two in the place, whole."""
        sync(self.copy)
        source, kept = self.store / DATA_FILE, self.kept / DATA_FILE
        self.kept.mkdir(mode=0o700, exist_ok=True)
        if not kept.exists():
            os.link(source, kept)
        sync_directory(self.kept)
        sync_directory(self.store.parent)
        (self.copy / DATA_FILE).replace(source)
        sync_directory(self.store)
        self.discard_copy()

    def discard_copy(self) -> None:
        """Remove the copy, or what is left of one."""
        if self.copy.exists():
            shutil.rmtree(self.copy)
