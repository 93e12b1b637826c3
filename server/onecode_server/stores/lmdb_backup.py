"""Backs a store up while servers write to it, and restores it from a copy."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import lmdb

from onecode_server.errors import Misconfigured, StoreUnavailable
from onecode_server.stores import pid_namespace
from onecode_server.stores.lmdb_file import allocate_lock, expect_whole
from onecode_server.stores.lmdb_map import READERS_MAX

DATA_FILE: Final = "data.mdb"
_CHUNK_BYTES: Final = 1 << 20


def backup(store: Path, target: Path) -> int:
    """Copy the store at one moment to ``target``, a directory that is made, without the free pages.

    Returns the size of the copy in bytes, once it is on disk. Servers may write meanwhile: they do not reuse pages that
    the copy may still need, so that their file grows. Raises StoreUnavailable.
    """
    if not (store / DATA_FILE).is_file():
        raise StoreUnavailable(f"there is no store in {store}")
    expect_whole(store / DATA_FILE)
    try:
        held = pid_namespace.enter(store)
        try:
            allocate_lock(store / "lock.mdb", READERS_MAX)
            target.mkdir(mode=0o700)
            with lmdb.open(str(store), max_readers=READERS_MAX, create=False) as env:
                env.copy(str(target), compact=True)
        finally:
            os.close(held)
        (target / DATA_FILE).chmod(0o600)
        return sync(target)
    except (lmdb.Error, OSError) as fault:
        raise StoreUnavailable(f"cannot back up the store in {store}: {fault}") from None


def restore(copy: Path, store: Path, sha256: str | None, advance: Callable[[int], None]) -> None:
    """Make ``store`` from a copy; ``store`` must not exist yet. ``advance`` is called with the bytes that are copied.

    A restoring that was broken off goes on where it was. Raises Misconfigured, also where the copy is not the one whose
    SHA-256 is given (in hex), and OSError.
    """
    if store.exists():
        raise Misconfigured(f"{store} exists: end the servers on it, and move it away first")
    expect_whole(copy / DATA_FILE)
    unfinished = store.with_name(f"{store.name}.restoring")
    unfinished.mkdir(mode=0o700, exist_ok=True)
    found = _copy_on(copy / DATA_FILE, unfinished / DATA_FILE, advance)
    if sha256 is not None and found != sha256:
        shutil.rmtree(unfinished)
        raise Misconfigured(f"{copy / DATA_FILE} is not what the manifest of the backup says; nothing was restored")
    (unfinished / DATA_FILE).chmod(0o600)
    sync(unfinished)
    unfinished.rename(store)
    sync(store.parent)


def _copy_on(source: Path, target: Path, advance: Callable[[int], None]) -> str:
    """Copy what ``target`` lacks of ``source``; return the SHA-256 of all of it, in hex."""
    digest, done = hashlib.sha256(), 0
    with source.open("rb") as read, target.open("a+b") as written:
        written.seek(0)
        while known := written.read(_CHUNK_BYTES):  # it is hashed too: a part that differs is found at the end
            digest.update(known)
            done += len(known)
            advance(done)
        read.seek(done)
        while chunk := read.read(_CHUNK_BYTES):
            written.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            advance(done)
    return digest.hexdigest()


def sync(directory: Path) -> int:
    """Flush a directory and its files to disk; return the bytes of the files. Raises OSError."""
    files = [path for path in directory.iterdir() if path.is_file()]
    for path in (*files, directory):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return sum(path.stat().st_size for path in files)
