"""One publication over one or more streams: unacknowledged records are kept, and sent again on the next stream."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from onecode.v1 import status_pb2 as pb
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


class Outbox:
    """Numbers records as they are read, and keeps them until they are acknowledged.

    gRPC takes a stream's requests in a thread of its own, which may still wait for a record long after its stream has
    broken. So one thread at a time reads records, and a record is sent on the stream that is open by then.
    """

    def __init__(self, records: Iterable[pb.StatusRecord], first_sequence: int) -> None:
        self._records = enumerate(records, first_sequence)
        self._kept: deque[pb.PublishStatusesRequest] = deque()
        self._stream = 0
        self._fault: Exception | None = None
        self._reading = threading.Lock()
        self._changed = threading.Condition()

    def stream(self) -> Iterator[pb.PublishStatusesRequest]:
        """Return the requests of a new stream: the kept ones, then new ones. The previous stream ends."""
        with self._changed:
            self._stream += 1
            self._changed.notify_all()
            return self._requests(self._stream)

    def acknowledge(self, through: int) -> None:
        """Drop the records up to a sequence, so that others can be sent."""
        with self._changed:
            while self._kept and self._kept[0].sequence <= through:
                self._kept.popleft()
            self._changed.notify_all()

    def close(self) -> None:
        """End the stream, so that no thread waits for acknowledgements any more."""
        with self._changed:
            self._stream += 1
            self._changed.notify_all()

    def finish(self) -> None:
        """Raise the exception of reading records, or ServerError where the server left some without an answer."""
        if self._fault is not None:
            raise self._fault
        if self._kept:
            raise ServerError(
                "INTERNAL", f"the stream ended before sequence {self._kept[-1].sequence} was acknowledged"
            )

    def _requests(self, stream: int) -> Iterator[pb.PublishStatusesRequest]:
        sent = 0
        while (request := self._after(sent, stream)) is not None:
            sent = request.sequence
            yield request

    def _after(self, sent: int, stream: int) -> pb.PublishStatusesRequest | None:
        """Return the request that follows ``sent`` on a stream, once there is one; None where the stream ends."""
        with self._changed:
            self._changed.wait_for(
                lambda: stream != self._stream or len(self._kept) < WINDOW_RECORDS or self._kept[-1].sequence > sent
            )
            if stream != self._stream or (self._kept and self._kept[-1].sequence > sent):
                return self._kept_after(sent, stream)
        with self._reading:
            with self._changed:  # meanwhile another stream's thread may have read a record
                if stream != self._stream or (self._kept and self._kept[-1].sequence > sent):
                    return self._kept_after(sent, stream)
            return self._read(stream)

    def _kept_after(self, sent: int, stream: int) -> pb.PublishStatusesRequest | None:
        return None if stream != self._stream else self._kept[max(0, sent + 1 - self._kept[0].sequence)]

    def _read(self, stream: int) -> pb.PublishStatusesRequest | None:
        try:
            number, record = next(self._records)
        except StopIteration:
            return None
        except Exception as fault:  # raised by ``finish``, after the answers to the records before
            self._fault = fault
            return None
        request = pb.PublishStatusesRequest(sequence=number, record=record)
        with self._changed:
            self._kept.append(request)
            return request if stream == self._stream else None


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
