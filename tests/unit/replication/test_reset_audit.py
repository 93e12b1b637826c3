"""A revision that was set back has its audit entry once, also where the writer or the replicator dies in between."""

import asyncio
import contextlib

import pytest

from onecode_server.model.partition import DECISIONS, partition_of
from onecode_server.replication import message_form, reset_audit
from onecode_server.replication.apply import AGE_MAX_US
from onecode_server.replication.messages import Reset, identifier_in
from onecode_server.replication.reset_audit import WRITERS_US
from onecode_server.replication.rule_versions import RULES
from onecode_server.rules.publication import RevisionReset
from onecode_server.stores.protocol import Publication

from tests.unit.replication.cluster import SECOND, record, subject
from tests.unit.replication.machines import member
from tests.unit.replication.memory_log import MachineInMemory, MemoryLog, pass_seconds

SUBJECT = subject(64)
PARTITION = partition_of(SUBJECT)
KNOWN = Publication(SUBJECT, record(9))
RESET = RevisionReset(SUBJECT, KNOWN.record.publisher, KNOWN.record.scope, 3)
WRITERS_S = WRITERS_US // SECOND


@pytest.fixture
def log():
    return MemoryLog()


@pytest.fixture
def machines(log, tmp_path):
    """Two machines, which have a record with revision 9."""
    made = [MachineInMemory(tmp_path / name, log, member()) for name in ("one", "other")]
    pass_seconds(log, 1, *made)
    yield made
    for machine in made:
        machine.close()


async def while_turning(log, machines, writing):
    """Return what a writer's call comes to, while machines turn."""
    task = asyncio.ensure_future(writing)
    while not task.done():
        for machine in machines:
            machine.turn()
        await asyncio.sleep(0.005)
    log.now += SECOND
    return await task


def set_back(log, machine):
    """Append what a writer that dies then leaves in the log."""
    asked = Reset(machine.machine.identifier, identifier_in(PARTITION, bytes(15)), log.now, RULES, RESET, "a test")
    log.add(PARTITION, machine.machine.sealer.seal(message_form.encode(asked), PARTITION))


async def entries(machine):
    return [(entry.event, entry.details["from"]) for entry in await machine.store.audit(0)]


async def test_the_replicator_sends_what_a_dead_writer_has_not(log, machines):
    one, _ = machines
    assert await while_turning(log, machines, one.writer.write([KNOWN])) == [None]
    set_back(log, one)
    pass_seconds(log, WRITERS_S - 1, *machines)
    assert await entries(one) == []
    pass_seconds(log, 3, *machines)
    for machine in machines:
        assert await entries(machine) == [("revision reset", 9)]
        assert machine.store.reset_records(1) == []
    assert len({machine.store.partitions()[DECISIONS].digest for machine in machines}) == 1


async def test_so_does_the_next_one_where_the_machine_died_with_its_writer(log, machines):
    one, other = machines
    assert await while_turning(log, machines, one.writer.write([KNOWN])) == [None]
    set_back(log, one)
    pass_seconds(log, 1, *machines)
    again = one.again()
    with contextlib.closing(again):
        assert len(again.store.reset_records(2)) == 1
        pass_seconds(log, WRITERS_S + 2, again, other)
        assert await entries(again) == await entries(other) == [("revision reset", 9)]


async def test_a_record_that_both_send_is_one_entry(log, machines, monkeypatch):
    one, other = machines
    monkeypatch.setattr(reset_audit, "WRITERS_US", 0)
    assert await while_turning(log, machines, one.writer.write([KNOWN])) == [None]
    assert await while_turning(log, machines, one.writer.reset_revision(RESET)) == 9
    pass_seconds(log, 3, *machines)
    assert await entries(one) == await entries(other) == [("revision reset", 9)]


async def test_what_no_machine_would_take_any_more_is_said_and_let_go(log, machines, caplog):
    one, other = machines
    assert await while_turning(log, machines, one.writer.write([KNOWN])) == [None]
    set_back(log, one)
    pass_seconds(log, 1, *machines)
    log.now += AGE_MAX_US
    pass_seconds(log, 2, *machines)
    assert "its audit entry was not written in time" in caplog.text
    assert (one.store.reset_records(1), await entries(other)) == ([], [])
