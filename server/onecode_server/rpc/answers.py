"""A bound in bytes on large answers that were written and not yet read by their callers.

A caller that stops reading, and closes its HTTP/2 flow-control window, leaves its answers in gRPC's memory until its
connection ends; nothing here ends them earlier. So their bytes are counted, and a call whose answer does not fit is
refused. A connection may hold half of the free bytes (the dynamic threshold of switches that share their memory:
Choudhury and Hahne, 1998), so that a few callers who do not read leave memory for many who do. A connection that holds
nothing may always have one answer, within HELD_BYTES_MAX.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import grpc.aio

from onecode_server.errors import Overloaded
from onecode_server.rpc.reserved_metadata import PeerOf, peer_of_connection

LARGE_BYTES: Final = 16 * 1024
"""Smaller answers are not counted: those of RPCS_MAX calls take no more memory than the calls themselves."""
SHARED_BYTES: Final = 64 * 1024 * 1024
"""The bytes that connections share: some twenty of the largest answers, which are full batches of translations."""
HELD_BYTES_MAX: Final = 2 * SHARED_BYTES
"""The bound on all held bytes, including the one answer of each connection that held none."""
RETRY_AFTER_S: Final = 1.0

_Context = grpc.aio.ServicerContext[Any, Any]


class AnswerBudget:
    """Counts the bytes of large answers that were not read yet. ``count`` is called with the reason of each refusal,
    and ``peer_of`` returns the connection that a call came by."""

    def __init__(self, count: Callable[[str], None], peer_of: PeerOf = peer_of_connection) -> None:
        self._count = count
        self._peer_of = peer_of
        self._held = 0
        self._by_peer: Counter[str] = Counter()

    @property
    def held_bytes(self) -> int:
        """The number of bytes of answers that wait for their callers."""
        return self._held

    def hold(self, context: _Context, size: int) -> None:
        """Count an answer until its call is over. Raises Overloaded where it exceeds the budget."""
        if size < LARGE_BYTES:
            return
        peer = self._peer_of(context)
        held = self._by_peer[peer]
        is_fair = held + size <= (SHARED_BYTES - self._held) // 2
        if not is_fair and (held or self._held + size > HELD_BYTES_MAX):
            self._count("answers_full")
            raise Overloaded("too many large answers have not been read", RETRY_AFTER_S)
        self._held += size
        self._by_peer[peer] += size
        # The stubs expect a callback of a class of their own, which no function is.
        context.add_done_callback(lambda _: self._release(peer, size))  # type: ignore[arg-type]

    def _release(self, peer: str, size: int) -> None:
        self._held -= size
        self._by_peer[peer] -= size
        if not self._by_peer[peer]:
            del self._by_peer[peer]
