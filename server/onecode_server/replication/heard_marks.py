"""What the machines of a log say of themselves: their newest marks, compared with what one machine has applied."""

import time
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from onecode_server.errors import Malformed
from onecode_server.log.reader import LogReader, Message
from onecode_server.model.partition import DECISIONS
from onecode_server.replication import message_form, signing
from onecode_server.replication.agreement import WORD_US
from onecode_server.replication.ignored import IgnoredMessage
from onecode_server.replication.mark_keeper import MARK_S
from onecode_server.replication.messages import NO_OFFSET, Mark
from onecode_server.replication.rule_versions import UnknownRules
from onecode_server.stores.lmdb_replica import LmdbReplica

HEAR_S: Final = 3 * MARK_S
"""The time for which the log is heard: each machine that runs sends a mark to each partition every second."""
TAIL_MESSAGES: Final = 64
"""Messages of each partition before its end that are read as well: 50 MB if all were of the largest. A machine that
ended a moment ago is seen by them."""
MACHINES_MAX: Final = 256
"""The machines that are listed: more than a log has."""
_MESSAGES_MAX: Final = 256
_READ_S: Final = 0.2
_COMPARED_S: Final = 3 * MARK_S
"""The wait for this machine to apply marks that were heard, where it runs."""


class HeardMachine(NamedTuple):
    """A machine: its newest ``marks`` by partition, and the log's ``time`` of the newest (Unix microseconds)."""

    machine: bytes
    time: int
    marks: dict[int, Mark]

    @property
    def knows(self) -> int:
        """The latest version of the rules that its program knows, 0 where it does not say."""
        return max(self.marks.values(), key=lambda mark: mark.sent_at).knows


class Comparison(NamedTuple):
    """The partitions in which another machine's state is this machine's, and those in which it is not. The others are
    in neither: this machine has not applied the mark, or it is too old."""

    equal: list[int]
    differing: list[int]


def hear(reader: LogReader, cluster: bytes) -> list[HeardMachine]:
    """Return the machines whose marks, signed by a machine of the cluster (its key has 32 bytes), come within HEAR_S.
    Raises LogBroken."""
    found: dict[bytes, HeardMachine] = {}
    ends_s = time.monotonic() + HEAR_S
    while time.monotonic() < ends_s:
        take(found, reader.read(_READ_S, _MESSAGES_MAX), cluster)
    return sorted(found.values())


def take(found: dict[bytes, HeardMachine], messages: Iterable[Message], cluster: bytes) -> None:
    """Keep the newest marks of messages in ``found``, by machine."""
    for message in messages:
        mark = _mark(message, cluster)
        if mark is None or (mark.machine not in found and len(found) >= MACHINES_MAX):
            continue
        known = found.get(mark.machine, HeardMachine(mark.machine, 0, {}))
        marks = known.marks | {message.partition: mark}
        found[mark.machine] = HeardMachine(mark.machine, max(known.time, message.time), marks)


def live(heard: Sequence[HeardMachine]) -> list[HeardMachine]:
    """Return the machines that run: their newest marks are less than WORD_US older than the newest one of all."""
    newest = max((one.time for one in heard), default=0)
    return [one for one in heard if newest - one.time < WORD_US]


def compare(store: LmdbReplica, heard: HeardMachine) -> Comparison:
    """Return whether a machine's digests, and in decisions its audit record's head, are those that this machine had at
    the same place. It waits a moment for this machine to come there. Raises StoreUnavailable."""
    ends_s = time.monotonic() + _COMPARED_S
    named = {partition: mark for partition, mark in heard.marks.items() if mark.offset != NO_OFFSET}
    while True:
        own = store.checkpoints([(partition, mark.offset) for partition, mark in named.items()])
        if None not in own or time.monotonic() > ends_s:
            break
        time.sleep(_READ_S)
    result = Comparison([], [])
    for (partition, mark), checkpoint in zip(named.items(), own, strict=True):
        said = mark.digest + mark.audit_head if partition == DECISIONS else mark.digest
        if checkpoint is not None:
            (result.equal if checkpoint == said else result.differing).append(partition)
    return Comparison(sorted(result.equal), sorted(result.differing))


def _mark(message: Message, cluster: bytes) -> Mark | None:
    """Return the mark that a message is, None for all others."""
    try:
        signer, body = signing.open_sealed(message.value, message.partition, cluster, message.time)
        found = message_form.decode(body, message.partition, message.time)
    except (IgnoredMessage, Malformed, UnknownRules):
        return None
    return found if isinstance(found, Mark) and found.machine == signer else None
