"""A log that begins with a store: its decisions prove the whole audit record, and no machine begins without a copy."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from onecode_server.errors import LogBroken, Malformed, OnecodeError, StoreUnavailable
from onecode_server.model import audit
from onecode_server.model.partition import DECISIONS
from onecode_server.recognition.steps import Step
from onecode_server.recognition.store_steps import StoreSteps
from onecode_server.replication import apply_beginning, log_beginning, message_form
from onecode_server.replication.apply import Applied, apply
from onecode_server.replication.ignored import Ignored
from onecode_server.replication.messages import Beginning, Genesis, Origin
from onecode_server.stores import layout, lmdb_audit, lmdb_contents
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.protocol import Publication
from onecode_server.stores.stored_items import ItemKind, StoredItem, expect_readable

from tests.unit.replication.cluster import (
    CLUSTER,
    FIRST,
    HOUR,
    NOON,
    SEALERS,
    SECOND,
    Logged,
    chunk,
    logged,
    record,
    subject,
)
from tests.unit.replication.memory_state import MemoryState
from tests.unit.replication.test_apply_decisions import Machine, some_step
from tests.world import World

KEY = CLUSTER.public_key


@pytest.fixture(autouse=True)
def _short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a few items, and blocks of the audit record of a few entries, so that there are many of both."""
    monkeypatch.setattr(log_beginning, "PART_BYTES", 4096)
    monkeypatch.setattr(lmdb_audit, "KEPT_MIN", 16)
    monkeypatch.setattr(lmdb_audit, "BLOCK_ENTRIES", 8)


async def taken(embedded: StoreSteps, step: Step) -> object:
    try:
        return await embedded.take(step)
    except OnecodeError as refusal:
        return type(refusal), getattr(refusal, "reason", ""), str(refusal)


async def some_steps(world: World, chance: random.Random, count: int) -> StoreSteps:
    """Let an embedded store take steps, most of which are made."""
    embedded = StoreSteps(world.store, world.trust, lambda: world.now, 60 * SECOND)
    for number in range(count):
        world.now += chance.choice([0, 0, SECOND, HOUR])
        await taken(embedded, some_step(chance, number, world.now))
    return embedded


async def beginning_of(world: World) -> list[Logged]:
    """Return what decisions begin with where a log begins with a world's store, which is closed for that."""
    await world.store.close()
    with lmdb_contents.opened(world.data.store) as store:
        steps = [*log_beginning.of_decisions(FIRST, store.items())]
    values = [SEALERS[FIRST].seal(step.body, DECISIONS) for step in steps]
    return [Logged(DECISIONS, offset, 3, world.now, value) for offset, value in enumerate(values)]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_log_alone_gives_the_audit_record_of_the_store_and_goes_on_as_it_would(
    world: World, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    await some_steps(world, chance, 80)
    entries = await world.store.audit(0)
    entries += await world.store.audit(len(entries))
    began = await beginning_of(world)
    assert len(began) > 3
    machine, replica = Machine(), LmdbReplica(tmp_path / "replica")
    machine.log, machine.number = began, 1000
    for message in began:
        assert apply(machine.state, message, KEY) == Applied(taken=1)
        replica.apply(partial(apply, message=message, cluster_key=KEY))
    assert machine.state.audit == entries
    assert replica.partitions()[DECISIONS] == machine.state.partition(DECISIONS)
    world._open()
    await world.start()
    embedded = StoreSteps(world.store, world.trust, lambda: world.now, 60 * SECOND)
    made = 0
    for number in range(80, 120):
        world.now += chance.choice([0, SECOND, HOUR])
        step = some_step(chance, number, world.now)
        expected = await taken(embedded, step)
        try:
            found: object = machine.take(step, world.now)
            made += 1
        except OnecodeError as refusal:
            found = type(refusal), getattr(refusal, "reason", ""), str(refusal)
        assert found == expected
        replica.apply(lambda state: apply(state, machine.log[-1], KEY))
    assert made > 3
    (head,) = {machine.state.audit_head(), replica.apply(lambda state: state.audit_head())}
    assert head == (await world.store.audit(len(machine.state.audit) - 1))[-1].hash
    assert replica.partitions()[DECISIONS].digest == machine.state.partition(DECISIONS).digest
    await replica.close()


def value_of(message: Beginning, partition: int) -> bytes:
    return SEALERS[FIRST].seal(message_form.encode(message), partition)


def test_a_machine_without_the_store_with_which_the_log_began_stops_with_one_line() -> None:
    state = MemoryState()
    origin = Logged(3, 0, 1, NOON, value_of(Origin(FIRST, 10, 1, b"x" * 32), 3))
    with pytest.raises(LogBroken, match="restore a backup of another machine") as stopped:
        apply(state, origin, KEY)
    assert "\n" not in str(stopped.value)
    assert state.content() == MemoryState().content()


def test_the_beginning_of_a_status_partition_that_comes_twice_changes_nothing() -> None:
    state = MemoryState()
    apply(state, logged(chunk(Publication(subject(3), record()), number=1), 0), KEY)
    before = state.partition(0)
    origin = Logged(0, before.offset, 1, NOON, value_of(Origin(FIRST, 10, 1, b"x" * 32), 0))
    assert apply(state, origin, KEY).ignored == Ignored.REPEATED
    assert state.partition(0).digest == before.digest


def entries(count: int) -> list[StoredItem]:
    """Return the items of an audit record."""
    last, made = None, []
    for number in range(count):
        last = audit.chain(last, NOON + number, "event", "", {"number": number})
        made.append(StoredItem(ItemKind.ENTRY, layout.number(last.number), audit.pack(last)))
    return made


def ignored(state: MemoryState, part: Genesis) -> str:
    """Return why a part is ignored, which changes neither digest nor audit record."""
    before, head = state.partition(DECISIONS), state.audit_head()
    applied = apply(state, Logged(DECISIONS, before.offset, 1, NOON, value_of(part, DECISIONS)), KEY)
    assert (state.partition(DECISIONS).digest, state.audit_head()) == (before.digest, head)
    return applied.ignored


def test_only_the_next_part_counts_and_none_once_the_log_has_begun() -> None:
    state, (first, second, third) = MemoryState(), entries(3)
    parts = [Genesis(FIRST, number, (item,)) for number, item in enumerate((first, second, third))]
    assert ignored(state, parts[1]) == Ignored.REPEATED
    assert apply(state, Logged(DECISIONS, 1, 1, NOON, value_of(parts[0], DECISIONS)), KEY).taken == 1
    assert ignored(state, parts[0]) == Ignored.REPEATED
    assert ignored(state, parts[2]) == Ignored.REPEATED
    assert ignored(state, Genesis(FIRST, 1, (third,))) == Ignored.MALFORMED
    assert apply(state, Logged(DECISIONS, 5, 1, NOON, value_of(parts[1], DECISIONS)), KEY).taken == 1
    digest = state.partition(DECISIONS).digest
    state.set_partition(DECISIONS, state.partition(DECISIONS)._replace(digest=b"later" + digest[5:]))
    assert ignored(state, parts[2]) == Ignored.REPEATED
    assert [entry.number for entry in state.audit] == [1, 2]


def test_the_bodies_of_the_same_store_are_the_same_and_bounded() -> None:
    items = entries(500)
    one, other = ([*log_beginning.of_decisions(FIRST, items)] for _ in range(2))
    assert one == other
    assert len(one) > 10
    assert max(len(step.body) for step in one) < 4096 + 100
    parts = [message_form.decode(step.body, DECISIONS) for step in one]
    assert [item for part in parts if isinstance(part, Genesis) for item in part.items] == items
    digest = bytes(32)
    for part, step in zip(parts, one, strict=True):
        assert isinstance(part, Genesis)
        digest = apply_beginning.after(part, digest)
        assert digest == step.digest


def test_a_store_with_nothing_has_one_message_of_decisions() -> None:
    (step,) = log_beginning.of_decisions(FIRST, [])
    assert message_form.decode(step.body, DECISIONS) == Genesis(FIRST, 0, ())


@pytest.mark.parametrize(
    "change",
    [
        lambda item: item._replace(data=b"{}"),
        lambda item: item._replace(key=layout.number(9)),
        lambda item: item._replace(kind=ItemKind.REPORT),
        lambda item: item._replace(kind=ItemKind.REQUEST),
        lambda item: item._replace(kind=ItemKind.LIST, data=b"short"),
    ],
    ids=["no entry", "another number", "no report", "no answer", "no list"],
)
def test_an_item_that_cannot_be_read_is_refused(change: Callable[[StoredItem], StoredItem]) -> None:
    with pytest.raises(Malformed):
        expect_readable(change(entries(1)[0]))


async def test_a_store_whose_audit_record_is_broken_is_not_brought_into_a_log(world: World) -> None:
    await some_steps(world, random.Random(1), 20)
    await world.store._env.write(lambda txn: txn.delete(layout.number(2), db=world.store._audit))
    with pytest.raises(StoreUnavailable, match="entry 2"):
        await beginning_of(world)
