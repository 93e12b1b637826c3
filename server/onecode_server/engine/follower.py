"""Keeps what this process remembers of the store as new as the store is.

Every commit, by whichever process, raises a number that is read from memory in a microsecond. Each call looks at it:
where it has risen, the change feed is read before anything is answered. So whatever was acknowledged before a call
began, by any worker or server on the data directory, counts for that call.
"""

import asyncio
from typing import Final

from onecode_server.engine.exception_book import ExceptionBook
from onecode_server.engine.status_cache import StatusCache
from onecode_server.stores.protocol import Store

FOLLOW_S: Final = 0.25
"""How often the feed is read without being asked: it confirms statuses, which is what keeps them CURRENT."""

_NEVER: Final = -1


class Follower:
    """Reads the change feed, and the acknowledged exceptions after a step that changed them."""

    def __init__(self, store: Store, statuses: StatusCache, exceptions: ExceptionBook) -> None:
        self._store = store
        self._statuses = statuses
        self._exceptions = exceptions
        self._commits = _NEVER
        self._steps = _NEVER
        self._reading = asyncio.Lock()

    async def follow(self) -> None:
        """Know what every commit before this call has changed. Where the store does not answer, what is known stays."""
        commits = self._store.commits()
        if commits > self._commits:
            async with self._reading:  # one reading serves all who wait for it
                if commits > self._commits:
                    await self._read()

    async def catch_up(self) -> None:
        """Read the change feed, and the exceptions where one was acknowledged or withdrawn since, or the store has not
        answered."""
        async with self._reading:
            await self._read()

    async def _read(self) -> None:
        commits = self._store.commits()
        changes = await self._statuses.catch_up()
        if changes is None or changes.steps != self._steps or not self._exceptions.store_answers:
            await self._exceptions.refresh()
        if changes is not None:
            self._steps = changes.steps
        # Noted when all has been read, since whoever finds it risen waits for nothing; and where reading failed, too:
        # then it is tried again every FOLLOW_S, and not by every call.
        self._commits = max(self._commits, commits)
