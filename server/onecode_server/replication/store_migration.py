"""Makes an embedded store the first machine's store of a log.

The log begins with what the store has (``log_beginning``), a copy of the store is made ready to go on behind that, and
takes the store's place once all of it was read again and compared. Until then the embedded store is not changed.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import NamedTuple

from onecode_server.errors import StoreUnavailable
from onecode_server.log.address import LogAddress
from onecode_server.log.appender import LogAppender
from onecode_server.log.reader import LogReader, Position
from onecode_server.model.partition import ALL, DECISIONS
from onecode_server.replication.log_beginning import Beginning
from onecode_server.replication.machine import Machine
from onecode_server.stores import lmdb_contents
from onecode_server.stores.lmdb_contents import PartitionContent, Sizes
from onecode_server.stores.lmdb_exchange import Exchange
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.replica_layout import BegunDecisions, Membership

ShowProgress = Callable[[int | None, str], AbstractContextManager[Callable[[int], None]]]
"""Shows a bar for so many steps (None: unknown) with a text, and gives what moves it to a number."""


class LogMember(NamedTuple):
    """A machine at its log: ``ids`` are the topics' ids by name, ``group`` and ``client`` the names by which brokers
    know it."""

    address: LogAddress
    machine: Machine
    ids: dict[str, str]
    group: str
    client: str


class Migrated(NamedTuple):
    """What the log begins with: the numbers of subjects, tokens, and messages of decisions, and the head (32 bytes) of
    the audit record. ``kept`` is the directory with the store as it was."""

    subjects: int
    tokens: int
    parts: int
    audit_head: bytes
    kept: Path


def migrate(store: Path, member: LogMember, bar: ShowProgress) -> Migrated | None:
    """Make the store in a directory the first one of a log; None where it is a machine's already.

    It may be ended anywhere, and be called again. Raises Misconfigured where a process has the store open, the disk has
    no room for a copy, or the log has other messages; StoreUnavailable, LogUnavailable, LogBroken, OSError.
    """
    exchange = Exchange(store)
    with exchange.alone():
        with lmdb_contents.opened(store) as reader:
            is_done = reader.is_of_a_log
        if is_done:
            exchange.discard_copy()
            return None
        with bar(exchange.expect_room(), "copying") as advance:
            exchange.make_copy(advance)
        contents = _write(exchange.copy, member, bar)
        found = _read_back(store, contents, member, bar)
        _make_ready(exchange.copy, member, found)
        exchange.take_place()
    subjects, tokens = (sum(getattr(one, name) for one in contents) for name in ("subjects", "tokens"))
    return Migrated(subjects, tokens, found.beginning.parts, found.audit_head, exchange.kept)


class _ReadBack(NamedTuple):
    """The log's beginning as it was read again, and what the store has beside it."""

    beginning: Beginning
    audit_head: bytes
    sizes: Sizes


def _write(copy: Path, member: LogMember, bar: ShowProgress) -> list[PartitionContent]:
    """Write to the log what it lacks of the copy."""
    with lmdb_contents.opened(copy) as reader:
        with bar(reader.sizes().statuses, "reading") as advance:
            contents = reader.contents(advance)
        beginning = Beginning(member.machine, contents, reader.items())
        _follow(beginning, member)
        if not beginning.is_there:
            with bar(None, "writing to the log") as advance:
                asyncio.run(_append(beginning, member, advance))
    return contents


async def _append(beginning: Beginning, member: LogMember, advance: Callable[[int], None]) -> None:
    appender = LogAppender(member.address, member.client)
    try:
        await beginning.append_rest(appender, advance)
    finally:
        await appender.close()


def _read_back(store: Path, contents: list[PartitionContent], member: LogMember, bar: ShowProgress) -> _ReadBack:
    """Compare the store, the copy's contents and the log. Raises StoreUnavailable, and what following raises."""
    with lmdb_contents.opened(store) as reader:
        sizes = reader.sizes()
        with bar(sizes.statuses, "comparing") as advance:
            if reader.contents(advance) != contents:
                raise StoreUnavailable(f"the copy of {store} differs from it: the disk or the memory has a fault")
        beginning = Beginning(member.machine, contents, reader.items())
        _follow(beginning, member)
        if not beginning.is_there:
            raise StoreUnavailable("the log does not have all that was written to it: run this command again")
        return _ReadBack(beginning, reader.audit_head(), sizes)


def _follow(beginning: Beginning, member: LogMember) -> None:
    start = dict.fromkeys(ALL, Position(0, -1))
    with closing(LogReader(member.address, member.group, start, member.ids)) as reader:
        beginning.follow(reader)


def _make_ready(copy: Path, member: LogMember, found: _ReadBack) -> None:
    """Make the copy this machine's, with the log applied as far as it was followed. Raises StoreUnavailable."""
    states = found.beginning.states
    store = LmdbReplica(copy)
    try:
        machine = member.machine
        store.begin(
            Membership(machine.cluster, machine.identifier, member.ids),
            states,
            BegunDecisions(found.beginning.parts, states[DECISIONS].digest),
        )
    finally:
        store.close_here()
    with lmdb_contents.opened(copy) as reader:
        if not reader.is_of_a_log or (reader.sizes(), reader.audit_head()) != (found.sizes, found.audit_head):
            raise StoreUnavailable(f"{copy} is not what was written: the disk or the memory has a fault")
