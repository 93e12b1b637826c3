"""The gateway keys of a PKCS#11 token, which sign there: each on one thread, since a token may take milliseconds, or
hang.

A token that goes away makes translations UNAVAILABLE and nothing else. It is looked for until it is back.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol, TypeVar

from onecode_server.crypto.signing import MessageSigner
from onecode_server.errors import Overloaded, SigningUnavailable
from onecode_server.system.own_thread import OwnThread, ThreadBusy
from onecode_server.telemetry.metrics import Metrics
from onecode_server.translation.gateway_keys import Sign

SIGN_S: Final = 2.0
"""The longest wait for a signature. A network module answers within some 10 ms; a gate waits no longer than this."""
WAITING_MAX: Final = 256
"""Translations that wait for the thread: at 5 ms each the last one gets its signature within 1.3 s. They hold what they
are made of, 4 KiB each at most."""
LOOK_S: Final = 5.0
"""The interval of looks at a token that answers: a new key is there soon enough for a rotation, and a network module
is asked seldom."""
AWAY_S: Final = 1.0
"""The interval of looks at a token that does not answer."""
OPEN_S: Final = 5.0
"""The longest wait for a look: a session with a network module takes seconds to open. A start waits for it, too."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Session(Protocol):
    """What is used of ``crypto.token_session.TokenSession``."""

    def signers(self) -> Mapping[bytes, MessageSigner]:
        """Return the keys; a lost session is opened again. Raises SigningUnavailable."""
        ...

    def close(self) -> None:
        """Close the session."""
        ...


class TokenGatewayKeys:
    """The gateway keys of one token. ``monotonic`` returns seconds that never run backwards.

    Only the thread touches the session and its signers; only the event loop touches everything else.
    """

    def __init__(self, session: Session, metrics: Metrics, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._thread = OwnThread("gateway-token", WAITING_MAX)
        self._monotonic = monotonic
        self._signers: Mapping[bytes, MessageSigner] = {}
        self._look_at_s = self._answered_at_s = monotonic()
        self.public_keys: Collection[bytes] = frozenset()
        self.fault: str | None = "the token was not looked for yet"
        metrics.gateway_keys_fault.set_function(lambda: self.fault is not None)

    async def refresh(self) -> None:
        """Look at the token where it is time to. Raises nothing."""
        if self._monotonic() < self._look_at_s:
            return
        try:
            found = await self._thread.call(self._open, OPEN_S)
        except TimeoutError:
            self._failed(f"the token has not answered for {OPEN_S:g} s")
        except ThreadBusy:  # signatures wait, so that the token is known to be in use
            pass
        except Exception as fault:  # no thread, no memory, or a bug: the watcher must go on
            self._failed(str(fault) if isinstance(fault, SigningUnavailable) else type(fault).__name__)
        else:
            if self.fault is not None or found != self.public_keys:
                _log.info("gateway keys taken", extra={"keys": len(found)})
            self.public_keys, self.fault = found, None
            self._answered_at_s = self._monotonic()
            self._look_at_s = self._answered_at_s + LOOK_S

    def expect_answer(self) -> None:
        """Raise SigningUnavailable where the token does not answer."""
        if self.fault is not None:
            raise SigningUnavailable(self.fault)

    async def sign(self, public_key: bytes, work: Callable[[Sign], _T]) -> _T:
        """Return what ``work``, on the token's thread, makes with the function that signs.

        Where the token fails, a session is opened anew at once, and the work done once more. Raises SigningUnavailable,
        and Overloaded where too many calls wait.
        """
        self.expect_answer()

        def signed() -> _T:
            try:
                return work(self._signer(public_key))
            except SigningUnavailable:
                self._session.close()
            self._open()
            return work(self._signer(public_key))

        try:
            made = await self._thread.call(signed, SIGN_S)
        except ThreadBusy:
            raise Overloaded("too many translations wait for a signature", SIGN_S) from None
        except TimeoutError:
            if self._monotonic() < self._answered_at_s + SIGN_S:  # it signs, and others' work was before this
                raise Overloaded("too many translations wait for a signature", SIGN_S) from None
            self._failed(f"the token has not signed within {SIGN_S:g} s")
            raise SigningUnavailable("the token has not signed in time") from None
        except SigningUnavailable as fault:
            self._failed(str(fault))
            raise
        self._answered_at_s = self._monotonic()
        return made

    def report(self) -> dict[str, Any]:
        """Return the state for operations."""
        return {"from": "pkcs11", "count": len(self.public_keys), "fault": self.fault}

    def close(self) -> None:
        """End the thread. A session ends with its process."""
        self._thread.close()

    def _open(self) -> frozenset[bytes]:
        self._signers = self._session.signers()
        return frozenset(self._signers)

    def _signer(self, public_key: bytes) -> Sign:
        if public_key not in self._signers:
            raise SigningUnavailable("the token does not have the key any more")
        return self._signers[public_key].sign

    def _failed(self, why: str) -> None:
        if self.fault != why:
            _log.error("nothing can be translated, since the token with the gateway keys does not sign: %s", why)
        self.fault = why
        self._look_at_s = self._monotonic() + AWAY_S
