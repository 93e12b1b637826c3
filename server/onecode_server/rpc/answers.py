"""Large answers, from when they are written until they are taken: bounded in bytes.

A caller that does not read, and says so to HTTP/2, leaves its answers in gRPC's hands for as long as it likes: nothing
here ends them before its connection ends. So they are counted, and one more is refused where there is no room. A
connection may hold half of what is free (the dynamic threshold of switches that share their memory: Choudhury and
Hahne, 1998), so that few who read nothing leave room to many who do; one answer at a time it may have even then.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import grpc.aio

from onecode_server.errors import Overloaded

LARGE_BYTES: Final = 16 * 1024
"""Smaller answers are not counted: of RPCS_MAX calls they take no more than the calls themselves."""
SHARED_BYTES: Final = 64 * 1024 * 1024
"""What connections share: some twenty of the largest answers, full batches of translations."""
HELD_BYTES_MAX: Final = 2 * SHARED_BYTES
"""What there is with one answer at a time for connections that hold none."""
RETRY_AFTER_S: Final = 1.0

_Context = grpc.aio.ServicerContext[Any, Any]


class AnswerBudget:
    """The bytes of large answers that were not taken yet. ``count`` is told why one was refused."""

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count
        self._held = 0
        self._by_peer: Counter[str] = Counter()

    @property
    def held_bytes(self) -> int:
        """How many bytes of answers wait for their callers."""
        return self._held

    def hold(self, context: _Context, size: int) -> None:
        """Count an answer until its call is over. Raises Overloaded where there is no room for it."""
        if size < LARGE_BYTES:
            return
        peer = context.peer()
        held = self._by_peer[peer]
        is_fair = held + size <= (SHARED_BYTES - self._held) // 2
        if not is_fair and (held or self._held + size > HELD_BYTES_MAX):
            self._count("answers_full")
            raise Overloaded("too many large answers wait to be taken", RETRY_AFTER_S)
        self._held += size
        self._by_peer[peer] += size
        # To the stubs a callback is of a class of theirs, which no function is.
        context.add_done_callback(lambda _: self._release(peer, size))  # type: ignore[arg-type]

    def _release(self, peer: str, size: int) -> None:
        self._held -= size
        self._by_peer[peer] -= size
        if not self._by_peer[peer]:
            del self._by_peer[peer]
