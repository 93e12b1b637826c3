"""A moving mean of the time per piece of work, from which the time of further work is estimated."""

from typing import Final

_WEIGHT: Final = 0.2
"""Weight of the newest measurement: the mean follows a slow store or core within some batches, and one slow batch
changes it little."""


class Pace:
    """The moving mean of the seconds that a piece of work takes; a piece is one code or one batch."""

    def __init__(self) -> None:
        self._piece_s = 0.0

    def took(self, pieces: int, seconds: float) -> None:
        """Record that ``pieces`` (1 or more), all the pieces that were in progress, took ``seconds``."""
        self._piece_s += _WEIGHT * (seconds / pieces - self._piece_s)

    def expected_s(self, pieces: int) -> float:
        """Return the expected seconds until ``pieces`` are done; 0 before the first measurement."""
        return pieces * self._piece_s
