"""A bound on how many calls of a kind are in the store at a time: the next one is refused, and does not wait."""

from types import TracebackType
from typing import Final

from onecode_server.errors import Overloaded

_RETRY_AFTER_S: Final = 1.0
"""A look-up takes a millisecond, a commit some: a second is time for all that are before it, on a slow disk too."""


class ConcurrencyLimit:
    """Lets ``limit`` calls run at a time, each in a ``with`` statement. ``what`` names them, in the plural."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._running = 0

    def __enter__(self) -> None:
        """Begin a call. Raises Overloaded where as many run as may."""
        if self._running >= self._limit:
            raise Overloaded(f"too many {self._what} wait for the store", _RETRY_AFTER_S)
        self._running += 1

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End a call."""
        self._running -= 1
