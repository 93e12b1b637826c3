"""An embedded store becomes the first one of a log on real brokers, wherever the migration is killed on the way."""

import asyncio
import os
import random
import signal
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from onecode_server.crypto.signing import Signer
from onecode_server.errors import LogBroken, Misconfigured
from onecode_server.log import topics
from onecode_server.log.address import LogAddress
from onecode_server.log.appender import LogAppender
from onecode_server.model.partition import partition_of
from onecode_server.replication import log_beginning, store_migration
from onecode_server.replication.machine import Machine
from onecode_server.replication.signing import Sealer, certify
from onecode_server.replication.store_migration import LogMember, Migrated, migrate
from onecode_server.stores import lmdb_contents, lmdb_exchange
from onecode_server.stores.lmdb_backup import backup
from onecode_server.stores.lmdb_exchange import Exchange
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.protocol import Publication, TokenKey

from tests.unit.replication.cluster import YEAR_LATER, record, subject
from tests.unit.replication.machines import CLUSTER, Running, member
from tests.unit.replication.test_apply_beginning import some_steps
from tests.world import World

SUBJECTS = [subject(number * 37 % 256, number) for number in range(200)]


def no_bar(_total: int | None, _what: str) -> Any:
    return nullcontext(lambda _done: None)


def at(log: LogAddress, machine: Machine) -> LogMember:
    return LogMember(log, machine, topics.topic_ids(log), "test", "test")


async def fill(world: World) -> None:
    """Let an embedded store have records, tokens, reports, request ids and their audit entries; close it."""
    asked = [Publication(of, record(effective_at=world.now)) for of in SUBJECTS]
    asked.append(Publication(SUBJECTS[0], record(2), TokenKey("420000", SUBJECTS[0] + bytes(16))))
    await world.store.publish(asked, lambda known, new: (*known, new))
    await some_steps(world, random.Random(4), 40)
    await world.store.close()


def everything(store: Path) -> tuple[Any, ...]:
    """Return all that a store that nobody has open holds of records, tokens and decisions."""
    with lmdb_contents.opened(store) as reader:
        return reader.contents(lambda _: None), [*reader.items()], reader.audit_head()


async def both(*machines: Running) -> None:
    await asyncio.gather(*(machine.confirmed() for machine in machines))


async def test_machines_go_on_with_what_the_embedded_store_had(world: World, log: LogAddress, tmp_path: Path) -> None:
    await fill(world)
    before, first = everything(world.data.store), member()
    done = await asyncio.to_thread(migrate, world.data.store, at(log, first), no_bar)
    assert isinstance(done, Migrated)
    assert (done.subjects, done.tokens, done.audit_head) == (len(SUBJECTS), 1, before[2])
    assert everything(world.data.store) == everything(done.kept) == before
    assert not Exchange(world.data.store).copy.exists()
    backup(world.data.store, tmp_path / "second")
    second = member()
    adopted = LmdbReplica(tmp_path / "second")
    adopted.adopt(second.identifier)
    await adopted.close()
    one, other = Running(world.data.store, log, first), Running(tmp_path / "second", log, second)
    try:
        await both(one, other)
        assert await one.writer.write([Publication(SUBJECTS[3], record(7))]) == [None]
        await both(one, other)
        assert one.digests() == other.digests()
        for machine in (one, other):
            (records,) = (await machine.store.statuses([SUBJECTS[3]])).records
            assert [one.revision for one in records] == [1, 7]  # type: ignore[union-attr]
        empty = Running(tmp_path / "empty", log, member())
        stopped = await empty.broken()
        assert isinstance(stopped, LogBroken)
        assert "restore a backup of another machine" in str(stopped)
        await empty.stop()
    finally:
        await one.stop()
        await other.stop()


def restored(seed: bytes, identifier: bytes) -> Machine:
    """Return a machine by what can be given to another process."""
    key = Signer(seed)
    return Machine(Sealer(certify(identifier, key.public_key, YEAR_LATER, CLUSTER), key), CLUSTER.public_key)


def end_here() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def end_at(where: str) -> None:
    """Let this process end at a step of the migration: before it, after it, or before it is done for the nth time."""
    owner, name, when = where.split()
    found: Any = {"Exchange": Exchange, "LogAppender": LogAppender, "migration": store_migration, "os": os}[owner]
    former, calls = getattr(found, name), count()

    def step(*given: Any) -> Any:
        if when == "before" or when == str(next(calls)):
            end_here()
        made = former(*given)
        if when == "after":
            end_here()
        return made

    setattr(found, name, step)


def migrate_until(where: str, store: Path, log: LogAddress, machine: tuple[bytes, bytes]) -> None:
    """Migrate in small pieces, in a process of its own that ends at a step."""
    patched = pytest.MonkeyPatch()
    patched.setattr(log_beginning, "PART_BYTES", 4096)
    patched.setattr(lmdb_exchange, "_CHUNK_BYTES", 8192)

    @contextmanager
    def bar(_total: int | None, what: str) -> Any:
        calls = count()
        yield lambda _done: end_here() if where == f"while {what}" and next(calls) == 1 else None

    if not where.startswith("while"):
        end_at(where)
    migrate(store, at(log, restored(*machine)), bar)


PLACES = [
    "while copying",
    "Exchange make_copy after",
    "LogAppender append before",
    "LogAppender append 5",
    "while writing to the log",
    "LogAppender append 9",
    "migration _read_back before",
    "migration _make_ready before",
    "migration _make_ready after",
    "Exchange take_place before",
    "os link after",
    "Exchange discard_copy 1",
]
"""Each kill follows those before it: at the later ones the log has more and more of its beginning."""


async def test_a_migration_that_is_killed_anywhere_is_completed_by_the_next_one(world: World, log: LogAddress) -> None:
    await fill(world)
    store, machine = world.data.store, (b"k" * 32, b"machine of a log")
    before = everything(store)
    for where in PLACES:
        child = get_context("spawn").Process(target=migrate_until, args=(where, store, log, machine))
        child.start()
        await asyncio.to_thread(child.join)
        assert (where, child.exitcode) == (where, -signal.SIGKILL)
        assert everything(store) == before
        with lmdb_contents.opened(store) as reader:
            assert reader.is_of_a_log is (where == PLACES[-1])
    assert Exchange(store).copy.exists()
    assert migrate(store, at(log, restored(*machine)), no_bar) is None
    assert not Exchange(store).copy.exists()
    assert everything(Exchange(store).kept) == before
    one = Running(store, log, restored(*machine))
    try:
        await one.confirmed()
        await one.store.close()
        assert everything(store) == before
    finally:
        await one.stop()


async def test_a_log_with_other_messages_and_a_store_that_is_open_are_refused(
    world: World, log: LogAddress, tmp_path: Path
) -> None:
    first = member()
    with pytest.raises(Misconfigured, match="stop the servers on it first"):
        await asyncio.to_thread(_in_another_process, world.data.store, log)
    await fill(world)
    other = Running(tmp_path / "other", log, member())
    await other.confirmed()
    await other.stop()
    before = everything(world.data.store)
    with pytest.raises(Misconfigured, match="has written to the log already: a store can be brought only into topics"):
        await asyncio.to_thread(migrate, world.data.store, at(log, first), no_bar)
    assert everything(world.data.store) == before
    with lmdb_contents.opened(world.data.store) as reader:
        assert not reader.is_of_a_log


def _in_another_process(store: Path, log: LogAddress) -> None:
    """Migrate as another process would, in one: LMDB's locks are a process's own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        other.submit(migrate, store, at(log, restored(b"k" * 32, b"machine of a log")), no_bar).result()


async def test_a_store_that_changed_after_its_log_had_begun_is_refused(
    world: World, log: LogAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(world)
    monkeypatch.setattr(log_beginning, "PART_BYTES", 4096)  # as in the process that is killed
    store, machine = world.data.store, (b"k" * 32, b"machine of a log")
    where = "migration _read_back before"
    child = get_context("spawn").Process(target=migrate_until, args=(where, store, log, machine))
    child.start()
    await asyncio.to_thread(child.join)
    world._open()
    await world.store.publish([Publication(SUBJECTS[5], record(9))], lambda known, new: (*known, new))
    await world.store.close()
    partition = partition_of(SUBJECTS[5])
    with pytest.raises(Misconfigured, match=f"partition {partition} of the log does not begin with this store"):
        await asyncio.to_thread(migrate, store, at(log, restored(*machine)), no_bar)
    with lmdb_contents.opened(store) as reader:
        assert not reader.is_of_a_log
