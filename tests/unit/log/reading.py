"""Readers of a test's log, and waiting for what they read."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from onecode_server.log import topics
from onecode_server.log.address import LogAddress
from onecode_server.log.reader import LogReader, Message, Position
from onecode_server.model.partition import ALL

WAIT_S = 60.0
"""Longer than anything takes: only a failure waits for so long."""
BEGINNING = Position(0, -1)


def reader_of(log: LogAddress, positions: dict[int, Position] | None = None) -> LogReader:
    """Return a reader of all partitions from their beginning, unless positions are given."""
    return LogReader(log, "onecode-test", positions or dict.fromkeys(ALL, BEGINNING), topics.topic_ids(log))


def read_until(reader: LogReader, is_enough: Callable[[list[Message]], bool]) -> list[Message]:
    """Return what a reader reads until it is enough."""
    read: list[Message] = []
    until_s = time.monotonic() + WAIT_S
    while not is_enough(read):
        assert time.monotonic() < until_s, f"{len(read)} messages were read; {reader.fault}"
        read += reader.read(0.1, 1000)
    return read


def read_count(reader: LogReader, count: int) -> list[Message]:
    """Return what a reader reads until there are so many messages."""
    return read_until(reader, lambda read: len(read) >= count)


def values(read: Iterable[Message], partition: int) -> list[bytes]:
    """Return the values of a partition's messages, in order."""
    return [message.value for message in read if message.partition == partition]


def wait_until(is_true: Callable[[], bool]) -> None:
    """Wait until something is true."""
    until_s = time.monotonic() + WAIT_S
    while not is_true():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def thread_ids() -> set[str]:
    """Return the ids of this process's threads, Python's and those of libraries."""
    return {thread.name for thread in Path("/proc/self/task").iterdir()}
