"""The registry of the signed formats of codes. Codecs do no I/O: they turn bytes into a signed code.

To add a format, write a package with a module that has the members of ``Codec``, import that module here and enter it
in ``CODECS``. Formats depend on the model, the data models and the encodings, nothing else.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from onecode_server.codes.data_models import DataModel
from onecode_server.codes.jwt import codec as jwt
from onecode_server.codes.national import codec as national
from onecode_server.codes.paseto import codec as paseto
from onecode_server.model.code import SignedCode
from onecode_server.model.trust_list import OPAQUE, Format, Region, TrustList

if TYPE_CHECKING:
    from onecode_server.codes.layouts import Layouts


class Structure(Protocol):
    """The structure by which codes of a format are recognised."""

    def recognises(self, code: bytes) -> bool:
        """Tell whether a code has this structure."""
        ...

    def may_begin(self, prefix: bytes) -> bool:
        """Tell whether some code of this structure begins with ``prefix``."""
        ...


class Codec(Protocol):
    """The interface of a signed format. ``ISSUER``, ``EXPIRY`` and ``NOT_BEFORE`` are its registered claim names;
    ``TIMES_ARE_TEXT`` tells whether those that are times hold RFC 3339 text or seconds since 1970."""

    @property
    def FORMAT(self) -> Format: ...  # noqa: N802, D102

    @property
    def PREFIX(self) -> bytes:  # noqa: N802
        """The prefix of all codes of the format, or of nearly all, and of no other format's."""
        ...

    @property
    def STRUCTURE(self) -> Structure | None:  # noqa: N802
        """The structure of the format's codes, where some have another beginning than PREFIX; else None."""
        ...

    @property
    def ISSUER(self) -> str | int: ...  # noqa: N802, D102

    @property
    def EXPIRY(self) -> str | int: ...  # noqa: N802, D102

    @property
    def NOT_BEFORE(self) -> str | int: ...  # noqa: N802, D102

    @property
    def TIMES_ARE_TEXT(self) -> bool: ...  # noqa: N802, D102

    @property
    def ISSUER_IS_REGION(self) -> bool:  # noqa: N802
        """Whether a code names as its issuer the region that signed it, unless the trust list has another name."""
        ...

    @property
    def RESIDENCE(self) -> str | int | None:  # noqa: N802
        """The claim in which the national authority names an adopter as the bearer's residence; None without one."""
        ...

    @property
    def DATA_MODEL(self) -> DataModel: ...  # noqa: N802, D102

    def decode(self, code: bytes) -> SignedCode:
        """Return the envelope. Raises Malformed."""
        ...

    def read_claims(self, payload: bytes) -> Mapping[Any, Any]:
        """Return the claims of an authentic code. Raises Malformed."""
        ...

    def mint(self, claims: Mapping[Any, Any], key_id: bytes, sign: Callable[[bytes], bytes]) -> bytes:
        """Return a signed code."""
        ...

    def layouts(self) -> "Layouts | None":
        """Return the layouts of the format's codes; None where these are read one by one only."""
        ...


CODECS: Final[Mapping[Format, Codec]] = {
    national.FORMAT: national,
    jwt.FORMAT: jwt,
    paseto.FORMAT: paseto,
}
"""The signed formats. Opaque codes have no signature, and are identified by the prefixes of the trust list."""
STRUCTURES: Final = [(codec, codec.STRUCTURE) for codec in CODECS.values() if codec.STRUCTURE is not None]
"""The formats with codes that a prefix does not identify."""
FORMATS: Final = (*CODECS, OPAQUE)
"""The names of all formats."""


def codec_of(code: bytes) -> Codec | None:
    """Return the codec of the signed format of ``code``, or None.

    A code without any format's prefix is identified by its structure, as some JWTs are. The opaque codes of regions are
    considered only after these, since no random token has the complete structure of a JWT.
    """
    for codec in CODECS.values():
        if code.startswith(codec.PREFIX):
            return codec
    for codec, structure in STRUCTURES:
        if structure.recognises(code):
            return codec
    return None


def opaque_home(code: bytes, trust: TrustList) -> Region | None:
    """Return the region of an opaque code, or None where it is no region's."""
    region = trust.issuer_of_prefix(code)
    return region if region is not None and codec_of(code) is None else None
