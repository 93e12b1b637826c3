"""What stops a machine for good: it says why, is confirmed no more, and leaves the others as they are."""

import asyncio
import secrets
from collections import Counter

import pytest

from onecode_server.crypto.signing import Signer
from onecode_server.errors import LogBroken, LogUnavailable
from onecode_server.log import topics
from onecode_server.log.topics import topic_of
from onecode_server.model.partition import partition_of
from onecode_server.model.status import Level
from onecode_server.replication import message_form
from onecode_server.replication.agreement import Diverged
from onecode_server.replication.ignored import Ignored
from onecode_server.replication.mark_keeper import STRANGER_AFTER_US
from onecode_server.replication.messages import RANDOM_BYTES, Chunk, identifier_in
from onecode_server.replication.replicator import Stopped
from onecode_server.replication.rule_versions import RULES, UnknownRules
from onecode_server.replication.signing import Sealer, certify
from onecode_server.rules.publication import Replay
from onecode_server.stores import lmdb_backup
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.protocol import Publication
from onecode_server.system.clock import wall_clock

from tests.unit.log.reading import wait_until
from tests.unit.replication.cluster import record, subject
from tests.unit.replication.machines import CLUSTER, begun, member, running

SUBJECT = subject(64)
PARTITION = partition_of(SUBJECT)
KNOWN = Publication(SUBJECT, record())
UNSEEN = Publication(subject(65), record())


def sealed(machine, /, partition=PARTITION, publication=KNOWN, sealer=None, **other):
    """Return the bytes of a chunk as a machine writes it, or as ``other`` has it."""
    identifier = identifier_in(PARTITION, secrets.token_bytes(RANDOM_BYTES))
    chunk = Chunk(machine.identifier, identifier, wall_clock(), RULES, 1, (publication,))._replace(**other)
    return (sealer or machine.sealer).seal(message_form.encode(chunk), partition)


def change_digest(state):
    state.set_partition(PARTITION, state.partition(PARTITION)._replace(digest=b"d" * 32))


def lose_record(state):
    state.put_records(SUBJECT, b"", state.partition(PARTITION).time)


def harm_store(path, harm):
    """Damage the store of a machine that has ended."""
    store = LmdbReplica(path)
    store.apply(harm)
    store.close_here()


async def refuses_to_write(machine):
    """Tell whether a machine says at once that it writes nothing."""
    with pytest.raises(LogUnavailable) as refused:
        await machine.writer.write([UNSEEN])
    return "has stopped applying the log: nothing was written" in str(refused.value)


@pytest.mark.parametrize("harm", [change_digest, lose_record])
async def test_a_machine_whose_store_was_changed_stops_and_the_two_others_go_on(log, tmp_path, harm):
    path, machine = tmp_path / "harmed", member()
    async with running(tmp_path, log, 2) as (one, other):
        assert await one.writer.write([KNOWN]) == [None]
        async with begun(path, log, machine) as before:
            await before.confirmed()
        lmdb_backup.backup(path, tmp_path / "backup")
        harm_store(path, harm)
        async with begun(path, log, machine) as harmed:
            assert await other.writer.write([KNOWN]) == [Replay.KNOWN]
            fault = await harmed.broken()
            assert isinstance(fault, Diverged)
            assert str(fault).startswith(f"partition {PARTITION} differs after offset ")
            assert str(fault).endswith("restore this machine's store from a backup of another one")
            assert await refuses_to_write(harmed)
            await one.confirmed()
            reached, marks = harmed.store.partitions(), harmed.store.own_marks()
        async with begun(path, log, machine) as again:
            stopped = await again.broken()
            assert isinstance(stopped, Stopped)
            assert str(stopped) == str(fault)
            assert await refuses_to_write(again)
            await one.confirmed()
            assert (again.store.partitions(), again.store.own_marks()) == (reached, marks)
        await expect_mended(tmp_path / "backup", log, machine, one, other)


async def expect_mended(backup, log, machine, one, other):
    """Restore a machine. What it said while it was damaged lies in the log behind its backup, and must not stop it."""
    store = LmdbReplica(backup)
    store.adopt(machine.identifier)
    store.close_here()
    async with begun(backup, log, machine) as mended:
        await mended.confirmed()
        assert await one.writer.write([KNOWN._replace(record=record(2, Level.GREEN))]) == [None]
        for machine_of_three in (one, other, mended):
            await machine_of_three.confirmed()
            assert await machine_of_three.store.records(UNSEEN.subject) == ()
        assert one.digests() == other.digests() == mended.digests()


async def test_of_two_machines_that_differ_both_stop_and_stay_stopped(log, tmp_path):
    paths, machines = (tmp_path / "right", tmp_path / "harmed"), (member(), member())
    async with begun(paths[0], log, machines[0]) as right:
        await right.confirmed()
        assert await right.writer.write([KNOWN]) == [None]
        async with begun(paths[1], log, machines[1]) as before:
            await before.confirmed()
        harm_store(paths[1], change_digest)
        async with begun(paths[1], log, machines[1]) as harmed:
            faults = [await one.broken() for one in (right, harmed)]
            assert [type(fault) for fault in faults] == [Diverged, Diverged]
            for one, other, fault in zip((right, harmed), reversed(machines), faults, strict=True):
                assert f"from machine {other.identifier.hex()}" in str(fault)
                assert await refuses_to_write(one)
    for path, machine, fault in zip(paths, machines, faults, strict=True):
        async with begun(path, log, machine) as again:
            assert str(await again.broken()) == str(fault)


async def test_of_two_machines_with_one_id_the_first_stops_and_writes_no_more(log, tmp_path):
    """The one that began last goes on: its state is the same, and it is the one that a person started last."""
    machine = member()
    async with begun(tmp_path / "other", log, member()) as other:
        async with begun(tmp_path / "first", log, machine) as first:
            await first.confirmed()
            await asyncio.sleep((STRANGER_AFTER_US + 1) / 1e6)
            async with begun(tmp_path / "twin", log, member(machine.identifier)) as twin:
                broken = await first.broken()
                assert isinstance(broken, LogBroken)
                assert f"another machine has the id {machine.identifier.hex()}" in str(broken)
                assert await refuses_to_write(first)
                marks = first.store.own_marks()
                await asyncio.sleep(2 * STRANGER_AFTER_US / 1e6)
                for goes_on in (twin, other):
                    await goes_on.confirmed()
                    assert await goes_on.writer.write([KNOWN]) == [None if goes_on is twin else Replay.KNOWN]
                assert first.store.own_marks() == marks
        async with begun(tmp_path / "first", log, machine) as again:
            await again.confirmed()  # now that the twin has gone


async def test_rules_of_a_later_program_stop_every_machine_at_the_same_message(log, tmp_path):
    async with running(tmp_path, log, 2) as machines:
        one, _ = machines
        place = await one.appender.append(PARTITION, sealed(one.machine, rules=RULES + 1))
        for machine in machines:
            fault = await machine.broken()
            assert isinstance(fault, UnknownRules)
            assert f"needs version {RULES + 1} of the rules" in str(fault)
            assert machine.store.partitions()[PARTITION].offset <= place.offset
            assert await refuses_to_write(machine)
        async with begun(tmp_path / "later", log, member()) as later:
            assert str(await later.broken()) == str(fault)


async def test_forged_and_moved_messages_are_ignored_by_all_alike_and_counted(log, tmp_path):
    async with running(tmp_path, log, 2) as machines:
        one, other = machines
        genuine = sealed(one.machine)
        await one.appender.append(PARTITION, genuine)
        await one.confirmed()
        digests = one.digests()
        forged = Publication(SUBJECT, record(2, Level.GREEN))
        key = Signer(secrets.token_bytes(32))
        ended = Sealer(certify(one.machine.identifier, key.public_key, wall_clock() - 3_600_000_000, CLUSTER), key)
        stranger = member(one.machine.identifier, Signer(secrets.token_bytes(32)))
        sent = [
            (Ignored.REPEATED, PARTITION, genuine),
            (Ignored.SIGNATURE, PARTITION + 1, sealed(one.machine, PARTITION, forged)),
            (Ignored.SIGNATURE, PARTITION, _changed(sealed(one.machine, publication=forged))),
            (Ignored.CERTIFICATE, PARTITION, sealed(stranger, publication=forged)),
            (Ignored.EXPIRED, PARTITION, sealed(one.machine, publication=forged, sealer=ended)),
            (Ignored.OTHER_MACHINE, PARTITION, sealed(one.machine, publication=forged, machine=bytes(16))),
            (Ignored.FOREIGN, PARTITION, b"a message of another program"),
        ]
        for _, partition, message in sent:
            await one.appender.append(partition, message)
        expected = Counter(str(reason) for reason, _, _ in sent)
        for machine in machines:
            await machine.confirmed()
            assert ignored(machine) == expected
            assert machine.digests() == digests
        assert await other.writer.write([KNOWN]) == [Replay.KNOWN]


def _changed(message):
    """Return a message with one other bit in its last byte."""
    return message[:-1] + bytes([message[-1] ^ 1])


def ignored(machine):
    """Return how many messages a machine has ignored, by the reason."""
    counts = (one for one in machine.metrics.flush() if one[0].startswith("onecode_log_ignored_messages"))
    return Counter({labels[0]: round(number) for _, labels, number in counts})


async def test_a_topic_that_was_made_anew_stops_a_machine_for_good(log, brokers, tmp_path):
    machine, path = member(), tmp_path / "machine"
    async with begun(path, log, machine) as one:
        await one.confirmed()
        status = topics.names(log)[0]
        brokers.admin.delete_topics([status])[status].result(30)
        fault = await one.broken()
        assert isinstance(fault, LogBroken)
        assert any(why in str(fault) for why in ("made anew", "cannot be read on", "is gone"))
        marks = one.store.own_marks()
    wait_until(lambda: topics.create(log, 3) == [status])
    brokers.await_topics(status)
    async with begun(path, log, machine) as one:
        assert "it was made anew. Restore a backup that belongs to it" in str(await one.broken())
        assert one.store.own_marks() == marks


async def test_a_machine_that_was_away_for_longer_than_the_log_reaches_back_stops(log, brokers, tmp_path):
    from confluent_kafka import TopicPartition

    path, machine = tmp_path / "away", member()
    async with running(tmp_path, log, 1) as (one,):
        async with begun(path, log, machine) as away:
            await away.confirmed()
        reached = LmdbReplica(path)
        offset, marks = reached.partitions()[PARTITION].offset, reached.own_marks()
        assert marks is not None
        reached.close_here()
        await one.writer.write([KNOWN])
        await one.confirmed()
        place = TopicPartition(*topic_of(log, PARTITION), one.store.partitions()[PARTITION].offset - 1)
        brokers.admin.delete_records([place])[place].result(30)
        for _ in range(2):
            async with begun(path, log, machine) as away:
                fault = await away.broken()
                assert isinstance(fault, LogBroken)
                assert f"partition {PARTITION} cannot be read on from offset {offset}" in str(fault)
                assert "Restore a backup of another machine" in str(fault)
                now = away.store.own_marks()
                assert now is not None
                assert now.sent_us[PARTITION] == marks.sent_us[PARTITION]
        await one.confirmed()
