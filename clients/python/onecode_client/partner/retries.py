"""Repetition of what a server did not answer: it restarts within seconds, and says when it has too much to do."""

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from onecode_client.channels import TRANSIENT
from onecode_client.errors import ServerError

PAUSE_MIN_S: Final = 0.1
PAUSE_MAX_S: Final = 1.0
"""Pauses double from the first to the second, so that a server that is back is found within a second."""

_A = TypeVar("_A")


class Retries:
    """Limits attempts to ``timeout_s`` seconds without an answer, from now on or from the last answer."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self.renew()

    def renew(self) -> None:
        """Begin anew: there was an answer."""
        self._ends_at_s = time.monotonic() + self._timeout_s
        self._pause_s = PAUSE_MIN_S

    @property
    def left_s(self) -> float:
        """The seconds until it is too late for an answer; 0 where it is."""
        return max(0.0, self._ends_at_s - time.monotonic())

    def wait(self, fault: ServerError) -> None:
        """Sleep before the next attempt, as long as the server said. Raises ``fault`` where that does not mend it, or
        not in time."""
        if fault.code not in TRANSIENT or (fault.code == "CANCELLED" and fault.reason == "CLIENT_CLOSED"):
            raise fault
        # Jitter: the clients of a server that comes back do not all call at the same moment.
        pause_s = random.uniform(self._pause_s / 2, self._pause_s)  # noqa: S311 - no secret
        pause_s = max(pause_s, fault.retry_after_s or 0.0)
        if pause_s >= self.left_s:
            raise fault
        time.sleep(pause_s)
        self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)


def answered(call: Callable[[float], _A], timeout_s: float) -> _A:
    """Return the answer of a call, which is given the seconds that it may take. Raises ServerError.

    Where the time ends in a later attempt, the fault of the one before says more than that it has ended.
    """
    retries, before = Retries(timeout_s), None
    while True:
        try:
            return call(retries.left_s)
        except ServerError as fault:
            if fault.code == "DEADLINE_EXCEEDED" and before is not None:
                raise before from None
            before = fault
        retries.wait(before)
