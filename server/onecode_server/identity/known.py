"""What a credential proves."""

from typing import Final, NamedTuple

from onecode_server.model.identity import Identity

FOR_EVER: Final = 2**63 - 1
"""The end, in Unix microseconds, of an identity that does not end by itself."""


class Known(NamedTuple):
    """An identity, and when it ends at the latest: Unix microseconds, the first at which it is none."""

    identity: Identity
    until: int
