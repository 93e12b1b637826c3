"""A bound on how many calls of a kind are in the store at a time: the next one is refused, and does not wait."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from onecode_server.errors import Overloaded

_RETRY_AFTER_S: Final = 1.0
"""A look-up takes a millisecond, a commit some: a second is time for all that are before it, on a slow disk too."""
_T = TypeVar("_T")


class ConcurrencyLimit:
    """Lets ``limit`` calls run at a time. ``what`` names them, in the plural.

    A call counts until its work has ended, also where its caller has left before: whoever asks and cancels, again and
    again, has no more of them than others.
    """

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return what ``work`` returns. Raises Overloaded where as many run as may, and what ``work`` raises."""
        if len(self._running) >= self._limit:
            work.close()
            raise Overloaded(f"too many {self._what} wait for the store", _RETRY_AFTER_S)
        # No variable holds the task: it keeps a failure, which keeps its frames, which would keep the task.
        return await asyncio.shield(self._begin(work))

    def _begin(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # asked for, so that what nobody waits for any more is not logged as lost
