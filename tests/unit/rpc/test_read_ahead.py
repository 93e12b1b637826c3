"""Reading ahead on a stream: bounded, in order, and ended by the stream, by its failure or by the server's end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from onecode_server.rpc.read_ahead import ReadAhead


class Stream:
    """Messages as they come, and how many were read."""

    def __init__(self, count: int, fault: Exception | None = None, *, stays_open: bool = False) -> None:
        self._count, self._fault, self._stays_open = count, fault, stays_open
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in range(self._count):
            self.read += 1
            yield number
        if self._fault is not None:
            raise self._fault
        if self._stays_open:
            await asyncio.Event().wait()


def intake_of(messages: AsyncIterator[int], stop: asyncio.Event, bytes_max: int = 10_000) -> ReadAhead[int]:
    """Read at most 20 numbers ahead; each is said to have as many bytes as its number."""
    return ReadAhead(messages, 20, bytes_max, lambda number: number, stop)


async def taken(intake: ReadAhead[int], count_max: int = 10) -> list[int]:
    found: list[int] = []
    while chunk := await asyncio.wait_for(intake.take(count_max), 5):
        assert len(chunk) <= count_max
        found += chunk
    return found


async def test_all_messages_come_in_order_in_chunks() -> None:
    intake = intake_of(aiter(Stream(95)), asyncio.Event())
    assert await taken(intake) == list(range(95))
    intake.close()


async def test_no_more_than_the_bound_is_read_ahead() -> None:
    stream = Stream(1000)
    intake = intake_of(aiter(stream), asyncio.Event())
    await asyncio.sleep(0.05)
    assert stream.read == 20
    intake.close()


async def test_no_more_bytes_than_the_bound_are_read_ahead_but_for_the_last_message() -> None:
    stream = Stream(1000)
    intake = intake_of(aiter(stream), asyncio.Event(), bytes_max=12)  # 0 + 1 + 2 + 3 + 4 are 10 bytes, and 5 more
    await asyncio.sleep(0.05)
    assert stream.read == 6
    assert await intake.take(4) == [0, 1, 2, 3]
    await asyncio.sleep(0.05)  # 4 + 5 are 9 bytes: there is room for 6, and then for none
    assert await intake.take(10) == [4, 5, 6]
    intake.close()


async def test_gathering_ends_where_the_bytes_are_full() -> None:
    intake = intake_of(aiter(Stream(1000)), asyncio.Event(), bytes_max=12)
    await asyncio.wait_for(intake.gather(15, within_s=60), 5)
    assert await intake.take(20) == [0, 1, 2, 3, 4, 5]
    intake.close()


async def test_a_failure_of_the_stream_comes_after_what_was_read_before_it() -> None:
    intake = intake_of(aiter(Stream(5, ValueError("broken"))), asyncio.Event())
    assert await intake.take(10) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="broken"):
        await intake.take(10)
    intake.close()


async def test_the_servers_end_ends_a_stream_that_stays_open() -> None:
    stop = asyncio.Event()
    intake = intake_of(aiter(Stream(3, stays_open=True)), stop)
    assert await intake.take(10) == [0, 1, 2]
    stop.set()
    assert await asyncio.wait_for(intake.take(10), 5) == []
    intake.close()


@pytest.mark.parametrize("taken_before", [0, 1, 5, 19, 20])
async def test_at_the_servers_end_everything_that_was_read_is_handed_out(taken_before: int) -> None:
    stop, stream = asyncio.Event(), Stream(1000)
    intake = intake_of(aiter(stream), stop)
    await asyncio.sleep(0.05)
    before = await intake.take(taken_before) if taken_before else []
    await asyncio.sleep(0.05)
    stop.set()
    assert before + await taken(intake) == list(range(stream.read))
    intake.close()


async def test_once_it_ended_it_says_so_again_and_again() -> None:
    intake = intake_of(aiter(Stream(3)), asyncio.Event())
    assert await taken(intake) == [0, 1, 2]
    assert await taken(intake) == []
    intake.close()


async def test_gathering_ends_with_the_count_or_with_the_stream_and_has_taken_nothing() -> None:
    for stream, waiting in ((Stream(15, stays_open=True), 15), (Stream(4), 4)):
        intake = intake_of(aiter(stream), asyncio.Event())
        await asyncio.wait_for(intake.gather(15, within_s=60), 5)
        assert await intake.take(20) == list(range(waiting))
        intake.close()


async def test_gathering_ends_with_its_time_where_no_more_come() -> None:
    intake = intake_of(aiter(Stream(4, stays_open=True)), asyncio.Event())
    await asyncio.wait_for(intake.gather(15, within_s=0.01), 5)
    assert await intake.take(20) == [0, 1, 2, 3]
    intake.close()


async def test_gathering_ends_with_the_server_and_with_what_was_read_ahead() -> None:
    stop = asyncio.Event()
    intake = intake_of(aiter(Stream(3, stays_open=True)), stop)
    gathering = asyncio.create_task(intake.gather(15, within_s=60))
    await asyncio.sleep(0.05)
    stop.set()
    await asyncio.wait_for(gathering, 5)
    assert await taken(intake) == [0, 1, 2]
    intake.close()
