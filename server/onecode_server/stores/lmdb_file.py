"""Checks LMDB's files before and while they are mapped: that they are whole, allocated, and still the opened ones.

A mapped page that is not in the file, or for which the disk has no space, ends the process by SIGBUS. These checks come
before LMDB's access to a page; a short time remains between the two.
"""

import errno
import fcntl
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from onecode_server.errors import StoreUnavailable
from onecode_server.stores.protocol import Space

LOCK_BYTES_PER_READER: Final = 64
_LOCK_HEAD_BYTES: Final = 192
_EMPTY_S: Final = 2.0
"""The time for which a file may be empty: another process is making the store in that moment."""
_ATTEMPTS: Final = 3
"""The number of attempts: a file that is written during an attempt may once seem too short."""

# lmdb.h and mdb.c of LMDB 0.9: a page's head (number, pad, flags, lower, upper), and in each of the first two pages a
# meta: magic, version, address, size of the map, the trees of free pages and of tables, last page, transaction.
_HEAD: Final = struct.Struct("=QHHHH")
_META: Final = struct.Struct("=IIQQ" + 2 * "IHHQQQQQ" + "QQ")
_NODE: Final = struct.Struct("=HHHH")
_MAGIC: Final = 0xBEEFC0DE
_VERSION: Final = 1
_BRANCH: Final = 1
_IS_BIG: Final = 1
_NO_PAGE: Final = 2**64 - 1


class _NoPage(Exception):
    """A page is not in the file."""


class _Meta(NamedTuple):
    page_bytes: int
    free_root: int
    last_page: int
    transaction: int


class OpenedFile:
    """A file that was opened, by its path."""

    def __init__(self, path: Path) -> None:
        """Note the identity of the file. Raises StoreUnavailable."""
        self._path = path
        status = self._status()
        self._identity, self._bytes = (status.st_dev, status.st_ino), status.st_size

    def check(self) -> None:
        """Raise StoreUnavailable where the file is gone, replaced, or shorter than it ever was: LMDB never shortens
        it."""
        bytes_before = self._bytes  # read first: another thread may see the file grow meanwhile
        status = self._status()
        # An open map outlives its file: without this, a moved or replaced data directory would be read for ever.
        if (status.st_dev, status.st_ino) != self._identity:
            raise StoreUnavailable(f"the store's {self._path.name} is not the one that was opened")
        if status.st_size < bytes_before:
            raise StoreUnavailable(f"the store's {self._path.name} was cut: {status.st_size} of {bytes_before} bytes")
        self._bytes = status.st_size

    def _status(self) -> os.stat_result:
        try:
            return os.stat(self._path)
        except OSError as fault:
            raise StoreUnavailable(f"the store's {self._path.name} is gone: {fault.strerror}") from None


def allocate_lock(file: Path, readers_max: int) -> None:
    """Allocate the disk space of a lock file before it is mapped. Raises OSError.

    A lock file that is whole is not opened: closing it would release the locks that this process holds on it.
    """
    try:
        status = os.stat(file)
        size, is_allocated = status.st_size, status.st_blocks * 512 >= status.st_size > 0
    except FileNotFoundError:
        size, is_allocated = 0, False
    if is_allocated or not hasattr(os, "posix_fallocate"):
        return
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size or _LOCK_HEAD_BYTES + (readers_max - 1) * LOCK_BYTES_PER_READER)
    except OSError as fault:
        if fault.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system that cannot allocate space
            raise
    finally:
        os.close(descriptor)


def is_open_elsewhere(directory: Path) -> bool:
    """Tell whether another process has the environment in ``directory`` open. Not to be called while this one has.

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


def space_of(descriptor: int, map_bytes: int) -> Space:
    """Return the room of an open data file whose map has so many bytes. Raises OSError.

    The file is asked, not the map: a page that a disk no longer has would end the process. Pages that were freed inside
    the file are used again before it grows, so that a file as large as its map still takes some records.
    """
    used, disk = os.fstat(descriptor).st_size, os.fstatvfs(descriptor)
    return Space(used, disk.f_bavail * disk.f_frsize, max(0, map_bytes - used))


def expect_whole(file: Path) -> None:
    """Raise StoreUnavailable where a store's file is shorter than its meta page says; raises OSError.

    Free pages may be missing at the file's end: LMDB does not write pages that a transaction took and gave back. A file
    that is no store of LMDB 0.9 is left to LMDB, which also reads these pages before it maps the file.
    """
    for attempt in range(_ATTEMPTS):
        if (cut := _cut(file)) is None:
            return
        if attempt + 1 < _ATTEMPTS:
            time.sleep(0.05)
    raise StoreUnavailable(f"{file} was cut: it has {cut}. Restore a backup of the store")


def _cut(file: Path) -> str | None:
    """Return a text with the file's actual and expected bytes, or None where no page is missing."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        _expect_some_bytes(descriptor, file)
        meta = _newest_meta(descriptor)
        size = os.fstat(descriptor).st_size  # after the meta: a page is written before a meta refers to it
        if meta is None or _has_all(descriptor, meta, size):
            return None
        return f"{size} bytes of {(meta.last_page + 1) * meta.page_bytes}"
    finally:
        os.close(descriptor)


def _expect_some_bytes(descriptor: int, file: Path) -> None:
    deadline_s = time.monotonic() + _EMPTY_S
    while not os.fstat(descriptor).st_size:
        if time.monotonic() > deadline_s:
            raise StoreUnavailable(f"{file} has no bytes: restore a backup of the store, or remove it to begin anew")
        time.sleep(0.02)


def _newest_meta(descriptor: int) -> _Meta | None:
    first = _meta(descriptor, 0)
    second = _meta(descriptor, first.page_bytes) if first else None
    return max((meta for meta in (first, second) if meta), key=lambda meta: meta.transaction, default=None)


def _meta(descriptor: int, at: int) -> _Meta | None:
    data = os.pread(descriptor, _META.size, at + _HEAD.size)
    if len(data) < _META.size:
        return None
    magic, version, _, _, page_bytes, *more = _META.unpack(data)
    free_root, last_page, transaction = more[6], *more[-2:]
    if (magic, version) != (_MAGIC, _VERSION) or page_bytes < 256:
        return None
    return _Meta(page_bytes, free_root, last_page, transaction)


def _has_all(descriptor: int, meta: _Meta, size: int) -> bool:
    there = size // meta.page_bytes
    missing = meta.last_page + 1 - there
    if missing <= 0:
        return True
    try:
        return missing == sum(there <= page <= meta.last_page for page in _free_pages(descriptor, meta))
    except (_NoPage, struct.error):
        return False


def _free_pages(descriptor: int, meta: _Meta) -> Iterator[int]:
    """Return the numbers of all free pages, from the tree in which LMDB keeps them."""
    pages = [] if meta.free_root == _NO_PAGE else [meta.free_root]
    while pages:
        page = _read(descriptor, pages.pop() * meta.page_bytes, meta.page_bytes)
        _, _, flags, lower, _ = _HEAD.unpack_from(page)
        for place in struct.unpack_from(f"={(lower - _HEAD.size) // 2}H", page, _HEAD.size):
            low, high, node_flags, key_bytes = _NODE.unpack_from(page, place)
            if flags & _BRANCH:
                pages.append(low | high << 16 | node_flags << 32)
                continue
            start, length = place + _NODE.size + key_bytes, low | high << 16
            data = page[start : start + length]
            if node_flags & _IS_BIG:  # on pages of its own, whose number is here
                (number,) = struct.unpack_from("=Q", page, start)
                data = _read(descriptor, number * meta.page_bytes + _HEAD.size, length)
            (count,) = struct.unpack_from("=Q", data)
            yield from struct.unpack_from(f"={count}Q", data, 8)


def _read(descriptor: int, at: int, length: int) -> bytes:
    data = os.pread(descriptor, length, at)
    if len(data) < length:
        raise _NoPage
    return data
