"""Opaque codes: a region's prefix and a random token. The home has published a keyed digest of the whole text.

There is no content to decode and no signature: a code is authentic where the store knows its token.
"""

from typing import Final

from onecode_server.codes.codec import STRUCTURES
from onecode_server.errors import Malformed

TOKEN_CHARACTERS_MIN: Final = 22
"""128 random bits in base64url. A region with a narrower alphabet needs more characters, never fewer."""


def check(code: bytes, prefix: bytes) -> None:
    """Raise Malformed where ``code`` is not the prefix and a printable token long enough for 128 random bits."""
    token = code[len(prefix) :]
    if len(token) < TOKEN_CHARACTERS_MIN or not token.isascii() or not token.decode().isprintable():
        raise Malformed("not a token")


def prefix_fault(prefix: str) -> str | None:
    """Return the reason why ``prefix`` is unfit for a region's opaque codes, or None.

    A region that has such a prefix already is read as before: a code without the complete structure of a JWT is never
    taken for one.
    """
    for codec, structure in STRUCTURES if prefix and prefix.isascii() else ():
        if structure.may_begin(prefix.encode()):
            return f"could begin a {codec.FORMAT.upper()} too"
    return None


def mint(prefix: bytes, token: bytes) -> bytes:
    """Return the opaque code of a random ``token``. Raises Malformed where the token is too short."""
    code = prefix + token
    check(code, prefix)
    return code
