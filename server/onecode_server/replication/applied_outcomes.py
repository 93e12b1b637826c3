"""Waits for what became of messages: the replicator, another process, notes it in the store when it applies them."""

import asyncio
from contextlib import suppress
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

    async def of(self, identifier: bytes, timeout_s: float) -> bytes:
        """Return the outcome of a message, once this machine has applied it. Raises LogUnavailable at the time-out."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[identifier] = future
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            raise LogUnavailable(
                f"the change is in the log, and this machine has not applied it within {timeout_s:g} s: "
                "to send it again is harmless"
            ) from None
        finally:
            self._waiting.pop(identifier, None)

    async def _look(self) -> None:
        commits = -1
        while self._waiting:
            if (seen := self._store.commits()) != commits:
                identifiers = list(self._waiting)[:WAITING_MAX]
                with suppress(StoreUnavailable):  # asked again at the next look
                    for identifier, outcome in zip(identifiers, await self._store.outcomes(identifiers), strict=True):
                        self._settle(identifier, outcome)
                    commits = seen if len(self._waiting) <= WAITING_MAX else -1
            await asyncio.sleep(LOOK_S)

    def _settle(self, identifier: bytes, outcome: bytes | None) -> None:
        future = self._waiting.get(identifier)
        if outcome is not None and future is not None and not future.done():
            future.set_result(outcome)
