"""A caller that does not take its answers, and what it offers meanwhile."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from onecode.v1 import recognition_pb2_grpc

from tests.integration.deployment import Server

OFFERED: Final = 200_000
MORE: Final = 500
"""What a reader still sends once it reads on: more would only take longer."""
QUIET_S: Final = 2.0
SMALL_WINDOW: Final = (("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_535))
"""A caller that takes in no more than HTTP/2 gives it to begin with; gRPC's own would let some megabytes come."""


def scan(server: Server, offer: "Offer") -> Any:
    stub = recognition_pb2_grpc.RecognitionServiceStub(server.channel(*SMALL_WINDOW))
    return stub.StreamVerify(iter(offer))


class Offer:
    """Requests as fast as they are taken, at most OFFERED of them; MORE of them once ``read_on`` was called."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self._make = make
        self.sent = 0
        self._last = OFFERED

    def __iter__(self) -> Iterator[Any]:
        while self.sent < self._last:
            self.sent += 1
            yield self._make(self.sent)

    def read_on(self) -> None:
        self._last = min(OFFERED, self.sent + MORE)

    def is_held_back(self) -> bool:
        """Tell whether nothing more was taken for a while."""
        before = self.sent
        time.sleep(QUIET_S)
        return before == self.sent > 0
