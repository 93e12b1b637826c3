"""Reads all that lies in a store, and tells what is wrong with it. For a person who asks; no server does.

A transaction is short, so that a server which writes meanwhile can use its free pages again.
"""

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import lmdb

from onecode_server.errors import OnecodeError, StoredDamaged, StoreUnavailable
from onecode_server.model import audit
from onecode_server.model.audit import AuditEntry
from onecode_server.model.region import is_region_code
from onecode_server.model.status import SUBJECT_BYTES, Level
from onecode_server.stores import layout, pid_namespace
from onecode_server.stores.lmdb_environment import READERS_MAX
from onecode_server.stores.lmdb_file import allocate_lock, expect_whole, is_open_elsewhere

CHUNK: Final = 10_000
_TABLES_MAX: Final = 64
_REGION_BYTES: Final = 6
_DIGEST_BYTES: Final = 32
_REVISIONS_END: Final = 2**63
_verify: Any = import_module("lmdb.verify") if find_spec("lmdb.verify") else None  # of LMDB's binding from 3.0 on


class Checked(NamedTuple):
    """How much of a table has been read by now, and what is wrong with the part that was read last."""

    table: str
    records: int
    findings: list[str]


def check(directory: Path) -> Iterator[Checked]:
    """Read a store. Raises StoreUnavailable where it cannot be opened, or its file is shorter than it says."""
    data = directory / "data.mdb"
    if not data.is_file():
        raise StoreUnavailable(f"there is no store in {directory}")
    expect_whole(data)
    yield (pages := Checked("pages", 0, _pages(directory)))
    if pages.findings:  # LMDB believes its pages, and ends the process where they are wrong
        return
    held = pid_namespace.enter(directory)
    try:
        allocate_lock(directory / "lock.mdb", READERS_MAX)
        with lmdb.open(str(directory), max_dbs=_TABLES_MAX, max_readers=READERS_MAX, create=False) as env:
            with env.begin() as txn:
                names = [name.decode("utf-8", "replace") for name in txn.cursor().iternext(values=False)]
            for name in names:
                yield from _table(env, name)
    except (lmdb.Error, OSError) as fault:
        raise StoreUnavailable(f"cannot read the store in {directory}: {fault}") from None
    finally:
        os.close(held)


def _pages(directory: Path) -> list[str]:
    """Say what is wrong with the file's pages, where LMDB's binding can and no process changes them meanwhile."""
    if _verify is None or is_open_elsewhere(directory):
        return []
    try:
        return [str(finding) for finding in _verify.verify(str(directory))]
    except _verify.VerifyError as fault:
        return [str(fault)]


def _table(env: Any, name: str) -> Iterator[Checked]:
    table, reader = env.open_db(name.encode(), create=False), _READERS.get(name)
    if reader is None:
        yield Checked(name, 0, ["no table of this version"])
        return
    read, count, after = reader(), 0, b""
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


_Read = Callable[[bytes, bytes], str | None]


def _statuses() -> _Read:
    def read(key: bytes, data: bytes) -> str | None:
        if len(key) != SUBJECT_BYTES:
            return "the key is no subject"
        records = layout.unpack_records(data)
        for record in records:
            if not is_region_code(record.publisher):
                return f"the publisher {record.publisher} is no region"
            if record.level is Level.UNSPECIFIED:
                return "a record has no level"
            if not 1 <= record.revision < _REVISIONS_END:
                return f"{record.revision} is no revision"
            if record.expires_at is not None and record.expires_at <= record.effective_at:
                return "a record ends before it takes effect"
        return None if records else "there is no record"

    return read


def _tokens() -> _Read:
    def read(key: bytes, data: bytes) -> str | None:
        layout.unpack_token(data)
        region = key[:_REGION_BYTES].decode("ascii", "replace")
        is_key = len(key) == _REGION_BYTES + _DIGEST_BYTES and is_region_code(region)
        return None if is_key else "the key is no region and digest"

    return read


def _changes() -> _Read:
    last = None

    def read(key: bytes, data: bytes) -> str | None:
        nonlocal last
        layout.unpack_change(data)
        number, before = layout.read_number(key), last
        last = number
        return None if before is None or number == before + 1 else f"change {number} follows {before}"

    return read


def _exceptions() -> _Read:
    def read(key: bytes, data: bytes) -> str | None:
        return None if layout.unpack_exception(data).id.encode() == key else "the report has another id"

    return read


def _audit() -> _Read:
    last: AuditEntry | None = None

    def read(key: bytes, data: bytes) -> str | None:
        nonlocal last
        entry = audit.unpack(data)
        is_next = layout.read_number(key) == entry.number and audit.follows(entry, last)
        last = entry
        return None if is_next else f"audit entry {entry.number} is not what was written in its place"

    return read


def _meta() -> _Read:
    def read(key: bytes, data: bytes) -> str | None:
        if key == b"trust-list":
            layout.unpack_list(data)
        elif key == b"schema" and data not in (layout.SCHEMA, layout.SCHEMA_BEFORE):
            raise StoredDamaged(f"the layout {data!r} is none of this version")
        return None

    return read


_READERS: Final[dict[str, Callable[[], _Read]]] = {
    "statuses": _statuses,
    "tokens": _tokens,
    "changes": _changes,
    "exceptions": _exceptions,
    "audit": _audit,
    "meta": _meta,
    "copies": lambda: lambda *_: None,
}
"""For each table, what makes a function that says what is wrong with an item, or None; items come in their order."""
