"""Marks of machines of the cluster are heard, the newest of each, and compared with what this machine had there."""

import pytest

from onecode_server.crypto.signing import Signer
from onecode_server.log.reader import Message
from onecode_server.model.partition import DECISIONS
from onecode_server.replication import heard_marks, message_form
from onecode_server.replication.heard_marks import Comparison, HeardMachine
from onecode_server.replication.messages import NO_OFFSET
from onecode_server.stores.lmdb_replica import LmdbReplica
from onecode_server.stores.protocol import Publication

from tests.unit.replication.cluster import (
    CLUSTER,
    FIRST,
    NOON,
    OTHER,
    SECOND,
    chunk,
    logged,
    mark,
    record,
    sealer,
    subject,
)

HEAD = b"h" * 32


@pytest.fixture
def store(tmp_path):
    made = LmdbReplica(tmp_path)
    yield made
    made.close_here()


def delivered(*arguments, **given):
    return Message(*logged(*arguments, **given))


def heard(*messages):
    found: dict[bytes, HeardMachine] = {}
    heard_marks.take(found, messages, CLUSTER.public_key)
    return found


def test_the_newest_mark_of_each_machine_and_partition_is_kept():
    found = heard(
        delivered(mark(1), 3, 5),
        delivered(mark(5), 3, 9, NOON + SECOND),
        delivered(mark(2), DECISIONS, 4),
        delivered(mark(7, machine=OTHER), 3, 8),
    )
    assert found.keys() == {FIRST, OTHER}
    assert found[FIRST] == HeardMachine(FIRST, NOON + SECOND, {3: mark(5), DECISIONS: mark(2)})
    assert found[OTHER].marks == {3: mark(7, machine=OTHER)}


def test_what_is_no_mark_of_a_machine_of_the_cluster_is_not_heard():
    stranger = sealer(FIRST, cluster=Signer(b"s" * 32)).seal(message_form.encode(mark(1)), 3)
    other_name = sealer(OTHER).seal(message_form.encode(mark(1)), 3)
    values = (stranger, other_name, b"", b"OCL1" + bytes(300))
    messages = [Message(3, offset, 1, NOON, value) for offset, value in enumerate(values)]
    published = delivered(chunk(Publication(subject(64), record())), 3)
    moved = delivered(mark(1), 3)._replace(partition=4)
    assert heard(*messages, published, moved) == {}


def test_no_more_machines_are_listed_than_a_log_has(monkeypatch):
    monkeypatch.setattr(heard_marks, "MACHINES_MAX", 1)
    found = heard(delivered(mark(1), 3), delivered(mark(1, machine=OTHER), 3), delivered(mark(2), 3, 1))
    assert {machine: one.marks[3].offset for machine, one in found.items()} == {FIRST: 2}


def test_digests_and_in_decisions_the_audit_head_are_compared_at_the_same_place(store, monkeypatch):
    monkeypatch.setattr(heard_marks, "_COMPARED_S", 0.0)
    digest = b"d" * 32
    for partition in (1, 2):
        store.apply(lambda state, partition=partition: state.put_checkpoint(partition, 8, digest))
    store.apply(lambda state: state.put_checkpoint(DECISIONS, 8, digest + HEAD))

    def compared(in_1, in_2, in_decisions):
        marks = {1: in_1, 2: in_2, DECISIONS: in_decisions}
        return heard_marks.compare(store, HeardMachine(OTHER, NOON, marks))

    same, decided = mark(8, digest), mark(8, digest, audit_head=HEAD)
    assert compared(same, same, decided) == Comparison([1, 2, DECISIONS], [])
    assert compared(same, mark(8), mark(8, digest)) == Comparison([1], [2, DECISIONS])
    assert compared(mark(NO_OFFSET), mark(9, digest), decided) == Comparison([DECISIONS], [])


def test_a_machine_knows_the_rules_that_its_newest_mark_names():
    """Another program may have taken its place, while a partition without a leader has marks of the first alone."""
    before = mark(1)._replace(knows=1)
    after = mark(2)._replace(knows=2, sent_at=NOON + SECOND)
    (found,) = heard(delivered(before, 3, 5), delivered(before, 4, 5), delivered(after, 3, 6, NOON + SECOND)).values()
    assert found.knows == 2
    (silent,) = heard(delivered(mark(1), 3)).values()
    assert silent.knows == 0


def test_a_machine_that_has_sent_no_mark_for_ten_seconds_beside_one_that_has_does_not_run():
    ended, runs = HeardMachine(FIRST, NOON, {}), HeardMachine(OTHER, NOON + 10 * SECOND - 1, {})
    assert heard_marks.live([ended, runs]) == [ended, runs]
    assert heard_marks.live([ended, runs._replace(time=NOON + 10 * SECOND)]) == [runs._replace(time=NOON + 10 * SECOND)]
    assert heard_marks.live([]) == []
