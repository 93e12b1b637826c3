"""The reader: each message once and in order, and a clear end where messages are missing or the log is another one."""

import asyncio
from contextlib import suppress

import pytest

from onecode_server.errors import LogBroken, LogUnavailable
from onecode_server.log import reader as reading_module
from onecode_server.log import topic_ids, topics
from onecode_server.log.appender import LogAppender
from onecode_server.log.reader import LogReader, Message, Position
from onecode_server.log.topics import topic_of
from onecode_server.model.partition import ALL

from tests.unit.log.reading import WAIT_S, read_count, read_until, reader_of, thread_ids, values, wait_until


@pytest.fixture
def append(log):
    """A function that appends messages one after the other, each again until it is confirmed."""

    def append(partition, *messages):
        async def run():
            appender = LogAppender(log, "test")
            for message in messages:
                while True:
                    with suppress(LogUnavailable):
                        await appender.append(partition, message)
                        break
            await appender.close()

        asyncio.run(run())

    return append


@pytest.fixture
def reader(log):
    reader = reader_of(log)
    yield reader
    reader.close()


def read_to_the_end(reader):
    """Read until the reader gives up, and return why."""
    with pytest.raises(LogBroken) as broken:
        read_until(reader, lambda _: False)
    return str(broken.value)


def test_it_goes_on_from_the_positions_that_were_reached(log, append):
    append(7, b"0", b"1", b"2")
    first = reader_of(log)
    read = read_count(first, 2)[:2]
    first.close()
    second = reader_of(log, {7: Position(read[-1].offset + 1, read[-1].epoch)})
    append(7, b"3")
    assert values(read_count(second, 2), 7) == [b"2", b"3"]
    second.close()


def test_it_reads_no_more_than_it_was_asked_for_and_loses_nothing_by_it(append, reader):
    append(1, *(b"%d" % number for number in range(20)))
    read: list[Message] = []
    while len(read) < 20:
        found = reader.read(0.1, 3)
        assert len(found) <= 3
        read += found
    assert values(read, 1) == [b"%d" % number for number in range(20)]


def test_a_message_has_the_time_at_which_the_log_took_it(append, reader):
    append(2, b"0")
    append(2, b"1")
    first, second = read_count(reader, 2)
    assert (first.partition, first.offset, second.offset, first.epoch) == (2, 0, 1, 0)
    assert 1_700_000_000_000_000 < first.time <= second.time
    assert first.time % 1000 == 0


@pytest.mark.parametrize(
    "position",
    [
        pytest.param(Position(4, -1), id="behind the end"),
        pytest.param(Position(4, 0), id="behind the end of its epoch"),
        pytest.param(Position(2, 40), id="in an epoch that never was"),
    ],
)
def test_a_position_that_the_log_never_reached_is_an_end(log, append, position):
    append(3, b"0", b"1", b"2")
    reader = reader_of(log, {3: position})
    assert f"partition 3 cannot be read on from offset {position.offset}" in read_to_the_end(reader)
    reader.close()


def test_a_position_before_the_first_message_is_an_end(log, brokers, append):
    from confluent_kafka import TopicPartition

    append(3, b"0", b"1", b"2")
    place = TopicPartition(*topic_of(log, 3), 2)
    brokers.admin.delete_records([place])[place].result(30)
    reader = reader_of(log, {3: Position(1, 0)})
    assert "partition 3 cannot be read on from offset 1" in read_to_the_end(reader)
    assert reader.ends() == {3: (2, 3)}
    reader.close()


def test_a_topic_that_is_made_anew_is_an_end_for_one_who_reads(log, brokers, append, reader):
    append(3, b"0", b"1")
    read_count(reader, 2)
    make_anew(log, brokers)
    append(3, b"of another log", b"of another log", b"of another log")
    why = read_to_the_end(reader)
    # Several parts notice it, and any of them may be the first.
    assert any(part in why for part in ("made anew", "cannot be read on", "is gone", "it came again")), why


def test_nothing_of_a_topic_that_was_made_anew_is_read_after_a_start(log, brokers, append):
    append(3, b"0")
    ids = topics.topic_ids(log)
    make_anew(log, brokers)
    append(3, b"of another log", b"of another log")
    reader = LogReader(log, "onecode-test", {3: Position(1, 0)}, ids)
    assert "it was made anew" in read_to_the_end(reader)
    reader.close()


def make_anew(log, brokers):
    status = topics.names(log)[0]
    brokers.admin.delete_topics([status])[status].result(30)
    wait_until(lambda: topics.create(log, 3) == [status])
    brokers.await_topics(status)


def test_a_topic_that_is_gone_is_an_end(log, brokers, append, reader, monkeypatch):
    monkeypatch.setattr(topic_ids, "CHECK_S", 0.1)
    append(12, b"0")
    read_count(reader, 1)
    name = topics.names(log)[1]
    brokers.admin.delete_topics([name])[name].result(30)
    assert f"a topic is gone: {name}" in read_to_the_end(reader)


def test_a_log_that_gives_messages_no_times_is_an_end(log, brokers, append, reader):
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

    kind = ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topics.names(log)[1], incremental_configs=[kind])
    append(12, b"0")
    read_count(reader, 1)
    brokers.admin.incremental_alter_configs([resource])[resource].result(30)

    def append_and_read():
        append(12, *[b"1"] * 20)
        return len(read_count(reader, 20)) < 20

    # The leader hears of it some time later.
    with pytest.raises(LogBroken, match=r"message\.timestamp\.type is not LogAppendTime"):
        wait_until(append_and_read)


def test_a_transaction_that_a_stranger_leaves_open_holds_up_nothing(log, brokers, append, reader):
    from confluent_kafka import Producer

    stranger = Producer({"bootstrap.servers": brokers.plaintext, "transactional.id": f"{log.prefix}stranger"})
    stranger.init_transactions(WAIT_S)
    stranger.begin_transaction()
    topic, number = topic_of(log, 4)
    stranger.produce(topic, b"of a stranger", partition=number)
    assert stranger.flush(WAIT_S) == 0
    append(4, b"0")
    assert values(read_count(reader, 2), 4) == [b"of a stranger", b"0"]
    stranger.abort_transaction(WAIT_S)
    append(4, b"1")
    assert values(read_count(reader, 1), 4) == [b"1"]


@pytest.mark.parametrize("harm", ["kill", "pause"])
def test_reading_goes_on_behind_another_leader(log, brokers, append, reader, harm):
    append(8, b"0")
    read_count(reader, 1)
    leader = brokers.leader_of(*topic_of(log, 8))
    getattr(leader, harm)()
    append(8, b"1")
    read = read_until(reader, lambda read: b"1" in values(read, 8))
    assert read[0].offset == 1
    assert read[-1].epoch > 0  # of another leader
    brokers.restore()
    append(8, b"2")
    assert values(read_until(reader, lambda read: b"2" in values(read, 8)), 8)[-1] == b"2"
    wait_until(lambda: not reader.read(0.1, 10) and reader.fault is None)


def test_a_consumer_that_hears_nothing_is_made_anew(brokers, append, reader, monkeypatch):
    monkeypatch.setattr(reading_module, "SILENT_S", 1.0)
    append(1, b"0")
    read_count(reader, 1)
    silent = reader._consumer
    for node in brokers.nodes:
        node.pause()
    wait_until(lambda: not reader.read(0.1, 10) and reader._consumer is not silent)
    assert reader.fault is not None
    brokers.restore()
    append(1, b"1", b"2")
    assert values(read_count(reader, 2), 1) == [b"1", b"2"]
    assert reader.fault is None


def test_the_ends_are_those_of_the_log(log, brokers, append, reader):
    append(0, b"0", b"1")
    append(12, b"0")
    assert reader.ends() == dict.fromkeys(ALL, (0, 0)) | {0: (0, 2), 12: (0, 1)}
    for node in brokers.nodes:
        node.pause()
    with pytest.raises(LogUnavailable, match="does not tell its ends"):
        reader.ends()


def test_a_close_ends_all_threads(log):
    before = thread_ids()
    reader = reader_of(log)
    reader.read(0.5, 10)
    assert thread_ids() > before
    reader.close()
    wait_until(lambda: thread_ids() <= before)
    with pytest.raises(LogBroken, match="closed"):
        reader.read(0.1, 10)
