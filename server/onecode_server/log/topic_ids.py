"""Watches the ids of a log's topics: one that was deleted and made anew is another log, with the same offsets."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from onecode_server.errors import LogBroken, LogUnavailable, Misconfigured
from onecode_server.log.address import LogAddress
from onecode_server.log.client_settings import REQUEST_MS, reason
from onecode_server.log.partition_places import offsets
from onecode_server.log.topics import admin, names

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

CHECK_S: Final = 1.0
"""The time from one question to the next. A topic that is made anew cannot grow past our offsets in it."""
MISSING_MAX: Final = 3
"""Answers in a row that know nothing of a topic, before it is taken for deleted: a broker that has just begun may know
less than the others."""
_REQUEST_S: Final = REQUEST_MS / 1000


class TopicIds:
    """Asks for the ids of both topics, without waiting for the answers. Of one thread."""

    def __init__(self, address: LogAddress, client: str, expected: Mapping[str, str]) -> None:
        """``expected`` are the ids by the topics' names. Raises Misconfigured."""
        self._address = address
        self._client = client
        self._expected = {name: expected[name] for name in names(address)}
        self._admin: AdminClient | None = admin(address, client)
        self._asked: dict[str, Future[Any]] = {}
        self._next_s = 0.0
        self._missing = 0
        self.are_known = False
        """Whether a first answer has shown that the topics are those that were expected."""
        self.fault: str | None = None
        """Why the newest question has no answer."""

    def expect(self) -> None:
        """Look at the answers that have come, and ask again when it is time. Raises LogBroken where a topic has another
        id, or is gone."""
        if self._asked and all(future.done() for future in self._asked.values()):
            asked, self._asked = self._asked, {}
            self._compare(asked)
        if not self._asked and time.monotonic() >= self._next_s:
            self._ask()

    def ends(self, partitions: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Return the first and the next offset of our partitions. Raises LogUnavailable where one does not tell."""
        if self._admin is None:
            raise LogUnavailable("the reader is closed")
        found = dict(offsets(self._admin, self._address, partitions, _REQUEST_S))
        if len(found) < len(partitions):
            silent = next(partition for partition in partitions if partition not in found)
            raise LogUnavailable(f"the log does not tell its ends: partition {silent} has no leader that answers")
        return found

    def begin_anew(self) -> None:
        """Ask by new connections from now on, where they can be made: files for TLS have changed."""
        with suppress(Misconfigured):
            self._admin, self._asked = admin(self._address, self._client), {}

    def close(self) -> None:
        """End the library's threads."""
        self._admin = None
        self._asked = {}

    def _ask(self) -> None:
        from confluent_kafka import TopicCollection  # noqa: PLC0415

        if self._admin is None:
            return
        self._admin.poll(0)  # the library's log lines, which nothing else takes
        self._next_s = time.monotonic() + CHECK_S
        topics = TopicCollection([*self._expected])
        self._asked = self._admin.describe_topics(topics, request_timeout=_REQUEST_S)

    def _compare(self, asked: "Mapping[str, Future[Any]]") -> None:
        from confluent_kafka import KafkaError, KafkaException  # noqa: PLC0415

        missing = False
        for name, future in asked.items():
            try:
                found = str(future.result().topic_id)
            except KafkaException as fault:
                self.fault = f"{name}: {reason(fault.args[0])}"
                if fault.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    return
                missing = True
                continue
            if found != self._expected[name]:
                raise LogBroken(
                    f"{name} is another topic than the one that this machine has read ({found}, not "
                    f"{self._expected[name]}): it was made anew. Restore a backup that belongs to it"
                )
        self._missing = self._missing + 1 if missing else 0
        if self._missing >= MISSING_MAX:
            raise LogBroken(f"a topic is gone: {self.fault}. Restore the log, or begin with a new one")
        if not missing:
            self.are_known = True
            self.fault = None
