"""One publication over one or more streams: unacknowledged records are kept, and sent again on the next stream."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from onecode.v1 import status_pb2 as pb
from onecode_client import outbox
from onecode_client.channels import TRANSIENT
from onecode_client.errors import ServerError

WINDOW_RECORDS: Final = 5000
"""The bound on records that are sent but not acknowledged, some hundred bytes each. A server commits up to 1,000 and
reads 2,000 ahead; the rest is on its way there and back. Further records wait."""
PATIENCE_S: Final = 120.0
"""The time to try again without an acknowledgement. A server restarts within seconds and a machine within a minute or
two; a longer interruption is an outage, which should be reported to a person."""
PAUSE_MIN_S: Final = 0.1
PAUSE_MAX_S: Final = 2.0
"""Pauses double from the first to this one: a server that is back is found soon, one that is not gets few attempts."""


def failures(answer: pb.PublishStatusesResponse) -> list[pb.Rejection]:
    """Return the rejections of an answer that need attention: all but SUPERSEDED.

    SUPERSEDED means that the platform has a newer record: a publisher repeated a record without an answer, or its
    workers overtook each other.
    """
    return [one for one in answer.rejections if one.reason != pb.REJECTION_REASON_SUPERSEDED]


class Outbox(outbox.Outbox[pb.PublishStatusesRequest]):
    """Numbers records as they are read, and keeps them until they are acknowledged."""

    def __init__(self, records: Iterable[pb.StatusRecord], first_sequence: int) -> None:
        super().__init__(numbered_requests(enumerate(records, first_sequence)), WINDOW_RECORDS)


def numbered_requests(
    records: Iterable[tuple[int, pb.StatusRecord]],
) -> Iterator[tuple[int, pb.PublishStatusesRequest]]:
    """Yield the requests of a stream with their numbers, which rise."""
    for number, record in records:
        yield number, pb.PublishStatusesRequest(sequence=number, record=record)


class Patience:
    """Limits repeated attempts: pauses that double, with jitter, until ``patience_s`` seconds passed without success.

    ``interrupted`` is called with the first failure after each acknowledgement.
    """

    def __init__(self, patience_s: float, interrupted: Callable[[ServerError], None] | None = None) -> None:
        self._patience_s = patience_s
        self._interrupted = interrupted
        self._since_s: float | None = None
        self._pause_s = PAUSE_MIN_S

    def renew(self) -> None:
        """Begin anew, after an acknowledgement."""
        self._since_s = None
        self._pause_s = PAUSE_MIN_S

    def spend(self, fault: ServerError) -> None:
        """Sleep before the next attempt. Raises ``fault`` where time does not mend it, or did not."""
        now_s = time.monotonic()
        is_first = self._since_s is None
        since_s = self._since_s = now_s if self._since_s is None else self._since_s
        if fault.code not in TRANSIENT or now_s - since_s >= self._patience_s:
            raise fault
        if is_first and self._interrupted is not None:
            self._interrupted(fault)
        # Jitter: the publishers of a server that comes back do not all connect at the same moment.
        time.sleep(random.uniform(self._pause_s / 2, self._pause_s))  # noqa: S311 - no secret
        self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)
