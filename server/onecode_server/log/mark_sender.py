"""Sends marks to the log from a thread that must not wait: a mark that is late is worth nothing, since the next one
says the same and more."""

import logging
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from onecode_server.errors import Misconfigured
from onecode_server.log.address import LogAddress
from onecode_server.log.client_settings import made, producer_settings, reason
from onecode_server.log.tls_files import TlsFiles
from onecode_server.log.topics import topic_of
from onecode_server.model.partition import ALL

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

IN_FLIGHT_MAX: Final = 2
"""Marks of a partition that are not confirmed yet: one on its way, and one that waits for a new leader."""
DELIVERY_MS: Final = 3000
"""The time for a mark. A status is current for 5 s from the moment at which its mark was sent."""

_log = logging.getLogger(__name__)


class MarkSender:
    """Sends messages to the partitions of a log, and forgets those that fail. Of one thread.

    A mark is sent once and not repeated, so that a leader that hangs holds up no other partition: an idempotent
    producer would have all of them wait until it knows what became of each message.
    """

    def __init__(self, address: LogAddress, client: str) -> None:
        """Begin to connect. Raises Misconfigured."""
        self._address = address
        self._settings = producer_settings(address, client) | {
            "message.timeout.ms": DELIVERY_MS,
            "message.send.max.retries": 0,
            "queue.buffering.max.messages": IN_FLIGHT_MAX * len(ALL) * 2,
        }
        self._in_flight: Counter[int] = Counter()
        self._fatal = ""
        self._faults: dict[int, str] = {}
        self._files = TlsFiles(address)
        self._producer: Producer | None = self._made()

    @property
    def fault(self) -> str | None:
        """Why the newest mark of some partition was not confirmed; None where all were."""
        return next((f"partition {partition}: {fault}" for partition, fault in self._faults.items()), None)

    def send(self, partition: int, message: bytes) -> bool:
        """Send a mark to a partition (0 to 12); it waits for nothing. Returns whether it was sent: no more than
        IN_FLIGHT_MAX of a partition are on their way."""
        from confluent_kafka import KafkaException  # noqa: PLC0415

        if self._in_flight[partition] >= IN_FLIGHT_MAX:
            return False
        topic, number = topic_of(self._address, partition)

        def delivered(error: "KafkaError | None", _: "Message") -> None:
            self._in_flight[partition] -= 1
            if error is None:
                self._faults.pop(partition, None)
            else:
                self._faults[partition] = reason(error)

        try:
            self._working_producer().produce(topic, message, partition=number, on_delivery=delivered)
        except (BufferError, KafkaException, Misconfigured) as fault:
            self._faults[partition] = str(fault)
            return False
        self._in_flight[partition] += 1
        return True

    def poll(self) -> None:
        """Take what became of the marks that were sent. It waits for nothing."""
        from confluent_kafka import KafkaException  # noqa: PLC0415

        if self._producer is None:
            return
        try:
            self._producer.poll(0)
        except KafkaException as fault:  # it has failed for good
            self._fatal = reason(fault.args[0])

    def close(self) -> None:
        """Drop what waits, and end the library's threads."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()

    def _working_producer(self) -> "Producer":
        if self._fatal:
            _log.error("the producer of marks has failed, and another one begins: %s", self._fatal)
            self.close()
            self._fatal = ""
            self._in_flight.clear()
        elif self._files.have_changed():
            with suppress(Misconfigured):  # else the present one goes on until the next change: it is connected
                another = self._made()
                self.close()
                self._producer = another
                self._in_flight.clear()
        if self._producer is None:
            self._producer = self._made()
        return self._producer

    def _made(self) -> "Producer":
        from confluent_kafka import Producer  # noqa: PLC0415

        return made(Producer, self._settings)
