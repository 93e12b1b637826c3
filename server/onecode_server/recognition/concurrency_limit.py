"""A limit on how many calls of a kind use the store at a time: a further call is refused, and does not wait."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from onecode_server.errors import Overloaded

_RETRY_AFTER_S: Final = 1.0
"""A look-up takes a millisecond, a commit some milliseconds: within a second all earlier calls end, also on a slow
disk."""
_T = TypeVar("_T")


class ConcurrencyLimit:
    """Lets ``limit`` calls run at a time. ``what`` names them, in the plural.

    A call counts until its work has ended, even if its caller has left before: a caller that cancels and calls again
    gets no more than the limit.
    """

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return the result of ``work``. Raises Overloaded if ``limit`` calls are running, and what ``work`` raises."""
        if len(self._running) >= self._limit:
            work.close()
            raise Overloaded(f"too many {self._what} wait for the store", _RETRY_AFTER_S)
        # No variable holds the task: its exception refers to this frame, and a variable would close a cycle.
        return await asyncio.shield(self._begin(work))

    def _begin(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as retrieved: asyncio logs no error if the caller has left
