"""Lets a log begin with a store: writes what its partitions begin with, and reads it back.

The messages follow from the store alone, byte by byte. A log that has some of them already, since a migration was
broken off, is gone on with, and one that has others is refused.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple

from onecode_server.errors import LogUnavailable, Malformed, Misconfigured
from onecode_server.log.appender import LogAppender
from onecode_server.log.reader import LogReader, Message
from onecode_server.model.partition import ALL, DECISIONS
from onecode_server.model.partition_state import INITIAL, PartitionState
from onecode_server.replication import apply_beginning, message_form
from onecode_server.replication.genesis_form import ITEM_BYTES, ITEMS_MAX
from onecode_server.replication.ignored import IgnoredMessage
from onecode_server.replication.machine import Machine
from onecode_server.replication.messages import Genesis, Origin
from onecode_server.replication.signing import open_sealed
from onecode_server.stores.lmdb_contents import PartitionContent
from onecode_server.stores.stored_items import StoredItem

PART_BYTES: Final = 256 * 1024
"""Where a part ends, unless its first item is longer: a million audit entries are some 2,000 messages, and each is a
small part of what a machine reads at once."""
WAIT_S, SILENT_S = 0.1, 30.0
"""The longest waits for a message at once, and for leaders that do not answer, as while one is replaced."""
_MESSAGES_MAX: Final = 64
_ANEW: Final = (
    "a store can be brought only into topics without a message. Make them anew with your brokers' own tools and "
    "'onecode log init', or choose another --log-topic-prefix"
)


class Step(NamedTuple):
    """A message's body, and the digest of its partition once it is applied."""

    body: bytes
    digest: bytes


def of_status(machine: bytes, content: PartitionContent) -> Iterator[Step]:
    """Yield what a status partition begins with."""
    origin = Origin(machine, *content)
    yield Step(message_form.encode(origin), apply_beginning.begun(origin))


def of_decisions(machine: bytes, items: Iterable[StoredItem]) -> Iterator[Step]:
    """Yield what decisions begin with: one message at least, so that a log shows that it began with a store."""
    digest = INITIAL.digest
    for number, some in enumerate(_cut(items)):
        part = Genesis(machine, number, some)
        digest = apply_beginning.after(part, digest)
        try:
            body = message_form.encode(part)
        except Malformed:
            longest = max(some, key=lambda item: len(item.data))
            raise Misconfigured(
                f"the store's {longest.kind.name.lower()} has {len(longest.data):,} bytes, too many for a message"
            ) from None
        yield Step(body, digest)


def _cut(items: Iterable[StoredItem]) -> Iterator[tuple[StoredItem, ...]]:
    some: list[StoredItem] = []
    size, has_any = 0, False
    for item in items:
        length = ITEM_BYTES + len(item.key) + len(item.data)
        if some and (size + length > PART_BYTES or len(some) == ITEMS_MAX):
            yield tuple(some)
            some, size, has_any = [], 0, True
        some.append(item)
        size += length
    if some or not has_any:
        yield tuple(some)


class _Partition:
    """How much of what a partition begins with is in the log."""

    def __init__(self, steps: Iterator[Step]) -> None:
        self.steps = steps
        self.last: Step | None = None
        self.next = next(steps, None)
        self.count = 0
        self.state = INITIAL

    def follow(self, body: bytes, message: Message) -> bool:
        """Take a message if it is the next one, or the last one once more; tell whether it was."""
        if self.next is not None and body == self.next.body:
            self.last, self.next = self.next, next(self.steps, None)
            self.count += 1
        elif self.last is None or body != self.last.body:
            return False
        epoch, latest = max(self.state.epoch, message.epoch), max(self.state.time, message.time)
        self.state = PartitionState(message.offset + 1, epoch, latest, self.last.digest)
        return True


class Beginning:
    """What a log begins with, and how much of it the log has. ``machine`` writes it."""

    def __init__(self, machine: Machine, contents: Sequence[PartitionContent], items: Iterable[StoredItem]) -> None:
        """``contents`` are those of the status partitions, ``items`` all others."""
        name = machine.identifier
        self._machine = machine
        self._partitions = [_Partition(of_status(name, content)) for content in contents]
        self._partitions.append(_Partition(of_decisions(name, items)))

    @property
    def is_there(self) -> bool:
        """Whether the log has all of it."""
        return all(partition.next is None for partition in self._partitions)

    @property
    def states(self) -> dict[int, PartitionState]:
        """How far each partition was followed."""
        return {number: partition.state for number, partition in enumerate(self._partitions)}

    @property
    def parts(self) -> int:
        """The parts of decisions that were followed."""
        return self._partitions[DECISIONS].count

    def follow(self, reader: LogReader) -> None:
        """Follow the log from its first messages, where the reader is, to its ends.

        Raises Misconfigured where it has other messages, LogUnavailable, and LogBroken.
        """
        ends = reader.ends(SILENT_S)
        if any(first for first, _ in ends.values()):
            raise Misconfigured(f"the log has lost its first messages already: {_ANEW}")
        heard_s = time.monotonic()
        while any(self._partitions[number].state.offset < end for number, (_, end) in ends.items()):
            for message in reader.read(WAIT_S, _MESSAGES_MAX):
                self._follow(message)
                heard_s = time.monotonic()
            if time.monotonic() - heard_s > SILENT_S:
                raise LogUnavailable(f"the log has messages, and none came for {SILENT_S:g} s: {reader.fault}")

    def _follow(self, message: Message) -> None:
        number = message.partition
        try:
            opened = open_sealed(message.value, number, self._machine.cluster, message.time)
        except IgnoredMessage as fault:
            raise Misconfigured(f"the log is not empty ({fault}): {_ANEW}") from None
        if opened.machine != self._machine.identifier:
            raise Misconfigured(f"machine {opened.machine.hex()} has written to the log already: {_ANEW}")
        if not self._partitions[number].follow(opened.body, message):
            raise Misconfigured(f"partition {number} of the log does not begin with this store: {_ANEW}")

    async def append_rest(self, appender: LogAppender, advance: Callable[[int], None]) -> None:
        """Append what the log lacks; ``advance`` is called with the number of messages. Raises LogUnavailable: the log
        may then have more of it, and can be followed again.

        One message is on its way at a time: a later one never stands before an earlier one, whatever happens between.
        """
        done = 0
        for number in ALL:
            partition = self._partitions[number]
            rest = () if partition.next is None else (partition.next,)
            for step in chain(rest, partition.steps):
                await appender.append(number, self._machine.sealer.seal(step.body, number))
                done += 1
                advance(done)
