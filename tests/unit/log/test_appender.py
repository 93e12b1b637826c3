"""The appender: a message that was confirmed is in the log once and in order, whatever happens to its brokers."""

import asyncio
import random

import pytest

from onecode_server.errors import LogUnavailable, StoreBusy
from onecode_server.log.address import LogAddress
from onecode_server.log.appender import BYTES_MAX, MESSAGES_MAX, LogAppender
from onecode_server.log.client_settings import MESSAGE_BYTES_MAX
from onecode_server.log.topics import topic_of
from onecode_server.model.partition import ALL, DECISIONS

from tests.unit.log.broken_clients import break_client
from tests.unit.log.reading import read_count, read_until, reader_of, thread_ids, values, wait_until

END = b"the end"


@pytest.fixture
async def appender(log):
    appender = LogAppender(log, "test")
    yield appender
    await appender.close()


async def append_meanwhile(appender, partition, harm):
    """Append numbered messages one after the other, with ``harm`` after the hundredth; return those confirmed."""
    confirmed, stopped = [], asyncio.Event()

    async def go_on():
        number = 0
        while not stopped.is_set():
            message = b"%d" % number
            try:
                await appender.append(partition, message)
                confirmed.append(message)
            except LogUnavailable:
                pass  # it may be in the log, and may not
            number += 1

    task = asyncio.create_task(go_on())
    await asyncio.to_thread(wait_until, lambda: len(confirmed) >= 100)
    await asyncio.to_thread(harm)
    before = len(confirmed)
    await asyncio.to_thread(wait_until, lambda: len(confirmed) >= before + 100)
    stopped.set()
    await task
    await appender.append(partition, END)
    return confirmed


def expect_once_and_in_order(log, partition, confirmed):
    reader = reader_of(log)
    try:
        read = values(read_until(reader, lambda read: any(one.value == END for one in read)), partition)[:-1]
    finally:
        reader.close()
    assert len(set(read)) == len(read)
    assert [*map(int, read)] == sorted(map(int, read))
    assert set(confirmed) <= set(read)


async def test_messages_lie_in_each_partition_in_the_order_of_their_appending(log, appender):
    appends = [(partition, b"%d" % number) for number in range(20) for partition in ALL]
    places = await asyncio.gather(*(appender.append(*one) for one in appends))
    assert [place.offset for place in places] == [number for number in range(20) for _ in ALL]
    reader = reader_of(log)
    read = read_count(reader, len(appends))
    reader.close()
    for partition in ALL:
        assert values(read, partition) == [b"%d" % number for number in range(20)]
    assert all(message.time > 0 for message in read)


@pytest.mark.parametrize("partition", [3, DECISIONS])
async def test_nothing_confirmed_is_lost_when_a_leader_is_killed(log, brokers, appender, partition):
    leader = brokers.leader_of(*topic_of(log, partition))
    confirmed = await append_meanwhile(appender, partition, leader.kill)
    expect_once_and_in_order(log, partition, confirmed)
    assert brokers.leader_of(*topic_of(log, partition)) is not leader


async def test_nothing_confirmed_is_lost_when_a_leader_hangs(log, brokers, appender):
    leader = brokers.leader_of(*topic_of(log, 5))
    confirmed = await append_meanwhile(appender, 5, leader.pause)
    leader.resume()
    expect_once_and_in_order(log, 5, confirmed)


async def test_nothing_is_confirmed_without_a_quorum_and_each_caller_hears_so(log, brokers, appender):
    await appender.append(0, b"before")
    for node in brokers.nodes[:2]:
        node.kill()
    answers = await asyncio.gather(*(appender.append(one, b"during") for one in ALL), return_exceptions=True)
    assert [type(one) for one in answers] == [LogUnavailable] * len(ALL)
    assert all("_MSG_TIMED_OUT" in str(one) for one in answers)
    await asyncio.to_thread(brokers.restore)
    await appender.append(0, END)
    reader = reader_of(log)
    read = values(read_until(reader, lambda read: any(one.value == END for one in read)), 0)
    reader.close()
    assert [one for one in read if one != b"during"] == [b"before", END]


async def test_a_broker_that_is_away_at_the_start_is_not_needed(log, brokers):
    brokers.nodes[0].kill()
    appender = LogAppender(log, "test")
    places = await asyncio.gather(*(appender.append(partition, b"x") for partition in ALL))
    await appender.close()
    assert [place.offset for place in places] == [0] * len(ALL)


async def test_after_an_error_for_good_another_producer_goes_on(log, appender):
    await appender.append(4, b"0")
    broken = appender._producer
    assert broken is not None
    break_client(broken._producer)
    await asyncio.to_thread(wait_until, lambda: bool(broken.fatal))
    assert "OUT_OF_ORDER_SEQUENCE_NUMBER" in broken.fatal
    await appender.append(4, b"1")
    await appender.append(4, END)
    await asyncio.to_thread(broken._thread.join)
    expect_once_and_in_order(log, 4, [b"0", b"1"])


async def test_callers_of_a_producer_that_fails_hear_of_it_at_once():
    appender = LogAppender(LogAddress(("127.0.0.1:9",)), "test")  # nobody listens there
    waiting = [asyncio.create_task(appender.append(4, b"1")) for _ in range(10)]
    await asyncio.sleep(0)
    broken = appender._producer
    assert broken is not None
    break_client(broken._producer)
    answers = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert [type(answer) for answer in answers] == [LogUnavailable] * 10
    waits = asyncio.create_task(appender.append(4, b"2"))
    await asyncio.sleep(0)
    assert appender._producer is not broken
    await appender.close()
    with pytest.raises(LogUnavailable):
        await waits


async def test_messages_that_wait_are_bounded_in_number(log, brokers, appender):
    await appender.append(0, b"0")
    for node in brokers.nodes:
        node.pause()
    waiting = [asyncio.create_task(appender.append(number % 13, b"x")) for number in range(MESSAGES_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy) as refused:
        await appender.append(0, b"x")
    assert refused.value.retry_after_s == 1.0
    for task in waiting[1:]:
        task.cancel()  # a caller that leaves takes nothing back: its message still waits
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy):
        await appender.append(0, b"x")
    for node in brokers.nodes:
        node.resume()
    await waiting[0]
    await asyncio.to_thread(wait_until, lambda: not appender._messages)
    await appender.append(0, b"x")


async def test_messages_that_wait_are_bounded_in_size(log, brokers, appender):
    await appender.append(0, b"0")
    for node in brokers.nodes:
        node.pause()
    chunk = bytes(64 * 1024)
    waiting = [asyncio.create_task(appender.append(number % 13, chunk)) for number in range(BYTES_MAX // len(chunk))]
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy):
        await appender.append(0, b"x")
    for node in brokers.nodes:
        node.resume()
    await asyncio.gather(*waiting)
    assert (appender._messages, appender._bytes) == (0, 0)


async def test_the_longest_message_comes_as_it_was_sent(log, appender):
    message = random.Random(1).randbytes(MESSAGE_BYTES_MAX)
    await appender.append(DECISIONS, message)
    reader = reader_of(log)
    assert values(read_count(reader, 1), DECISIONS) == [message]
    reader.close()


async def test_a_message_that_is_too_long_is_refused_at_once(appender):
    with pytest.raises(ValueError, match="1,000,000"):
        await appender.append(0, bytes(MESSAGE_BYTES_MAX + 1))


async def test_a_close_answers_those_who_wait_and_ends_all_threads(log, brokers):
    before = thread_ids()
    appender = LogAppender(log, "test")
    await appender.append(0, b"0")
    assert thread_ids() > before
    for node in brokers.nodes:
        node.pause()
    waiting = [asyncio.create_task(appender.append(0, b"1")) for _ in range(5)]
    await asyncio.sleep(0)
    await appender.close()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(answer) for answer in answers] == [LogUnavailable] * 5
    wait_until(lambda: thread_ids() <= before)  # on this thread: another one would be one more
    with pytest.raises(LogUnavailable, match="this server ends"):
        await appender.append(0, b"2")
