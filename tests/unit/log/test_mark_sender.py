"""The sender of marks: it never waits, and a leader that hangs holds up the marks of its own partitions alone."""

import time

from onecode_server.log.mark_sender import IN_FLIGHT_MAX, MarkSender
from onecode_server.log.reader import LogReader, Message
from onecode_server.log.topics import topic_of
from onecode_server.model.partition import ALL

from tests.unit.log.broken_clients import break_client
from tests.unit.log.reading import WAIT_S, reader_of, thread_ids, values, wait_until


def has_settled(sender: MarkSender) -> bool:
    """Return whether it is known of each mark what became of it."""
    sender.poll()
    return not sender._in_flight.total()


def send_until_read(sender: MarkSender, reader: LogReader, partitions: set[int]) -> list[Message]:
    """Send a mark with its number to each partition again and again until marks of ``partitions`` have been read, and
    return them. A single mark may be lost on a busy machine."""
    read: list[Message] = []
    until_s = time.monotonic() + WAIT_S
    while not {message.partition for message in read} >= partitions:
        assert time.monotonic() < until_s, sender.fault
        for partition in ALL:
            sender.send(partition, b"%d" % partition)
        sender.poll()
        read += reader.read(0.1, 1000)
    return read


def test_marks_come_into_every_partition(log):
    sender, reader = MarkSender(log, "test"), reader_of(log)
    read = send_until_read(sender, reader, set(ALL))
    assert all(set(values(read, partition)) == {b"%d" % partition} for partition in ALL)
    wait_until(lambda: has_settled(sender))
    sender.close()
    reader.close()


def test_a_leader_that_hangs_holds_up_its_own_partitions_alone(log, brokers):
    sender, reader = MarkSender(log, "test"), reader_of(log)
    send_until_read(sender, reader, set(ALL))
    leaders = {partition: brokers.leader_of(*topic_of(log, partition)) for partition in ALL}
    hung = leaders[0]
    others = {partition for partition in ALL if leaders[partition] is not hung}
    assert others
    wait_until(lambda: has_settled(sender))
    hung.pause()
    send_until_read(sender, reader, others)
    assert sender._in_flight[0] <= IN_FLIGHT_MAX
    hung.resume()
    brokers.restore()
    send_until_read(sender, reader, set(ALL))
    sender.close()
    reader.close()


def test_no_more_than_two_marks_of_a_partition_are_on_their_way_and_late_ones_are_forgotten(log, brokers):
    sender, reader = MarkSender(log, "test"), reader_of(log)
    sender.send(0, b"0")
    wait_until(lambda: has_settled(sender))
    for node in brokers.nodes:
        node.pause()
    assert [sender.send(0, b"mark") for _ in range(4)] == [True, True, False, False]
    wait_until(lambda: has_settled(sender))
    assert sender.fault is not None
    assert sender.fault.startswith("partition 0: ")
    brokers.restore()

    def is_well():
        sender.send(0, b"mark")
        return has_settled(sender) and sender.fault is None

    wait_until(is_well)
    sender.close()
    reader.close()


def test_after_an_error_for_good_another_producer_goes_on(log):
    sender, reader = MarkSender(log, "test"), reader_of(log)
    sender.send(0, b"0")
    wait_until(lambda: has_settled(sender))
    broken = sender._producer
    break_client(broken)
    send_until_read(sender, reader, set(ALL))
    assert sender._producer is not broken
    sender.close()
    reader.close()


def test_a_close_ends_all_threads(log):
    before = thread_ids()
    sender = MarkSender(log, "test")
    sender.send(0, b"0")
    assert thread_ids() > before
    sender.close()
    wait_until(lambda: thread_ids() <= before)
