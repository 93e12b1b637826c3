"""The wire formats of codes, sans-I/O: bytes in, a signed code out. One file a format.

To add a format: a module with what ``Codec`` asks for, a name in ``model.trust_list.Format`` and a line in ``CODECS``.
Formats know the model and each other's encodings, nothing else.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from onecode_server.formats import jwt, national, paseto
from onecode_server.model.code import SignedCode
from onecode_server.model.trust_list import Format


class Codec(Protocol):
    """What each signed format offers. ``ISSUER``, ``EXPIRY`` and ``NOT_BEFORE`` are its registered claim names;
    ``TIMES_ARE_TEXT`` tells whether those that are times hold RFC 3339 text or seconds since 1970."""

    @property
    def PREFIX(self) -> bytes: ...  # noqa: N802, D102

    @property
    def ISSUER(self) -> str | int: ...  # noqa: N802, D102

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
    """Return the codec whose prefix starts ``code``, or None."""
    return next((codec for codec in CODECS.values() if code.startswith(codec.PREFIX)), None)
