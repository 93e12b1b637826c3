"""The requests of a stream that may break: those without an answer are kept, and sent again on the next stream."""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Final, Generic, NamedTuple, TypeVar

from google.protobuf.message import Message

from onecode_client.errors import ServerError

BYTES_MAX: Final = 4 * 1024 * 1024
"""The bound on the bytes that are kept: as much as a server takes in one call. One request may be longer."""

_Q = TypeVar("_Q", bound=Message)


class _Kept(NamedTuple, Generic[_Q]):
    """A request with the place in which it was read, its number and its size in bytes."""

    place: int
    number: int
    request: _Q
    size: int


class Outbox(Generic[_Q]):
    """Keeps requests until they are acknowledged, at most ``window`` of them.

    gRPC takes a stream's requests in a thread of its own, which may still wait for a request long after its stream has
    broken. So one thread at a time reads requests, and a request is sent on the stream that is open by then.
    """

    def __init__(self, requests: Iterator[tuple[int, _Q]], window: int) -> None:
        """``requests`` are read as they are sent, each with its number; the numbers rise."""
        self._unread = requests
        self._window = window
        self._kept: deque[_Kept[_Q]] = deque()
        self._read_count = 0
        self._kept_bytes = 0
        self._stream = 0
        self._fault: Exception | None = None
        self._reading = threading.Lock()
        self._changed = threading.Condition()

    @property
    def is_waiting(self) -> bool:
        """Whether a request was read that has no answer yet."""
        return bool(self._kept)

    def stream(self) -> Iterator[_Q]:
        """Return the requests of a new stream: the kept ones, then new ones. The previous stream ends."""
        with self._changed:
            self._stream += 1
            self._changed.notify_all()
            return self._requests(self._stream)

    def acknowledge(self, through: int) -> int:
        """Drop the requests up to a number, so that others can be sent, and return how many these were."""
        with self._changed:
            before = len(self._kept)
            while self._kept and self._kept[0].number <= through:
                self._kept_bytes -= self._kept.popleft().size
            self._changed.notify_all()
            return before - len(self._kept)

    def close(self) -> None:
        """End the stream, so that no thread waits for acknowledgements any more."""
        with self._changed:
            self._stream += 1
            self._changed.notify_all()

    def finish(self) -> None:
        """Raise the exception of reading requests, or ServerError where the server left some without an answer."""
        if self._fault is not None:
            raise self._fault
        if self._kept:
            raise ServerError("INTERNAL", f"the stream ended before sequence {self._kept[-1].number} was acknowledged")

    def _requests(self, stream: int) -> Iterator[_Q]:
        sent = 0
        while (following := self._after(sent, stream)) is not None:
            sent = following.place
            yield following.request

    def _has_room(self) -> bool:
        return len(self._kept) < self._window and self._kept_bytes < BYTES_MAX

    def _after(self, sent: int, stream: int) -> _Kept[_Q] | None:
        """Return the request behind the place ``sent`` on a stream, once there is one; None where the stream ends."""
        with self._changed:
            self._changed.wait_for(lambda: stream != self._stream or self._has_room() or self._kept[-1].place > sent)
            if stream != self._stream or (self._kept and self._kept[-1].place > sent):
                return self._kept_after(sent, stream)
        with self._reading:
            with self._changed:  # meanwhile another stream's thread may have read a request
                if stream != self._stream or (self._kept and self._kept[-1].place > sent):
                    return self._kept_after(sent, stream)
            return self._read(stream)

    def _kept_after(self, sent: int, stream: int) -> _Kept[_Q] | None:
        return None if stream != self._stream else self._kept[max(0, sent + 1 - self._kept[0].place)]

    def _read(self, stream: int) -> _Kept[_Q] | None:
        try:
            number, request = next(self._unread)
        except StopIteration:
            return None
        except Exception as fault:  # raised by ``finish``, after the answers to the requests before
            self._fault = fault
            return None
        with self._changed:
            self._read_count += 1
            kept = _Kept(self._read_count, number, request, request.ByteSize())
            self._kept.append(kept)
            self._kept_bytes += kept.size
            return kept if stream == self._stream else None
