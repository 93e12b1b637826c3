"""Programs that know different rules on one log, second by second: before, at and after a switch to the later ones."""

import asyncio

import pytest

from onecode_server.errors import PreconditionFailed
from onecode_server.model.partition import ALL, DECISIONS, partition_of
from onecode_server.model.status import Level
from onecode_server.replication.rule_versions import RULES, UnknownRules
from onecode_server.stores.protocol import Publication

from tests.later_rules import LATER, LATER_RULES
from tests.unit.replication.cluster import record, subject
from tests.unit.replication.memory_log import pass_seconds

FIRST, SECOND, THIRD = subject(64), subject(65), subject(66)
PARTITION = partition_of(FIRST)


async def answered(log, call, *machines):
    """Return what a writer's call returns while machines apply the log."""
    log.appended.clear()
    waiting = asyncio.create_task(call)
    await asyncio.wait_for(log.appended.wait(), 30)
    pass_seconds(log, 1, *machines)
    return await waiting


async def levels(machine, of):
    (records,) = (await machine.store.statuses([of])).records
    return [one.level for one in records]


async def test_the_later_rules_count_from_the_switch_on_for_all_whichever_machine_writes(memory_log, start):
    machines = one, other = start("one", LATER), start("other", LATER)
    pass_seconds(memory_log, 3, *machines)

    def publish(writer, of):
        return writer.write([Publication(of, record(level=Level.YELLOW))])

    assert await answered(memory_log, publish(one.writer, FIRST), *machines) == [None]
    assert await answered(memory_log, one.writer.put_rules_in_force(LATER_RULES), *machines) is None
    assert await answered(memory_log, publish(one.writer, SECOND), *machines) == [None]
    assert await answered(memory_log, publish(other.writer, THIRD), *machines) == [None]
    pass_seconds(memory_log, 3, *machines)
    for machine in machines:
        assert machine.replicator.report()["rules"] == {"in_force": LATER_RULES, "known": LATER_RULES}
        found = [await levels(machine, of) for of in (FIRST, SECOND, THIRD)]
        assert found == [[Level.YELLOW], [Level.RED], [Level.RED]]
    assert one.store.partitions() == other.store.partitions()
    with pytest.raises(PreconditionFailed, match="in force already"):
        await answered(memory_log, other.writer.put_rules_in_force(LATER_RULES), *machines)


async def test_a_program_that_is_started_behind_the_switch_stops_and_is_confirmed_in_no_partition(memory_log, start):
    """Also in those that have no message under the later rules, and whose own marks it applies first."""
    later, earlier = start("later", LATER), start("earlier")
    pass_seconds(memory_log, 3, later, earlier)
    before = earlier.store.own_marks()
    assert await answered(memory_log, later.writer.put_rules_in_force(LATER_RULES), later) is None
    pass_seconds(memory_log, 40, later)  # more marks than are read at once, of which decisions come last
    again = earlier.again()
    fresh = start("fresh")
    pass_seconds(memory_log, 20, later, again, fresh)
    for machine in (again, fresh):
        assert isinstance(machine.fault, UnknownRules)
        assert f"needs version {LATER_RULES} of the rules, and this program knows up to {RULES}" in str(machine.fault)
        assert machine.store.stop().reason == str(machine.fault)
    assert again.store.own_marks() == before
    assert {fresh.unconfirmed_s(partition) for partition in ALL} == {None}
    assert later.fault is None
    mended = again.again(LATER)
    pass_seconds(memory_log, 3, later, mended)
    assert (mended.fault, mended.store.stop()) == (None, None)
    assert mended.store.partitions()[DECISIONS].digest == later.store.partitions()[DECISIONS].digest
    mended.close()


async def test_an_earlier_program_on_a_store_with_later_rules_in_force_stops_before_it_sends_a_mark(memory_log, start):
    """It may have no message to apply that says so once more."""
    machine = start("one", LATER)
    pass_seconds(memory_log, 3, machine)
    await answered(memory_log, machine.writer.put_rules_in_force(LATER_RULES), machine)
    pass_seconds(memory_log, 3, machine)
    marks, sent = machine.store.own_marks(), sum(map(len, memory_log.messages.values()))
    again = machine.again()
    pass_seconds(memory_log, 5, again)
    assert isinstance(again.fault, UnknownRules)
    assert (again.store.own_marks(), sum(map(len, memory_log.messages.values()))) == (marks, sent)
    again.close()
