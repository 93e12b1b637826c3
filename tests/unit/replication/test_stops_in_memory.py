"""Stops of machines, second by second: who stops when, what a start makes of it, and what workers do meanwhile."""

import asyncio

import pytest

from onecode_server.errors import LogBroken, LogUnavailable
from onecode_server.model.partition import partition_of
from onecode_server.replication import message_form
from onecode_server.replication.agreement import SETTLED_US, Diverged
from onecode_server.replication.messages import Chunk, identifier_in
from onecode_server.replication.replicator import Stopped
from onecode_server.replication.rule_versions import RULES, UnknownRules
from onecode_server.stores.protocol import Publication

from tests.later_rules import LATER
from tests.unit.replication.cluster import SECOND, record, subject
from tests.unit.replication.machines import member
from tests.unit.replication.memory_log import pass_seconds

SUBJECT = subject(64)
PARTITION = partition_of(SUBJECT)
KNOWN = Publication(SUBJECT, record())
SETTLED_S = SETTLED_US // SECOND


def harm(machine):
    """Change what a machine has of a partition, as bad memory would."""
    machine.store.apply(
        lambda state: state.set_partition(PARTITION, state.partition(PARTITION)._replace(digest=b"d" * 32))
    )


def appended(log):
    return sum(map(len, log.messages.values()))


async def refusal(machine):
    with pytest.raises(LogUnavailable) as refused:
        await machine.writer.write([KNOWN])
    return str(refused.value)


def test_a_damaged_machine_is_confirmed_no_more_at_once_and_stops_after_the_time_and_the_two_others_never(
    memory_log, start
):
    one, other, damaged = machines = [start(name) for name in ("one", "other", "damaged")]
    pass_seconds(memory_log, 3, *machines)
    harm(damaged)
    pass_seconds(memory_log, 3, *machines)
    confirmed_s = damaged.unconfirmed_s(PARTITION)
    assert confirmed_s is not None
    pass_seconds(memory_log, SETTLED_S - 1, *machines)
    assert damaged.unconfirmed_s(PARTITION) == confirmed_s + SETTLED_S - 1
    pass_seconds(memory_log, 3, *machines)
    assert isinstance(damaged.fault, Diverged)
    pass_seconds(memory_log, 30, *machines)
    assert [one.fault, other.fault] == [None, None]
    assert max(one.unconfirmed_s(PARTITION), other.unconfirmed_s(PARTITION)) <= 1


def test_a_healthy_machine_that_starts_and_hears_the_damaged_one_first_goes_on(memory_log, start):
    one, other, damaged = machines = [start(name) for name in ("one", "other", "damaged")]
    pass_seconds(memory_log, 3, *machines)
    harm(damaged)
    pass_seconds(memory_log, 2, damaged)
    started = one.again()
    pass_seconds(memory_log, 3, damaged, started)
    assert started.fault is None
    assert started.replicator.report()["partitions"][str(PARTITION)]["differs_from"] == [
        damaged.machine.identifier.hex()
    ]
    pass_seconds(memory_log, 3 * SETTLED_S, damaged, started, other)
    assert [started.fault, other.fault] == [None, None]
    assert isinstance(damaged.fault, Diverged)
    assert started.unconfirmed_s(PARTITION) <= 1
    started.close()


async def test_a_restart_of_a_damaged_machine_confirms_applies_and_writes_nothing_and_says_the_same(memory_log, start):
    machines = [start(name) for name in ("one", "other", "damaged")]
    pass_seconds(memory_log, 3, *machines)
    harm(machines[2])
    pass_seconds(memory_log, 3 + SETTLED_S, *machines)
    stopped = machines[2].again()
    reached, marks = stopped.store.partitions(), stopped.store.own_marks()
    pass_seconds(memory_log, 3, *machines[:2], stopped)
    assert isinstance(stopped.fault, Stopped)
    assert str(stopped.fault) == str(machines[2].fault)
    assert (stopped.store.partitions(), stopped.store.own_marks()) == (reached, marks)
    before = appended(memory_log)
    assert await refusal(stopped) == "this machine has stopped applying the log: nothing was written. Ask another one"
    assert appended(memory_log) == before
    stopped.store.adopt(stopped.machine.identifier)
    mended = stopped.again()
    pass_seconds(memory_log, 1, mended)
    assert mended.fault is None  # what was restored is heard, and judged, anew
    mended.close()


def test_of_two_that_differ_both_stop_whichever_compares_first(memory_log, start):
    for turns in (1, -1):
        right, damaged = start(f"right {turns}"), start(f"damaged {turns}")
        pass_seconds(memory_log, 3, right, damaged)
        harm(damaged)
        pass_seconds(memory_log, 4 + SETTLED_S, *[right, damaged][::turns])
        assert [type(one.fault) for one in (right, damaged)] == [Diverged, Diverged]
        assert [one.store.stop().is_lasting for one in (right, damaged)] == [True, True]


def test_the_last_machine_goes_on_while_a_damaged_one_has_stopped_and_the_second_is_restarted(memory_log, start):
    one, other, damaged = machines = [start(name) for name in ("one", "other", "damaged")]
    pass_seconds(memory_log, 3, *machines)
    harm(damaged)
    pass_seconds(memory_log, 3 + SETTLED_S, *machines)
    pass_seconds(memory_log, 60, one, damaged)
    assert one.fault is None
    assert one.unconfirmed_s(PARTITION) <= 1
    again = other.again()
    pass_seconds(memory_log, 10, one, damaged, again)
    assert [one.fault, again.fault] == [None, None]
    again.close()


def test_of_two_with_one_id_the_first_stops_and_a_restart_of_it_is_the_later_one(memory_log, start):
    first = start("first")
    pass_seconds(memory_log, 10, first)
    twin = start("twin", machine=member(first.machine.identifier))
    pass_seconds(memory_log, 20, first, twin)
    assert isinstance(first.fault, LogBroken)
    assert twin.fault is None
    assert twin.unconfirmed_s(PARTITION) <= 1
    again = first.again()
    pass_seconds(memory_log, 20, twin, again)
    assert again.fault is None
    assert isinstance(twin.fault, LogBroken)
    again.close()


async def test_a_writer_that_waits_is_answered_when_its_machine_stops(memory_log, start):
    one = start("one")
    pass_seconds(memory_log, 3, one)
    later = Chunk(one.machine.identifier, identifier_in(PARTITION, bytes(15)), memory_log.now, RULES + 1, 1, (KNOWN,))
    memory_log.add(PARTITION, one.machine.sealer.seal(message_form.encode(later), PARTITION))
    waiting = asyncio.create_task(one.writer.write([KNOWN]))
    await asyncio.wait_for(memory_log.appended.wait(), 30)
    pass_seconds(memory_log, 1, one)
    assert isinstance(one.fault, UnknownRules)
    with pytest.raises(LogUnavailable, match="this machine has stopped applying it: to send it again to another one"):
        await waiting


def test_a_stop_for_the_program_is_found_again_by_a_start_and_is_over_with_a_later_program(memory_log, start):
    one = start("one")
    pass_seconds(memory_log, 3, one)
    later = Chunk(one.machine.identifier, identifier_in(PARTITION, bytes(15)), memory_log.now, RULES + 1, 1, (KNOWN,))
    memory_log.add(PARTITION, one.machine.sealer.seal(message_form.encode(later), PARTITION))
    pass_seconds(memory_log, 1, one)
    assert one.store.stop().reason == str(one.fault)
    again = one.again()
    pass_seconds(memory_log, 1, again)
    assert str(again.fault) == str(one.fault)
    mended = again.again(LATER)
    pass_seconds(memory_log, 3, mended)
    assert (mended.fault, mended.store.stop()) == (None, None)
    assert mended.unconfirmed_s(PARTITION) <= 1
    mended.close()
