"""Reads a whole store and reports its faults, on an operator's request; no server calls it.

Transactions are short, so that a server that writes meanwhile can reuse its free pages.
"""

import os
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import lmdb

from onecode_server.errors import OnecodeError, StoreUnavailable
from onecode_server.stores import pid_namespace
from onecode_server.stores.lmdb_file import allocate_lock, expect_whole, is_open_elsewhere
from onecode_server.stores.lmdb_map import READERS_MAX
from onecode_server.stores.table_checks import Read, readers

CHUNK: Final = 10_000
_TABLES_MAX: Final = 64
_verify: Any = import_module("lmdb.verify") if find_spec("lmdb.verify") else None  # in LMDB's binding from 3.0 on


class Checked(NamedTuple):
    """The number of items of a table that were read so far, and the faults in the part that was read last."""

    table: str
    records: int
    findings: list[str]


def check(directory: Path) -> Iterator[Checked]:
    """Check a store. Raises StoreUnavailable where it cannot be opened, or its file is shorter than its meta page
    says."""
    data = directory / "data.mdb"
    if not data.is_file():
        raise StoreUnavailable(f"there is no store in {directory}")
    expect_whole(data)
    yield (pages := Checked("pages", 0, _pages(directory)))
    if pages.findings:  # LMDB trusts its pages, and ends the process where they are wrong
        return
    held = pid_namespace.enter(directory)
    try:
        allocate_lock(directory / "lock.mdb", READERS_MAX)
        with lmdb.open(str(directory), max_dbs=_TABLES_MAX, max_readers=READERS_MAX, create=False) as env:
            with env.begin() as txn:
                names = [name.decode("utf-8", "replace") for name in txn.cursor().iternext(values=False)]
            known = readers()
            for name in [*(name for name in known if name in names), *(name for name in names if name not in known)]:
                yield from _table(env, name, known.get(name))
    except (lmdb.Error, OSError) as fault:
        raise StoreUnavailable(f"cannot read the store in {directory}: {fault}") from None
    finally:
        os.close(held)


def _pages(directory: Path) -> list[str]:
    """Return the faults of the file's pages, where LMDB's binding can check them and no other process has the store
    open."""
    if _verify is None or is_open_elsewhere(directory):
        return []
    try:
        return [str(finding) for finding in _verify.verify(str(directory))]
    except _verify.VerifyError as fault:
        return [str(fault)]


def _table(env: Any, name: str, read: Read | None) -> Iterator[Checked]:
    table = env.open_db(name.encode(), create=False)
    if read is None:
        yield Checked(name, 0, ["no table of this version"])
        return
    count, after = 0, b""
    while True:
        findings = []
        with env.begin() as txn:
            cursor = txn.cursor(db=table)
            there = cursor.set_range(after) and (item for item in cursor if item[0] != after)
            chunk = list(islice(there or (), CHUNK))
        for key, data in chunk:
            try:
                wrong = read(key, data)
            except OnecodeError as fault:
                wrong = str(fault)
            if wrong:
                findings.append(f"{_shown(key)}: {wrong}")
        count += len(chunk)
        yield Checked(name, count, findings)
        if len(chunk) < CHUNK:
            return
        after = chunk[-1][0]


def _shown(key: bytes) -> str:
    return key.decode() if key.isascii() and key.decode("ascii").isprintable() else key.hex()
