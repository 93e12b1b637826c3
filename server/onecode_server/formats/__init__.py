"""The wire formats of codes, sans-I/O: bytes in, a signed code out. One file a format.

To add a format: a module with what ``Codec`` asks for, a name in ``model.trust_list.Format`` and a line in ``CODECS``.
Formats know the model and each other's encodings, nothing else.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from onecode_server.formats import jwt, national, paseto
from onecode_server.model.code import SignedCode
from onecode_server.model.trust_list import Format, Region, TrustList


class Codec(Protocol):
    """What each signed format offers. ``EXPIRY`` and ``NOT_BEFORE`` are its registered claim names;
    ``TIMES_ARE_TEXT`` tells whether those hold RFC 3339 text or seconds since 1970."""

    @property
    def PREFIX(self) -> bytes:  # noqa: N802
        """How (nearly) all of its codes begin, and no other format's: see ``codec_of``."""
        ...

    @property
    def EXPIRY(self) -> str | int: ...  # noqa: N802, D102

    @property
    def NOT_BEFORE(self) -> str | int: ...  # noqa: N802, D102

    @property
    def TIMES_ARE_TEXT(self) -> bool: ...  # noqa: N802, D102

    def decode(self, code: bytes) -> SignedCode:
        """Return the envelope. Raises Malformed."""
        ...

    def read_claims(self, payload: bytes) -> Mapping[Any, Any]:
        """Return the claims of an authentic code. Raises Malformed."""
        ...

    def mint(self, claims: Mapping[Any, Any], key_id: bytes, sign: Callable[[bytes], bytes]) -> bytes:
        """Return a signed code."""
        ...


CODECS: Final[Mapping[Format, Codec]] = {Format.NATIONAL: national, Format.JWT: jwt, Format.PASETO: paseto}
"""The formats with a signature. Opaque codes have none, and are told by the prefixes of the trust list."""


def codec_of(code: bytes) -> Codec | None:
    """Return the codec of the signed format that ``code`` is built like, or None.

    National codes and PASETOs say what they are; a JWT is told by its structure. A region's opaque codes come after
    these: what is a JWT through and through is nobody's random token.
    """
    for codec in CODECS.values():
        if code.startswith(codec.PREFIX):
            return codec
    return jwt if jwt.is_jwt(code) else None


def opaque_home(code: bytes, trust: TrustList) -> Region | None:
    """Return the region whose opaque code this is, or None."""
    region = trust.issuer_of_prefix(code)
    return region if region is not None and codec_of(code) is None else None
