"""Who calls: the identity of each call, and the rights that it has."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeAlias

import grpc.aio

from onecode_server.errors import NotServing, Unauthenticated
from onecode_server.model.identity import ANONYMOUS, Identity
from onecode_server.rpc.authenticator import Authenticator, is_local_peer
from onecode_server.rpc.caller_limits import CallerLimits
from onecode_server.rules import authorisation
from onecode_server.rules.authorisation import Right
from onecode_server.verification.batcher import Remaining, no_deadline

RIGHTS: Final[Mapping[str, Right]] = {
    "Verify": Right.CHECK,
    "BatchVerify": Right.CHECK,
    "StreamVerify": Right.CHECK,
    "Translate": Right.TRANSLATE,
    "BatchTranslate": Right.TRANSLATE,
    "PublishStatuses": Right.PUBLISH,
    "GetStatus": Right.READ_STATUS,
    "ReportException": Right.REPORT,
    "AcknowledgeException": Right.ACKNOWLEDGE,
    "WithdrawException": Right.WITHDRAW,
    "ListExceptions": Right.READ_REPORTS,
    "GetTrustList": Right.READ_TRUST_LIST,
    "Check": Right.READ_HEALTH,
    "List": Right.READ_HEALTH,
    "Watch": Right.READ_HEALTH,
    "ServerReflectionInfo": Right.REFLECT,
}
"""The right that the caller of a method needs, for some region at least. Which region a request is about, the method
itself reads."""

NO_LIMITS: Final = CallerLimits({}, time.monotonic, lambda _, __: None)
"""For callers without limits."""

_Context = grpc.aio.ServicerContext[Any, Any]


Credentials: TypeAlias = tuple[bytes | None, str | None, bool]
"""What a caller has shown: its certificate, the value of its ``authorization`` metadata, and whether it calls from this
machine, which counts where it has shown neither. It is a plain tuple: a named one costs a tenth of a check of rights.

The certificate is in DER where the listener vouches for its chain at any time, and else in PEM with the chain."""

NOTHING: Final[Credentials] = None, None, True
_READ_HEALTH: Final = Right.READ_HEALTH  # an enumeration looks its members up slowly
CredentialsOf = Callable[[_Context], Credentials]
"""Returns what the caller of a call has shown."""


class Caller:
    """The caller of one call, in the place of gRPC's context in the methods of services."""

    __slots__ = (
        "_authenticator",
        "_credentials",
        "_limits",
        "_taken",
        "identity",
        "time_remaining",
    )

    def __init__(
        self,
        identity: Identity,
        authenticator: Authenticator,
        limits: CallerLimits = NO_LIMITS,
        credentials: Credentials | None = NOTHING,
        time_remaining: Remaining = no_deadline,
    ) -> None:
        """Count a call of a caller until ``leave``. ``credentials`` is None for a call that needs no identity.
        ``time_remaining`` returns the seconds for which the caller still waits, None without a deadline. Raises
        Overloaded."""
        self._authenticator = authenticator
        self._credentials = credentials
        self._limits = limits
        self.identity = identity
        self.time_remaining = time_remaining
        self._taken = limits.begin(identity)

    def leave(self) -> None:
        """Note that the call is over."""
        if self._taken is not None:
            self._limits.end(self._taken)

    def charge(self, units: int) -> None:
        """Count codes, records or calls. Raises Overloaded where they come sooner than the caller's limit allows."""
        self._limits.charge(self.identity, units)

    def charge_more(self, units: int) -> None:
        """Count the rest of what a call asks for, which was taken with its first unit: a request is taken whole."""
        self._limits.owe(self.identity, units)

    async def pace(self, units: int) -> None:
        """Count what a stream has brought, and wait as long as its caller's limit demands."""
        if (wait_s := self._limits.owe(self.identity, units)) > 0:
            await asyncio.sleep(wait_s)

    def expect(self, right: Right, *regions: str) -> None:
        """Raise NotPermitted where the caller has ``right`` for none of the regions."""
        if not authorisation.has(self.identity, right, regions):
            partners = self._authenticator.partners
            authorisation.expect_for(self.identity, right, *regions, partners=partners)

    def regions(self, right: Right) -> Collection[str] | None:
        """Return the regions for which the caller has ``right``: None for all of them."""
        return authorisation.regions(self.identity, right, self._authenticator.partners)

    def expect_still(self) -> None:
        """Raise Unauthenticated where the call needs an identity, and what the caller has shown is none any more."""
        if self._credentials is not None:
            certificate, authorization, is_local = self._credentials
            self._authenticator.identify(certificate, authorization, is_local=is_local)


class Callers:
    """Finds the caller of each call. With ``answers_health``, the health of the server is told to callers without an
    identity, too."""

    def __init__(
        self,
        authenticator: Authenticator,
        credentials_of: CredentialsOf,
        limits: CallerLimits = NO_LIMITS,
        *,
        answers_health: bool = False,
    ) -> None:
        self._limits = limits
        self._authenticator = authenticator
        self._credentials_of = credentials_of
        self._answers_health = answers_health

    def find(self, context: _Context, right: Right) -> Caller | None:
        """Return the caller of a call, which counts until it leaves; None for a stranger, whose call takes turns before
        ``meet`` looks at what it has shown (``strangers``). Raises as ``meet``."""
        authenticator = self._authenticator
        shown = self._credentials_of(context)
        certificate, authorization, is_local = shown
        needed = None if right is _READ_HEALTH and self._answers_health else shown
        identity = authenticator.recall(certificate, authorization, is_local=is_local)
        if identity is None:
            if needed is None or authenticator.remembers(certificate, authorization):
                return self.meet(context, right)
            return None
        authorisation.expect(identity, right)
        return Caller(identity, authenticator, self._limits, needed, context.time_remaining)

    def meet(self, context: _Context, right: Right) -> Caller:
        """Return the caller of a call, which counts until it leaves, by what it has shown. Raises Unauthenticated,
        NotPermitted where it has ``right`` for no region, NotServing, and Overloaded."""
        authenticator = self._authenticator
        shown = self._credentials_of(context)
        certificate, authorization, is_local = shown
        needed = None if right is _READ_HEALTH and self._answers_health else shown
        try:
            identity = authenticator.identify(certificate, authorization, is_local=is_local)
        except (Unauthenticated, NotServing):
            if needed is not None:
                raise
            identity = ANONYMOUS
        authorisation.expect(identity, right)
        return Caller(identity, authenticator, self._limits, needed, context.time_remaining)


def nothing_shown(_: _Context) -> Credentials:
    """Return what a caller shows of itself on a listener where nobody has to."""
    return NOTHING


def shown_to_grpc(context: _Context) -> Credentials:
    """Return what a caller has shown to a listener of grpc.aio."""
    shown = context.auth_context()
    certificate = None
    if own := shown.get("x509_pem_cert"):
        certificate = b"".join(own)  # it is one
        if others := shown.get("x509_pem_cert_chain"):
            certificate += b"".join(others)
    authorization = authorization_of(context)
    is_local = not certificate and not authorization and is_local_peer(context.peer())
    return certificate, authorization, is_local


def authorization_of(context: _Context) -> str | None:
    """Return the value of the ``authorization`` metadata. Several are joined by commas (RFC 9110, section 5.3), which
    no bearer token has: whoever reads it refuses it as repeated, and counts that."""
    found: str | None = None
    for name, value in context.invocation_metadata() or ():
        if name == "authorization":
            found = str(value) if found is None else f"{found}, {value!s}"
    return found
