"""A world whose store is taken for a machine's copy of a log: its own marks confirm what it says."""

from pathlib import Path
from typing import Any

from onecode_server.model.confirmed import NEVER_S, Confirmed
from onecode_server.model.partition import ALL, partition_of
from onecode_server.model.subject import pseudonym
from onecode_server.stores.protocol import Changes

from tests.world import World


class MarkedWorld(World):
    """``marked_at_s`` is when the newest own mark of each partition was sent: the store tells it with its changes."""

    follows_log = True

    def __init__(self, path: Path, **settings: Any) -> None:
        self.marked_at_s = [NEVER_S for _ in ALL]
        super().__init__(path, **settings)

    def _open(self) -> None:
        super()._open()
        read = self.store.changes

        async def told(after: int) -> Changes:
            marks = Confirmed(tuple(self.marked_at_s))  # before the read: an earlier mark is never wrong
            return (await read(after))._replace(confirmed=marks)

        self.store.changes = told  # type: ignore[method-assign]

    async def mark(self, *, except_for: int | None = None) -> None:
        """Have all partitions apply a mark that is sent now, but for one that has stalled, and the feed read."""
        self.marked_at_s = [old if n == except_for else self.monotonic_s for n, old in enumerate(self.marked_at_s)]
        await self.change_feed.catch_up()

    async def pass_time(self, seconds: float, *, except_for: int | None = None) -> None:
        """Let time pass, with a mark at each second and at the end."""
        end_s = self.monotonic_s + seconds
        while self.monotonic_s < end_s:
            self.monotonic_s = min(self.monotonic_s + 1, end_s)
            await self.mark(except_for=except_for)

    def name_in(self, partition: int, home: str = "420000") -> str:
        """Return a local identifier whose subject is in a partition."""
        numbered = (f"id-{number}" for number in range(10_000))
        return next(n for n in numbered if partition_of(pseudonym(self.pseudonym_key, home, n)) == partition)
