"""Opaque codes: a region's prefix and a random token. Its home has published a keyed digest of the whole text.

There is nothing to decode and no signature: what is authentic is what the store knows.
"""

from typing import Final

from onecode_server.errors import Malformed
from onecode_server.formats import jwt

TOKEN_CHARACTERS_MIN: Final = 22
"""128 random bits in base64url. A region with a narrower alphabet needs more characters, never fewer."""


def check(code: bytes, prefix: bytes) -> None:
    """Raise Malformed where ``code`` is not the prefix and a printable token long enough for 128 random bits."""
    token = code[len(prefix) :]
    if len(token) < TOKEN_CHARACTERS_MIN or not token.isascii() or not token.decode().isprintable():
        raise Malformed("not a token")


def prefix_fault(prefix: str) -> str | None:
    """Return why no region's codes should begin with ``prefix``, or None.

    Those of a region that has such a prefix already are read as before: a code that is not a JWT through and through is
    never taken for one.
    """
    if prefix and prefix.isascii() and jwt.may_begin(prefix.encode()):
        return "could begin a JWT too"
    return None


def mint(prefix: bytes, token: bytes) -> bytes:
    """Return the opaque code of a random ``token``. Raises Malformed where the token is too short."""
    code = prefix + token
    check(code, prefix)
    return code
