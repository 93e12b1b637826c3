"""A commit that fails leaves nothing in the replicator's memory, and its messages are applied by the next turn."""

import asyncio

import pytest

from onecode_server.errors import StoreUnavailable
from onecode_server.model.partition import ALL
from onecode_server.stores import lmdb_replica
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.protocol import Publication

from tests.unit.replication.cluster import record, subject
from tests.unit.replication.machines import running

KNOWN = Publication(subject(64), record())


def fail_at_commit(store, monkeypatch):
    """Let all transactions of a store do their work, and be undone by a full disk."""
    apply = store.apply

    def undone(work):
        def until_the_commit(state):
            work(state)
            state.finish()
            raise StoreUnavailable("the disk is full")

        return apply(until_the_commit)

    monkeypatch.setattr(store, "apply", undone)


def turn_until_it_fails(replicator):
    while True:
        replicator.turn()


async def test_what_a_failed_commit_would_have_applied_is_neither_reported_nor_lost(log, tmp_path, monkeypatch):
    async with running(tmp_path, log, 1) as (one,):
        await one.hold()
        before = one.replicator.report()["partitions"]
        with monkeypatch.context() as failing:
            fail_at_commit(one.store, failing)
            writing = asyncio.create_task(one.writer.write([KNOWN]))
            for _ in range(3):  # marks of this machine among the messages
                with pytest.raises(StoreUnavailable, match="the disk is full"):
                    await asyncio.to_thread(turn_until_it_fails, one.replicator)
        await asyncio.sleep(0.2)  # ages are shown in tenths of a second
        after = one.replicator.report()["partitions"]
        for partition in map(str, ALL):
            assert (after[partition]["offset"], after[partition]["digest"]) == (
                before[partition]["offset"],
                before[partition]["digest"],
            )
            assert after[partition]["confirmed_age_s"] > before[partition]["confirmed_age_s"]
        while not writing.done():
            await asyncio.to_thread(one.replicator.turn)
        assert await writing == [None]
        assert one.replicator.report()["partitions"]["3"]["digest"] == one.digests()[3].hex()


def test_a_failed_commit_leaves_the_number_of_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setattr(lmdb_replica, "CHECKPOINTS_MAX", 3)
    store = LmdbReplica(tmp_path)

    def keep(offset):
        store.apply(lambda state: state.put_checkpoint(8, offset, bytes(32)))

    def keep_two_and_fail(state):
        for offset in (1, 2):
            state.put_checkpoint(8, offset, bytes(32))
        raise StoreUnavailable("the disk is full")

    try:
        with pytest.raises(StoreUnavailable):
            store.apply(keep_two_and_fail)
        for offset in (1, 2, 3):
            keep(offset)
        assert store.apply(lambda state: [state.checkpoint(8, offset) for offset in (1, 2, 3)]) == [bytes(32)] * 3
    finally:
        store.close_here()
