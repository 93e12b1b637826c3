"""Limits of each caller: what it may ask for in a second, and how many of its calls may be in flight.

The rate is a generic cell rate algorithm (GCRA, ITU-T I.371): for each caller one number is kept, the time at which all
that it has asked for would have come at its rate. What comes earlier than that by no more than a second is taken.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeAlias

from onecode_server.errors import Overloaded
from onecode_server.model.identity import Identity, Role

CALLERS_MAX: Final = 16_384
"""Callers that are kept, some 300 bytes each. Beyond it those that were seen least recently give way, whose rate begins
anew. There are as many identities as there are regions, operators and partners: some hundreds."""
BURST_S: Final = 1.0
"""What may come at once: so much time's worth of a caller's rate. A larger request is taken whole where nothing is
owed, and what comes after it waits."""
LEASE_S: Final = 0.05
"""What the native front may answer of a caller before it asks again: so much time's worth of the caller's rate. Asking
costs microseconds, and a lease that is not used up is lost."""
UNITS_MAX: Final = 2**31 - 1
"""The units, and the calls in flight, of a caller without a limit."""
CALLS_RETRY_S: Final = 0.1
"""When to retry where too many calls are in flight: a call takes milliseconds."""


class Limit(Protocol):
    """The limits of a role."""

    @property
    def units_per_s(self) -> int:
        """Codes, records and other calls a second."""
        ...

    @property
    def calls(self) -> int:
        """Calls in flight."""
        ...


class _State:
    __slots__ = ("calls", "due_s", "number")

    def __init__(self, due_s: float, number: int) -> None:
        self.due_s = due_s
        self.number = number
        self.calls = 0


Taken: TypeAlias = _State | None
"""What a call counts in until ``CallerLimits.end`` is called with it; None for a caller without limits."""


class CallerLimits:
    """Counts what callers ask for. ``count`` is called with the role and the kind of limit at each refusal, and
    ``monotonic`` returns seconds that never run backwards."""

    def __init__(
        self, limits: Mapping[Role, Limit], monotonic: Callable[[], float], count: Callable[[str, str], None]
    ) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._count = count
        self.in_flight_elsewhere: Callable[[int], int] | None = None
        """Returns how many calls of a caller, by its number in ``group``, the native front answers itself."""
        self._states: OrderedDict[tuple[Role, str, str], _State] = OrderedDict()
        self._number = 0

    def begin(self, identity: Identity) -> Taken:
        """Count a call that is in flight. Raises Overloaded where there are too many."""
        if (limit := self._limits.get(identity.role)) is None:
            return None
        state = self._state(identity)
        elsewhere = self.in_flight_elsewhere
        calls = state.calls if elsewhere is None else state.calls + elsewhere(state.number)
        if calls >= limit.calls:
            self._count(identity.role.value, "calls")
            raise Overloaded(f"{identity} has {calls} calls in flight", CALLS_RETRY_S)
        state.calls += 1
        return state

    def end(self, taken: Taken) -> None:
        """Note that a call is over."""
        if taken is not None:
            taken.calls -= 1

    def charge(self, identity: Identity, units: int) -> None:
        """Count codes, records or calls. Raises Overloaded where they come too soon."""
        if (wait_s := self._take(identity, units, may_owe=False)) > 0:
            self._count(identity.role.value, "rate")
            raise Overloaded(f"{identity} asks for more than its rate allows", wait_s)

    def lease(self, identity: Identity, wanted: int) -> int:
        """Count units that the native front may answer, and return their number: ``wanted``, or LEASE_S' worth where
        that is more. Raises Overloaded where they come too soon."""
        if (limit := self._limits.get(identity.role)) is None:
            return UNITS_MAX
        units = max(wanted, round(limit.units_per_s * LEASE_S))
        self.charge(identity, units)
        return units

    def group(self, identity: Identity) -> tuple[int, int]:
        """Return a number of the caller's own, and how many calls it may have in flight."""
        limit = self._limits.get(identity.role)
        return self._state(identity).number, UNITS_MAX if limit is None else limit.calls

    def owe(self, identity: Identity, units: int) -> float:
        """Count what a stream has brought, and return the seconds for which the stream is to be held back."""
        return self._take(identity, units, may_owe=True)

    def _take(self, identity: Identity, units: int, *, may_owe: bool) -> float:
        if (limit := self._limits.get(identity.role)) is None:
            return 0.0
        state, now_s = self._state(identity), self._monotonic()
        early_s = max(state.due_s - now_s - BURST_S, 0.0)
        if may_owe or not early_s:
            state.due_s = max(state.due_s, now_s) + units / limit.units_per_s
        return early_s

    def _state(self, identity: Identity) -> _State:
        caller = identity[:3]  # whichever gateway it comes by
        if (state := self._states.get(caller)) is not None:
            self._states.move_to_end(caller)
            return state
        if len(self._states) >= CALLERS_MAX:
            idle = next((one for one, state in self._states.items() if not state.calls), None)
            del self._states[idle if idle is not None else next(iter(self._states))]
        self._number += 1
        state = self._states[caller] = _State(self._monotonic(), self._number)
        return state
