"""Appends messages to the log from an event loop, which waits for nothing but the answer."""

import asyncio
import logging
from collections import deque
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple

from onecode_server.errors import LogUnavailable, Misconfigured, StoreBusy
from onecode_server.log.address import LogAddress
from onecode_server.log.client_settings import MESSAGE_BYTES_MAX, producer_settings
from onecode_server.log.polled_producer import POLL_S, PURGED_S, PolledProducer
from onecode_server.log.tls_files import TlsFiles
from onecode_server.log.topics import topic_of

DELIVERY_MS: Final = 10_000
"""The time for a message, with its repetitions: a new leader is there within some 6 s, also where the former one was
stopped and not killed. It is less than callers wait by default."""
MESSAGES_MAX: Final = 1024
"""Messages that are not confirmed yet: a second of small ones where a leader is away is a burst, more is a stall."""
BYTES_MAX: Final = 32 * 1024 * 1024
"""Their size: 512 chunks of 64 KiB, which a worker can hold twice, here and in the library."""
RETRY_S: Final = 1.0
"""When a refused caller may come back: most of what waits is confirmed within a second."""

_NAME: Final = "log-appender"

_log = logging.getLogger(__name__)


class Appended(NamedTuple):
    """Where a message lies in its partition."""

    offset: int


class _Outcome(NamedTuple):
    """What became of a message: its fault ("" for none) and its offset."""

    answer: "asyncio.Future[Appended]"
    size: int
    fault: str
    offset: int


class LogAppender:
    """Appends to the partitions of a log. Of one event loop, whose tasks may append beside each other.

    A message is confirmed when enough replicas have it (acks=all). It lies in the log once, and behind the messages
    that were appended to its partition before (an idempotent producer).
    """

    def __init__(self, address: LogAddress, client: str) -> None:
        """Begin to connect. Raises Misconfigured."""
        self._address = address
        self._settings = producer_settings(address, client) | {
            "enable.idempotence": True,
            "message.timeout.ms": DELIVERY_MS,
            # The bounds of this class come first.
            "queue.buffering.max.messages": 2 * MESSAGES_MAX,
            "queue.buffering.max.kbytes": 2 * BYTES_MAX // 1024,
        }
        self._producer: PolledProducer | None = self._made()
        self._messages = 0
        self._bytes = 0
        self._outcomes: deque[_Outcome] = deque()
        self._is_called = False
        self._is_closed = False

    async def append(self, partition: int, message: bytes) -> Appended:
        """Append a message of up to a million bytes to a partition (0 to 12), and return when it is confirmed.

        Raises LogUnavailable where it was not confirmed: it may be in the log, or come into it, nonetheless. Raises
        StoreBusy where too many wait, and ValueError for a message that is too long.
        """
        if len(message) > MESSAGE_BYTES_MAX:
            raise ValueError(f"a message has at most {MESSAGE_BYTES_MAX:,} bytes")
        if self._is_closed:
            raise LogUnavailable("nothing is appended any more: this server ends")
        if self._messages >= MESSAGES_MAX or self._bytes + len(message) > BYTES_MAX:
            raise StoreBusy("too many messages wait for the log", RETRY_S)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Appended] = loop.create_future()
        self._send(partition, message, loop, answer)
        self._messages += 1
        self._bytes += len(message)
        return await answer

    async def close(self) -> None:
        """Drop what waits, whose callers get LogUnavailable, and end the thread."""
        self._is_closed = True
        producer, self._producer = self._producer, None
        if producer is None:
            return
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            with suppress(RuntimeError):  # the loop has not waited for so long
                loop.call_soon_threadsafe(ended.set)

        producer.end(end)
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_S + 2 * PURGED_S):
                await ended.wait()

    def _send(
        self, partition: int, message: bytes, loop: asyncio.AbstractEventLoop, answer: "asyncio.Future[Appended]"
    ) -> None:
        from confluent_kafka import KafkaException  # noqa: PLC0415

        topic, number = topic_of(self._address, partition)
        told = partial(self._told, loop, answer, len(message))
        try:
            self._working_producer().send(topic, number, message, told)
        except BufferError:
            raise StoreBusy("too many messages wait for the log", RETRY_S) from None
        except (KafkaException, Misconfigured) as fault:
            raise LogUnavailable(f"a message was not sent to the log: {fault}") from None

    def _working_producer(self) -> PolledProducer:
        """Return the producer, a new one where the last has failed for good, or was made with other files."""
        if self._producer is not None and self._producer.fatal:
            _log.error("the log's producer has failed, and another one begins: %s", self._producer.fatal)
            self._producer.end()
            self._producer = None
        elif self._producer is not None and self._producer.is_outdated:
            self._producer.is_outdated = False
            with suppress(Misconfigured):  # else the present one goes on until the next change: it is connected
                another = self._made()
                self._producer.retire()
                self._producer = another
        if self._producer is None:
            self._producer = self._made()
        return self._producer

    def _made(self) -> PolledProducer:
        return PolledProducer(self._settings, _NAME, TlsFiles(self._address))

    def _told(
        self,
        loop: asyncio.AbstractEventLoop,
        answer: "asyncio.Future[Appended]",
        size: int,
        fault: str,
        offset: int,
    ) -> None:
        """Take what became of a message, on the producer's thread. One call of the loop takes all that has come."""
        self._outcomes.append(_Outcome(answer, size, fault, offset))
        if not self._is_called:
            self._is_called = True
            with suppress(RuntimeError):  # the loop has ended, and its callers with it
                loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        self._is_called = False  # before looking: what comes from now on calls again
        while self._outcomes:
            outcome = self._outcomes.popleft()
            self._messages -= 1
            self._bytes -= outcome.size
            if outcome.answer.done():  # its caller has left
                continue
            if outcome.fault:
                outcome.answer.set_exception(LogUnavailable(f"the log did not confirm a message: {outcome.fault}"))
            else:
                outcome.answer.set_result(Appended(outcome.offset))
