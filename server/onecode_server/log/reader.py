"""Reads a log from the places that a machine has reached, and never beyond a place where messages are missing."""

import logging
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from onecode_server.errors import LogBroken, LogUnavailable, Misconfigured
from onecode_server.log.address import LogAddress
from onecode_server.log.client_settings import REQUEST_MS, client_settings, made, reason
from onecode_server.log.tls_files import TlsFiles
from onecode_server.log.topic_ids import TopicIds
from onecode_server.log.topics import partitions_of, topic_of

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError
    from confluent_kafka import Message as Read

FETCHED_KB: Final = 16 * 1024
"""Messages that are fetched ahead, for all partitions together: 256 chunks of 64 KiB, of which a machine that catches
up applies some 50 a second."""
FETCH_WAIT_MS: Final = 500
"""The longest that a broker holds back an answer where there is no message; one ends it at once."""
SILENT_S: Final = 20.0
"""The time without any message, while the library reports faults, after which the consumer is made anew. Marks come
every second, and a cluster has another leader within 6 s."""

ASK_AGAIN_S: Final = 0.1
"""The pause between two questions to brokers that did not answer: some fail at once."""
CLOSE_S: Final = 3.0
"""The time for a consumer's close. librdkafka's has hung for ever on one that had failed for good."""

_log = logging.getLogger(__name__)


class Position(NamedTuple):
    """A place in a partition: the offset of the next message, and the leader epoch of the one before it, -1 where there
    is none."""

    offset: int
    epoch: int


class Message(NamedTuple):
    """A message. ``time`` is when the log appended it, by its leader's clock, in Unix microseconds."""

    partition: int
    offset: int
    epoch: int
    time: int
    value: bytes


class LogReader:
    """Reads partitions of a log in their order. Of one thread."""

    def __init__(
        self, address: LogAddress, group: str, positions: Mapping[int, Position], ids: Mapping[str, str]
    ) -> None:
        """Begin at ``positions`` of our partitions (0 to 12). ``ids`` are the topics' ids (``topics.topic_ids``), as
        they were when the positions were reached: no message of another topic is ever returned.

        ``group`` is a name that the brokers' access lists know; nothing is committed there. Raises Misconfigured.
        """
        self._settings = client_settings(address, group) | {
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            # Nobody here writes in transactions: a stranger's that stays open would hold up what comes behind it.
            "isolation.level": "read_uncommitted",
            "queued.max.messages.kbytes": FETCHED_KB,
            # Fetching goes on as soon as there is room, and an answer of a leader that hangs is not waited for.
            "fetch.queue.backoff.ms": 20,
            "fetch.error.backoff.ms": 100,
            "fetch.wait.max.ms": FETCH_WAIT_MS,
            "socket.timeout.ms": REQUEST_MS,
            "allow.auto.create.topics": False,
            "error_cb": self._note,
        }
        self._address = address
        self._partitions = partitions_of(address)
        self._positions = dict(positions)
        self._fault: str | None = None
        self._heard_s = time.monotonic()
        self._files = TlsFiles(address)
        self._consumer: Consumer | None = self._assigned()
        self._ids = TopicIds(address, group, ids)

    @property
    def fault(self) -> str | None:
        """What the library reported last, one line; None once a message has come after it."""
        return self._fault or self._ids.fault

    def read(self, timeout_s: float, messages_max: int) -> list[Message]:
        """Return up to ``messages_max`` messages, in each partition's order. It waits ``timeout_s`` for the first.

        Faults that may pass give no messages; ``fault`` has them. Raises LogBroken, with a line that says why, where
        the log cannot be followed from the positions: then nothing of this call was taken.
        """
        self._ids.expect()
        if self._files.have_changed():
            self._begin_anew("its files for TLS have changed")
            self._ids.begin_anew()
        if self._fault and time.monotonic() - self._heard_s > SILENT_S:
            self._begin_anew(self._fault)
        if self._consumer is None:
            raise LogBroken("the reader is closed")
        if not self._ids.are_known:
            # No message counts before it is known whose it is: what is fetched meanwhile waits.
            time.sleep(min(timeout_s, 0.01))
            return []
        first = self._consumer.poll(timeout_s)
        if first is None:
            return []
        found = [first, *self._consumer.consume(messages_max - 1, 0)] if messages_max > 1 else [first]
        read = [message for one in found if (message := self._message(one)) is not None]
        if read:
            self._heard_s = time.monotonic()
            self._fault = None
            for message in read:
                self._positions[message.partition] = Position(message.offset + 1, message.epoch)
        return read

    def ends(self, patience_s: float = 0.0) -> dict[int, tuple[int, int]]:
        """Return the offsets of each partition's first message, and of the one that will come next.

        It waits for the brokers for 2 s, and asks them again for ``patience_s``, as while a leader is replaced. Raises
        LogUnavailable."""
        until_s = time.monotonic() + patience_s
        while True:
            try:
                return self._ids.ends([*self._positions])
            except LogUnavailable:
                if time.monotonic() >= until_s:
                    raise
                time.sleep(ASK_AGAIN_S)

    def lag(self) -> dict[int, int]:
        """Return how many messages of each partition are behind its position, by the last answers of its leaders;
        nothing is asked for."""
        from confluent_kafka import KafkaException, TopicPartition  # noqa: PLC0415

        lag: dict[int, int] = {}
        for partition, position in self._positions.items():
            with suppress(KafkaException):  # no leader has answered yet
                place = TopicPartition(*topic_of(self._address, partition))
                _, end = self._consumer.get_watermark_offsets(place, cached=True) if self._consumer else (0, -1)
                if end >= 0:
                    lag[partition] = max(0, end - position.offset)
        return lag

    def close(self) -> None:
        """End the library's threads."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            _end(consumer)
        self._ids.close()

    def _assigned(self) -> "Consumer":
        """Return a consumer at the positions."""
        from confluent_kafka import Consumer, TopicPartition  # noqa: PLC0415

        consumer = made(Consumer, self._settings)
        places = []
        for partition, position in self._positions.items():
            # With the epoch the leader says whether this offset follows what was read, and is not another's.
            epoch = {"leader_epoch": position.epoch} if position.epoch >= 0 else {}
            places.append(TopicPartition(*topic_of(self._address, partition), position.offset, **epoch))
        consumer.assign(places)
        return consumer

    def _begin_anew(self, why: str) -> None:
        _log.warning("the log's consumer is made anew: %s", why)
        self._heard_s = time.monotonic()
        try:
            another = self._assigned()
        except Misconfigured as fault:  # a file for TLS that is just being replaced: the present one may go on
            self._fault = str(fault)
            return
        former, self._consumer = self._consumer, another
        if former is not None:
            _end(former)

    def _message(self, read: "Read") -> Message | None:
        """Return a message, None for a fault that may pass. Raises LogBroken."""
        from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME  # noqa: PLC0415

        partition = self._partitions[str(read.topic()), int(read.partition() or 0)] if read.topic() else -1
        if (error := read.error()) is not None:
            self._refuse(partition, error)
            return None
        kind, time_ms = read.timestamp()
        place = f"{read.topic()} [{read.partition()}], offset {read.offset()}"
        if kind != TIMESTAMP_LOG_APPEND_TIME:
            raise LogBroken(f"{place}: the log gave it no time (message.timestamp.type is not LogAppendTime)")
        offset = int(read.offset() or 0)
        if offset < self._positions[partition].offset:
            raise LogBroken(f"{place}: it came again, after {self._positions[partition].offset - 1}")
        epoch = read.leader_epoch()
        return Message(partition, offset, -1 if epoch is None else epoch, time_ms * 1000, read.value() or b"")

    def _refuse(self, partition: int, error: "KafkaError") -> None:
        from confluent_kafka import KafkaError  # noqa: PLC0415

        if error.code() in (
            KafkaError._AUTO_OFFSET_RESET,
            KafkaError._LOG_TRUNCATION,
            KafkaError.OFFSET_OUT_OF_RANGE,
        ):
            where = f"partition {partition} cannot be read on from offset {self._positions[partition].offset}"
            raise LogBroken(f"{where}: {error.str()}. Restore a backup of another machine")
        if error.code() == KafkaError._FATAL:  # only of members of a group, which this consumer is not
            raise LogBroken(f"the reader has failed for good: {error.str()}. Start the server again")
        self._note(error)

    def _note(self, error: Any) -> None:
        self._fault = reason(error)


def _end(consumer: "Consumer") -> None:
    """Close a consumer, and wait for that no longer than CLOSE_S: its last threads end with the process otherwise."""
    closing = threading.Thread(target=consumer.close, name="log-reader-close", daemon=True)
    closing.start()
    closing.join(CLOSE_S)
