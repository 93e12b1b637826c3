"""Tells the native front who its callers are, and what they may do until it asks again.

The front asks once for each credential: what a caller has shown. What it is told counts for a while, for a number of
codes, and until the trust list, the token keys or the certificates' authorities and revocations have changed.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from onecode_server.errors import NotServing, OnecodeError, Overloaded
from onecode_server.model.identity import Identity
from onecode_server.rpc.authenticator import CachedAuthenticator
from onecode_server.rpc.caller_limits import CallerLimits
from onecode_server.rpc.callers import Caller, Credentials
from onecode_server.rpc.failures import failure_of
from onecode_server.rules import authorisation
from onecode_server.rules.authorisation import Right

if TYPE_CHECKING:  # tests stand in for it where it was not built
    from onecode_server.rpc._front import Front

GRANTED_S: Final = 30.0
"""The longest time for which the front answers a caller without asking again: an idle stream is ended so long after its
caller's identity, at the latest."""
DENIED_S: Final = 1.0
"""The time for which a refusal is repeated: a caller that shows the same again costs no second look meanwhile."""


class NativeCallers:
    """Answers what a front asks about callers. ``clock`` returns Unix microseconds; ``callers_max`` is the number of
    credentials that the front keeps."""

    def __init__(
        self,
        front: "Front",
        authenticator: CachedAuthenticator,
        limits: CallerLimits,
        clock: Callable[[], int],
        callers_max: int,
    ) -> None:
        self._front = front
        self._authenticator = authenticator
        self._limits = limits
        self._clock = clock
        self._callers_max = callers_max
        self._loop = asyncio.get_running_loop()
        self._generation = authenticator.generation
        self._credentials: OrderedDict[int, Credentials] = OrderedDict()  # by the front's number, the last seen last

    def turn(self) -> None:
        """Answer what the front asks about now."""
        for number, certificate, authorization, is_local, owed in self._front.take_asking():
            shown = Credentials(certificate or None, authorization.decode("latin-1") or None, is_local)
            self._credentials[number] = shown
            self._credentials.move_to_end(number)
            if len(self._credentials) > self._callers_max:
                self._credentials.popitem(last=False)
            self._answer(number, shown, owed)

    def sweep(self) -> None:
        """Have the front ask again about all callers where others may be known by now."""
        if self._generation != (now := self._authenticator.generation):
            self._generation = now
            self._front.ask_again()

    def caller(self, number: int) -> Caller:
        """Return the caller with a credential. Raises Unauthenticated, NotServing, Overloaded."""
        if (shown := self._credentials.get(number)) is None:
            raise Overloaded("too many callers are there, and this one is known no more", DENIED_S)
        certificate, authorization, is_local = shown
        identity = self._authenticator.identify(certificate, authorization, is_local=is_local)
        return Caller(identity, self._authenticator, self._limits, shown)

    def _answer(self, number: int, shown: Credentials, owed: int) -> None:
        certificate, authorization, is_local = shown
        try:
            identity, until = self._authenticator.known(certificate, authorization, is_local=is_local)
            authorisation.expect(identity, Right.CHECK)
            units = self._limits.lease(identity, owed)
        except Overloaded as fault:
            self._front.deny(number, failure_of(fault).status, fault.retry_after_s, False)
            self._loop.call_later(fault.retry_after_s, self._answer_held, number)
        except OnecodeError as fault:
            # Streams may go on while it is only unknown who calls: no trust list is there yet.
            self._front.deny(number, failure_of(fault).status, DENIED_S, not isinstance(fault, NotServing))
        else:
            seconds = min(GRANTED_S, max(0.0, (until - self._clock()) / 1e6))
            self._grant(number, identity, seconds, units)

    def _grant(self, number: int, identity: Identity, seconds: float, units: int) -> None:
        hosts = authorisation.regions(identity, Right.CHECK, self._authenticator.partners)
        group, calls = self._limits.group(identity)
        self._front.grant(number, None if hosts is None else [*hosts], seconds, units, calls, group)

    def _answer_held(self, number: int) -> None:
        """Answer anew about a caller who was held back, for its open streams."""
        if (shown := self._credentials.get(number)) is not None:
            self._answer(number, shown, 0)
