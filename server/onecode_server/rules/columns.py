"""The rules that most codes need, over whole columns: ``validity`` in numbers.

They decide what is plain, and leave the rest to the rules for one code. Property tests hold them to those.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.model.trust_list import IssuerKey, KeyState
from onecode_server.rules.validity import SKEW_US

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_EVER: Final = 2**62
"""Some 146,000 years in microseconds: past every time that a code can name, and far from the end of 64 bits."""


class KeyBounds(NamedTuple):
    """A key vouches for codes issued from ``issued_from`` and before ``issued_before``, while now is from ``now_from``
    to ``now_until``. Unix microseconds."""

    issued_from: int
    issued_before: int
    now_from: int
    now_until: int


NEVER: Final = KeyBounds(1, 0, 1, 0)
"""Within these is no code."""


def key_bounds(key: IssuerKey, skew: int = SKEW_US) -> KeyBounds | None:
    """Return the bounds within which ``validity.key_fault`` finds nothing; None for a key that vouches for nothing."""
    if key.state is KeyState.REVOKED:
        return None
    begins = -_EVER if key.not_before is None else key.not_before - skew
    ends = _EVER if key.not_after is None else key.not_after + skew
    before = ends + 1
    if key.state is KeyState.RETIRED:
        before = min(before, key.retired_at or 0)
    return KeyBounds(begins, before, begins, ends)


def in_bounds(issued_at: Numbers, bounds: Numbers, now: int) -> Flags:
    """Tell for which codes their key may vouch: bool[n]. ``bounds`` are int64[n, 4], the fields of KeyBounds."""
    issued_from, issued_before, now_from, now_until = bounds.T
    return np.asarray((issued_at >= issued_from) & (issued_at < issued_before) & (now >= now_from) & (now <= now_until))


def in_window(begins_at: Numbers, expires_at: Numbers, now: int, skew: int = SKEW_US) -> Flags:
    """Tell in whose window ``now`` is, bool[n]: ``validity.window_fault`` finds nothing there."""
    return (now >= begins_at - skew) & (now < expires_at + skew)
