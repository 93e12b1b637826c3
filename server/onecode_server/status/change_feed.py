"""The change feed reader: it keeps the caches of this process as current as the store.

Every commit of any process raises a number, which is read from memory in a microsecond. Each call reads it; if it has
risen, the call reads the change feed before it answers. So every commit that was acknowledged before a call began, by
any worker or server on the data directory, counts for that call.
"""

import asyncio
from typing import Final

from onecode_server.recognition.exception_cache import ExceptionCache
from onecode_server.status.cache import StatusCache
from onecode_server.status.own_marks import OwnMarks
from onecode_server.stores.protocol import Store

FOLLOW_S: Final = 0.25
"""The interval at which the feed is read without a call: each read confirms statuses, and so keeps them CURRENT."""

_NEVER: Final = -1


class ChangeFeedReader:
    """Reads the change feed, and the acknowledged exceptions whenever one was acknowledged or withdrawn.

    ``marks`` are those of ``statuses``: None where the store is embedded.
    """

    def __init__(
        self, store: Store, statuses: StatusCache, exceptions: ExceptionCache, marks: OwnMarks | None = None
    ) -> None:
        self._store = store
        self._statuses = statuses
        self._exceptions = exceptions
        self._marks = marks
        self._commits = _NEVER
        self._steps = _NEVER
        self._reading = asyncio.Lock()

    @property
    def is_behind(self) -> bool:
        """Whether there was a commit that ``follow`` has not applied."""
        return self._store.commits() > self._commits

    @property
    def confirms_decisions(self) -> bool:
        """Whether the exceptions and the trust list of this process may be relied on: always where the store is
        embedded, and else for DECISIONS_S after an own mark."""
        return self._marks is None or self._marks.confirms_decisions

    async def follow(self) -> None:
        """Apply all commits made before this call to the caches. If the store does not answer, they do not change."""
        commits = self._store.commits()
        if commits > self._commits:
            async with self._reading:  # one read serves all calls that wait for it
                if commits > self._commits:
                    await self._read()

    async def catch_up(self) -> None:
        """Read the change feed. Read the exceptions too if one was acknowledged or withdrawn since, or if the store did
        not answer the last time."""
        async with self._reading:
            await self._read()

    async def _read(self) -> None:
        commits = self._store.commits()
        changes = await self._statuses.catch_up()
        if changes is None or changes.steps != self._steps or not self._exceptions.store_answers:
            await self._exceptions.refresh()
        if changes is not None:
            self._steps = changes.steps
            if self._marks is not None and self._exceptions.store_answers:
                self._marks.take_decisions()
        # Set only after all has been read, because a call that finds it current does not wait. It is also set if
        # reading failed: then the read is repeated every FOLLOW_S, and not by every call.
        self._commits = max(self._commits, commits)
