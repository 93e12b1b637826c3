"""Waits for what became of messages: the replicator, another process, notes it in the store when it applies them."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from onecode_server.errors import LogUnavailable, StoreUnavailable
from onecode_server.stores.lmdb_replica import LmdbReplica

LOOK_S: Final = 0.002
"""The interval at which the store's number of commits is looked at while something waits: a microsecond each time, and
less than a commit takes."""
WAITING_MAX: Final = 512
"""Messages whose outcomes are read at once. More wait for the next look, the oldest first."""


class AppliedOutcomes:
    """The outcomes of this process's messages, by their ids (16 bytes). Only the event loop uses it."""

    def __init__(self, store: LmdbReplica) -> None:
        self._store = store
        self._waiting: dict[bytes, asyncio.Future[bytes]] = {}
        self._looking: asyncio.Task[None] | None = None

    @contextmanager
    def expected(self, identifier: bytes) -> Iterator[asyncio.Future[bytes]]:
        """Have the outcome of a message looked for from now on, and give what ``of`` waits for.

        It begins before the message is appended: a commit between the two would be seen by nobody, and none may follow
        it on a machine that stops.
        """
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[identifier] = future
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield future
        finally:
            self._waiting.pop(identifier, None)
            if not future.cancel() and not future.cancelled():
                future.exception()  # asked for, or asyncio logs it where the append has failed before

    async def of(self, expected: asyncio.Future[bytes], timeout_s: float) -> bytes:
        """Return the outcome of a message, once this machine has applied it. Raises LogUnavailable at the time-out, and
        as soon as the machine has stopped applying the log."""
        try:
            async with asyncio.timeout(timeout_s):
                return await expected
        except TimeoutError:
            raise LogUnavailable(
                f"the change is in the log, and this machine has not applied it within {timeout_s:g} s: "
                "to send it again is harmless"
            ) from None

    async def _look(self) -> None:
        commits = -1
        while self._waiting:
            if (seen := self._store.commits()) != commits:
                identifiers = list(self._waiting)[:WAITING_MAX]
                with suppress(StoreUnavailable):  # asked again at the next look
                    has_stopped = self._store.stop() is not None  # before the outcomes, of which none follows a stop
                    self._settle(identifiers, await self._store.outcomes(identifiers), has_stopped=has_stopped)
                    commits = seen if len(self._waiting) <= WAITING_MAX else -1
            await asyncio.sleep(LOOK_S)

    def _settle(self, identifiers: Sequence[bytes], outcomes: Sequence[bytes | None], *, has_stopped: bool) -> None:
        for identifier, outcome in zip(identifiers, outcomes, strict=True):
            future = self._waiting.get(identifier)
            if future is None or future.done():
                continue
            if outcome is not None:
                future.set_result(outcome)
            elif has_stopped:
                future.set_exception(
                    LogUnavailable(
                        "the change is in the log, and this machine has stopped applying it: to send it again to "
                        "another one is harmless"
                    )
                )
