"""A call of the load's HTTP/2 client: what came of it so far, and who waits for it."""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

AN_ERROR: Final = "a call ended with an error instead of an answer"


class Unanswered(SystemExit):
    """A call ended without the message that it must have, or the connection did."""


class Call(Protocol):
    """Who waits for a call. One of its methods is called, once; no future and no task is needed for that."""

    def answered(self, body: bytes) -> None:
        """Take the framed answer; of a stream of messages, whose answers were taken before, an empty one."""

    def refused(self) -> None:
        """Take it that the call has only been given a status, without a message or a header before it."""

    def failed(self, why: Unanswered) -> None:
        """Take it that the call ended otherwise, or the connection did."""


class Awaited:
    """A call for which a coroutine waits."""

    def __init__(self) -> None:
        self.ended = asyncio.get_running_loop().create_future()

    def answered(self, body: bytes) -> None:
        """End the wait."""
        if not self.ended.done():
            self.ended.set_result(body)

    def refused(self) -> None:
        """End the wait: for whoever has not said otherwise, a refusal is an error."""
        self.failed(Unanswered(AN_ERROR))

    def failed(self, why: Unanswered) -> None:
        """End the wait with an exception."""
        if not self.ended.done():
            self.ended.set_exception(why)


class Stream:
    """What a call's server may still be sent, and what came."""

    __slots__ = ("body", "call", "has_begun", "on_messages", "window")

    def __init__(self, window: int, call: Call, on_messages: Callable[[int], None] | None = None) -> None:
        self.window = window
        self.body = b""
        self.call = call
        self.has_begun = False
        self.on_messages = on_messages

    def take(self, payload: bytes) -> None:
        """Take a part of what its server sends."""
        self.body = self.body + payload if self.body else payload
        if self.on_messages is not None:
            count = at = 0
            while len(self.body) - at >= 5:
                ends_at = at + 5 + int.from_bytes(self.body[at + 1 : at + 5], "big")
                if ends_at > len(self.body):
                    break
                count, at = count + 1, ends_at
            self.body = self.body[at:]
            if count:
                self.on_messages(count)

    def end(self) -> None:
        """Tell whoever waits how it ended."""
        if self.on_messages is not None or len(self.body) >= 5:
            self.call.answered(self.body)
        elif self.has_begun:
            self.call.failed(Unanswered(AN_ERROR))
        else:
            self.call.refused()
