"""A connection to one server, for clients that make one call at a time."""

from types import TracebackType
from typing import Final, Self

import grpc

from onecode_client.channels import options_for

DEADLINE_S: Final = 30.0
"""The time for one call: a full batch takes a PyNaCl server well under a second; the rest is for a server under
load."""


class Connection:
    """A channel to a server, ``HOST:PORT``. Use it in a ``with`` statement, or close it."""

    def __init__(self, server: str, deadline_s: float = DEADLINE_S) -> None:
        self.channel = grpc.insecure_channel(server, options=options_for(server))
        self.deadline_s = deadline_s

    def close(self) -> None:
        """Close the connection."""
        self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
