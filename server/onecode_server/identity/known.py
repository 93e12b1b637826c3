"""What a credential proves."""

from typing import NamedTuple

from onecode_server.model.identity import Identity


class Known(NamedTuple):
    """An identity, and when it ends at the latest: Unix microseconds, the first at which it is none."""

    identity: Identity
    until: int
