"""Gathers single checks into batches: the codes that are added for a host while a call for it is in flight are its next
batch.

This module has no timer, thread, lock or I/O: clients, blocking or not, report callers and ended calls, and get the
batches to send. A caller that finds no call in flight is sent at once, alone.
"""

import time
from typing import Any, Final, Generic, TypeVar

from onecode.v1 import recognition_pb2 as pb
from onecode_client.batches import BATCH_BYTES_MAX, BATCH_CODES_MAX
from onecode_client.errors import ServerError, closed

BESIDE_CODES: Final = 256
"""The number of waiting codes at which a second call for the same host is sent beside the first. A call costs a server
as much as some forty codes: with fewer codes it would cost more than it saves, and the waiting ones are sent when the
first is answered, however few."""
CALLS_PER_CONNECTION: Final = 8
"""Calls in flight, on average: four connections carry one for each province. More would wait in the server, and make
each batch smaller."""
CALLERS_MAX: Final = 16_384
"""The bound on waiting callers: as many as the codes that a server lets wait, and four of the largest batches. A
further caller would wait too long, and gets an error."""
HOSTS_MAX: Final = 64
"""The bound on host regions with waiting callers: all provinces, and as many local extensions."""


class Caller:
    """A caller that waits for the verdict on one code. ``deadline_s`` is on the clock of ``time.monotonic``."""

    __slots__ = ("batch", "code", "deadline_s", "host_region")

    def __init__(self, code: bytes, host_region: str, deadline_s: float) -> None:
        """Raises TypeError here where no request can hold the code, so that no other caller of a shared call is
        affected."""
        if not isinstance(code, bytes):
            raise TypeError(f"a code is bytes, as scanned, not {type(code).__name__}")
        if not isinstance(host_region, str):
            raise TypeError(f"a host region is a str of six digits, not {type(host_region).__name__}")
        self.code = code
        self.host_region = host_region
        self.deadline_s = deadline_s
        self.batch: Batch[Any] | None = None


_C = TypeVar("_C", bound=Caller)


class Batch(Generic[_C]):
    """The callers of one call. ``present`` counts those that still wait for it."""

    __slots__ = ("callers", "host_region", "present")

    def __init__(self, host_region: str, callers: list[_C]) -> None:
        self.host_region = host_region
        self.callers = callers
        self.present = len(callers)

    def request(self) -> pb.BatchVerifyRequest:
        """Return the call's request. Raises ValueError where the host region is not text."""
        return pb.BatchVerifyRequest(codes=[caller.code for caller in self.callers], host_region=self.host_region)

    def request_alone(self) -> pb.VerifyRequest:
        """Return the request of the only caller."""
        return pb.VerifyRequest(code=self.callers[0].code, host_region=self.host_region)

    def timeout_s(self) -> float:
        """Return the time for the call: the longest that any of its callers waits."""
        return max(caller.deadline_s for caller in self.callers) - time.monotonic()

    def answers(self, response: pb.VerifyResponse | pb.BatchVerifyResponse) -> list[pb.VerifyResponse]:
        """Return the answer for each caller. Raises ServerError where the response has not one for each."""
        if isinstance(response, pb.VerifyResponse):
            return [response]
        if len(response.verdicts) != len(self.callers):
            raise ServerError("INTERNAL", f"{len(self.callers)} codes had {len(response.verdicts)} verdicts")
        version, checked_at = response.trust_list_version, response.checked_at
        return [
            pb.VerifyResponse(verdict=verdict, trust_list_version=version, checked_at=checked_at)
            for verdict in response.verdicts
        ]


class Gathering(Generic[_C]):
    """The waiting callers by host, and the number of calls in flight."""

    def __init__(self, connections: int) -> None:
        self._beside_max = connections  # for one host: a call on each connection
        self._in_flight_max = connections * CALLS_PER_CONNECTION
        self._waiting: dict[str, dict[_C, None]] = {}  # dicts keep the order, and remove a caller at once
        self._in_flight: dict[str, int] = {}
        self._callers = self._calls = 0
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """The number of callers that wait to be sent."""
        return self._callers

    def add(self, caller: _C) -> None:
        """Let a caller wait. Raises ServerError where too many wait already, or this is closed."""
        if self._is_closed:
            raise closed()
        if self._callers >= CALLERS_MAX:
            raise ServerError("RESOURCE_EXHAUSTED", f"{self._callers:,} callers wait already", "CALLERS_WAITING")
        if caller.host_region not in self._waiting and len(self._waiting) >= HOSTS_MAX:
            raise ServerError("RESOURCE_EXHAUSTED", f"callers of {HOSTS_MAX} hosts wait already", "HOSTS_WAITING")
        self._waiting.setdefault(caller.host_region, {})[caller] = None
        self._callers += 1

    def take(self) -> Batch[_C] | None:
        """Return the next batch to send, or None. Its call is in flight until ``end``."""
        if self._calls >= self._in_flight_max:
            return None
        for host_region, callers in self._waiting.items():
            going = self._in_flight.get(host_region, 0)
            if not going or (len(callers) >= BESIDE_CODES and going < self._beside_max):
                return self._take(host_region)
        return None

    def end(self, batch: Batch[_C]) -> None:
        """Note that a batch's call has ended: ``take`` may return a further batch then."""
        self._calls -= 1
        self._in_flight[batch.host_region] -= 1
        if not self._in_flight[batch.host_region]:
            del self._in_flight[batch.host_region]

    def leave(self, caller: _C) -> Batch[_C] | None:
        """Remove a caller that no longer waits. Return its batch where no caller waits for the batch's call any
        more."""
        if caller.batch is not None:
            caller.batch.present -= 1
            return None if caller.batch.present else caller.batch
        callers = self._waiting.get(caller.host_region, {})
        if caller in callers:
            del callers[caller]
            self._callers -= 1
            if not callers:
                del self._waiting[caller.host_region]
        return None

    def close(self) -> list[_C]:
        """Accept no further caller, and return those that waited to be sent."""
        self._is_closed = True
        left = [caller for callers in self._waiting.values() for caller in callers]
        self._waiting.clear()
        self._callers = 0
        return left

    def _take(self, host_region: str) -> Batch[_C]:
        callers = self._waiting.pop(host_region)
        taken: list[_C] = []
        size = 0
        for caller in callers:
            size += len(caller.code)
            if taken and (len(taken) == BATCH_CODES_MAX or size > BATCH_BYTES_MAX):
                break
            taken.append(caller)
        batch = Batch(host_region, taken)
        for caller in taken:
            del callers[caller]
            caller.batch = batch
        if callers:  # queued after the other hosts
            self._waiting[host_region] = callers
        self._callers -= len(taken)
        self._calls += 1
        self._in_flight[host_region] = self._in_flight.get(host_region, 0) + 1
        return batch
