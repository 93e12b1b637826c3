"""Tells the native front who its callers are, and what they may do until it asks again.

The front asks once for each credential: what a caller has shown. What it is told counts for a while, and until the
trust list, the token keys or the certificates' authorities and revocations have changed. It asks for units, one for
each code, when those of the caller are used up.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from onecode_server.errors import NotServing, OnecodeError, Overloaded
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
"""The longest time for which a refusal is repeated: who shows the same again costs no second look meanwhile."""

_log = logging.getLogger(__name__)


class _Grant(NamedTuple):
    """What the front may do for a caller, in the order of ``Front.grant``."""

    hosts: Sequence[str] | None
    seconds: float
    units: int
    in_flight_max: int
    group: int


class NativeCallers:
    """Answers what a front asks about callers. ``clock`` returns Unix microseconds."""

    def __init__(
        self, front: "Front", authenticator: CachedAuthenticator, limits: CallerLimits, clock: Callable[[], int]
    ) -> None:
        self._front = front
        self._authenticator = authenticator
        self._limits = limits
        self._clock = clock
        self._generation = authenticator.generation

    def turn(self) -> None:
        """Answer what the front asks about now. Raises nothing: no caller must be able to end the front."""
        for number, certificate, authorization, is_local, wanted in self._front.take_asking():
            try:
                granted = self._grant(_credentials(certificate, authorization, is_local), wanted)
            except Overloaded as fault:
                # Streams are held back, and the front asks again. Other calls may be repeated later.
                self._deny(number, fault, min(fault.retry_after_s, DENIED_S), ends_streams=False)
            except NotServing as fault:  # it may be known who calls once there is a trust list
                self._deny(number, fault, DENIED_S, ends_streams=False)
            except OnecodeError as fault:
                self._deny(number, fault, DENIED_S, ends_streams=True)
            except Exception as bug:
                _log.error("unexpected failure: %s", type(bug).__name__, extra={"part": "callers"})
                self._deny(number, bug, DENIED_S, ends_streams=True)
            else:
                self._front.grant(number, *granted)

    def sweep(self) -> None:
        """Have the front ask again about all callers where others may be known by now."""
        if self._generation != (now := self._authenticator.generation):
            self._generation = now
            self._front.ask_again()

    def caller(self, number: int) -> Caller:
        """Return the caller of an open stream. Raises Unauthenticated, NotServing, Overloaded."""
        if (shown := self._front.shown(number)) is None:
            raise AssertionError("a credential with an open stream is known")
        credentials = _credentials(*shown)
        certificate, authorization, is_local = credentials
        identity = self._authenticator.identify(certificate, authorization, is_local=is_local)
        return Caller(identity, self._authenticator, self._limits, credentials)

    def _grant(self, credentials: Credentials, wanted: int) -> _Grant:
        certificate, authorization, is_local = credentials
        identity, until = self._authenticator.known(certificate, authorization, is_local=is_local)
        authorisation.expect(identity, Right.CHECK)
        hosts = authorisation.regions(identity, Right.CHECK, self._authenticator.partners)
        group, calls = self._limits.group(identity)
        units = self._limits.lease(identity, wanted) if wanted else 0
        seconds = min(GRANTED_S, max(0.0, (until - self._clock()) / 1e6))
        return _Grant(None if hosts is None else [*hosts], seconds, units, calls, group)

    def _deny(self, number: int, fault: Exception, seconds: float, *, ends_streams: bool) -> None:
        failure = failure_of(fault)
        self._front.deny(number, failure.status, failure.reason, seconds, ends_streams)


def _credentials(certificate: bytes, authorization: bytes, is_local: bool) -> Credentials:
    return certificate or None, authorization.decode("latin-1") or None, is_local
