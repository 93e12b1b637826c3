"""How long work takes now, and so how long more of it would."""

from typing import Final

_WEIGHT: Final = 0.2
"""Of the newest measurement: a slow store or a slow core shows within some batches, one slow batch does not."""


class Pace:
    """A moving mean of the seconds that a piece of work takes: a code, or a run of them."""

    def __init__(self) -> None:
        self._piece_s = 0.0

    def took(self, pieces: int, seconds: float) -> None:
        """Note how long it took until ``pieces`` (1 or more), all that was there then, were done."""
        self._piece_s += _WEIGHT * (seconds / pieces - self._piece_s)

    def expected_s(self, pieces: int) -> float:
        """Return how long it takes until so many are done; 0 before anything was measured."""
        return pieces * self._piece_s
