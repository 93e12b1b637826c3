"""The replicator on real brokers: what one machine publishes is on all of them once it is acknowledged."""

import asyncio

import pytest

from onecode_server.errors import PreconditionFailed
from onecode_server.model.partition import ALL
from onecode_server.model.status import Level
from onecode_server.rules.publication import Replay, RevisionReset
from onecode_server.stores.protocol import UNREADABLE, Publication

from tests.unit.replication.cluster import record, subject
from tests.unit.replication.machines import Running, member, running


def publications(count, revision=1, level=Level.RED):
    now = record(revision, level)
    return [Publication(subject(number * 37 % 256, number), now) for number in range(count)]


async def test_records_of_one_machine_are_on_all_once_they_are_acknowledged(log, tmp_path):
    async with running(tmp_path, log, 2) as (one, other):
        asked = publications(300)
        assert await one.writer.write(asked) == [None] * 300
        subjects = [publication.subject for publication in asked]
        there = (await one.store.statuses(subjects)).records
        assert all(records is not UNREADABLE and len(records) == 1 for records in there)
        await other.confirmed()
        assert (await other.store.statuses(subjects)).records == there
        assert await other.writer.write(asked[:50]) == [Replay.KNOWN] * 50
        await asyncio.gather(one.confirmed(), other.confirmed())
        assert one.digests() == other.digests()


async def test_a_revision_is_set_back_on_all_machines_with_one_audit_entry(log, tmp_path):
    async with running(tmp_path, log, 2) as (one, other):
        (asked,) = publications(1, revision=9)
        assert await one.writer.write([asked]) == [None]
        reset = RevisionReset(asked.subject, asked.record.publisher, asked.record.scope, 3)
        assert await one.writer.reset_revision(reset) == 9
        with pytest.raises(PreconditionFailed, match="it can only be set back"):
            await one.writer.reset_revision(reset)
        await asyncio.gather(one.confirmed(), other.confirmed())
        for machine in (one, other):
            (left,) = await machine.store.records(asked.subject)
            assert left.revision == 3
            (entry,) = await machine.store.audit(0)
            assert (entry.event, entry.details["from"]) == ("revision reset", 9)
            assert entry.details["by"] == f"machine {one.machine.identifier.hex()}"
        assert one.digests() == other.digests()


async def test_a_machine_goes_on_where_its_last_commit_ended(log, tmp_path):
    async with running(tmp_path, log, 1) as (one,):
        other = Running(tmp_path / "other", log, member())
        await other.confirmed()
        await other.stop()
        await one.writer.write(publications(100))
        await one.confirmed()
        again = Running(tmp_path / "other", log, other.machine)
        try:
            await again.confirmed()
            assert again.digests() == one.digests()
        finally:
            await again.stop()


async def test_every_partition_is_confirmed_each_second(log, tmp_path):
    async with running(tmp_path, log, 1) as (one,):
        report = one.replicator.report()
        assert set(report["partitions"]) == {str(partition) for partition in ALL}
        assert all(0 <= part["confirmed_age_s"] < 5 for part in report["partitions"].values())
