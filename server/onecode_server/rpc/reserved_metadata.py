"""Metadata that only the native front may add to a call, and only the listener behind it believes.

The front passes calls on over a Unix socket that serves this process alone. It removes these keys from what a caller
sent, and adds its own values. Every other listener ignores them: a caller may send them, and nothing comes of it.
"""

import hmac
import secrets
from collections.abc import Callable, Iterable
from typing import Any, Final

import grpc.aio

from onecode_server.rpc.authenticator import is_local_peer
from onecode_server.rpc.callers import Credentials, authorization_of

TOKEN_KEY: Final = "x-onecode-token"  # noqa: S105 - the name of a token, and none
PEER_KEY: Final = "x-onecode-peer"
CERTIFICATE_KEY: Final = "x-onecode-certificate-bin"
TOKEN_BYTES: Final = 32
"""As many random bytes as a key has: nobody guesses them."""

_Context = grpc.aio.ServicerContext[Any, Any]
_Metadata = Iterable[tuple[str, str | bytes]]
PeerOf = Callable[[_Context], str]
"""Returns the address of the connection that a call came by."""


def peer_of_connection(context: _Context) -> str:
    """Return the address of the connection that this process has accepted."""
    return context.peer()


class Gate:
    """Admits the calls of the front of this process, by a token that nobody else has."""

    def __init__(self) -> None:
        self.token: Final = secrets.token_hex(TOKEN_BYTES)

    def admits(self, metadata: _Metadata | None) -> bool:
        """Tell whether a call comes from the front."""
        told = _value(metadata, TOKEN_KEY)
        return isinstance(told, str) and hmac.compare_digest(told, self.token)

    def peer_of(self, context: _Context) -> str:
        """Return the address of the connection that the front has accepted. The call was admitted."""
        told = _value(context.invocation_metadata(), PEER_KEY)
        return told if isinstance(told, str) else context.peer()

    def credentials_of(self, context: _Context) -> Credentials:
        """Return what the caller has shown to the front. The call was admitted."""
        certificate = _value(context.invocation_metadata(), CERTIFICATE_KEY)
        shown = certificate if isinstance(certificate, bytes) else None
        authorization = authorization_of(context)
        is_local = not shown and not authorization and is_local_peer(self.peer_of(context))
        return shown, authorization, is_local


def _value(metadata: _Metadata | None, key: str) -> str | bytes | None:
    return next((value for name, value in metadata or () if name == key), None)
