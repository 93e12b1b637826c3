"""A producer of librdkafka with the thread that polls it: what became of each message is told on that thread."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from onecode_server.log.client_settings import made, reason
from onecode_server.log.tls_files import TlsFiles

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

POLL_S: Final = 0.1
"""The longest wait for an event. An event ends it at once; this is how soon an end is noticed."""
PURGED_S: Final = 2.0
"""The time for telling of the messages that an end drops."""

Told = Callable[[str, int], None]
"""What became of a message: what kept it from being confirmed ("" where nothing did), and its offset."""


class PolledProducer:
    """Sends messages by a producer with ``settings``, on a thread of its own, until it is closed or has failed."""

    def __init__(self, settings: dict[str, Any], name: str, files: TlsFiles) -> None:
        """Begin to connect. Raises Misconfigured."""
        from confluent_kafka import Producer  # noqa: PLC0415

        self._fatal = ""
        self._files = files
        self.is_outdated = False
        """Whether the files for TLS have changed, so that new connections would fail one day. Who tries to make another
        producer for that sets it back."""
        self._is_closed = False
        self._is_retired = False
        self._ended: Callable[[], None] | None = None
        self._producer = made(Producer, settings)
        self._thread = threading.Thread(target=self._poll, name=name, daemon=True)
        self._thread.start()

    @property
    def fatal(self) -> str:
        """Why this producer sends nothing any more, "" where it does: an idempotent producer ends where it could no
        longer tell whether a message came twice."""
        return self._fatal

    def send(self, topic: str, partition: int, message: bytes, told: Told) -> None:
        """Send a message; ``told`` is called on the producer's thread. Raises BufferError where too many wait, and
        KafkaException."""

        def delivered(error: "KafkaError | None", sent: "Message") -> None:
            told("" if error is None else reason(error), sent.offset() or 0)

        self._producer.produce(topic, message, partition=partition, on_delivery=delivered)

    def retire(self) -> None:
        """Have the thread end once it is known of each message what became of it. Returns at once."""
        self._is_retired = True

    def end(self, ended: Callable[[], None] | None = None) -> None:
        """Have the thread drop what waits, tell of it, and end; then it calls ``ended``. Returns at once."""
        self._ended = ended
        self._is_closed = True

    def _poll(self) -> None:
        producer = self._producer
        while not self._is_closed and not (self._is_retired and not len(producer)):
            self._take_events(producer)
            if self._files.have_changed():
                self.is_outdated = True
        producer.purge()
        until_s = time.monotonic() + PURGED_S
        while len(producer) and time.monotonic() < until_s:
            self._take_events(producer)
        del self._producer, producer  # the last reference ends the library's own threads
        if self._ended is not None:
            self._ended()

    def _take_events(self, producer: "Producer") -> None:
        from confluent_kafka import KafkaException  # noqa: PLC0415

        try:
            producer.poll(POLL_S)
        except KafkaException as fault:  # raised once, where it has failed for good; messages are told of afterwards
            self._fatal = reason(fault.args[0])
