"""PASETO v4.public codes (PASETO specification, version 4) with a JSON footer that holds ``kid``."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from onecode_server.codes.data_models import JSON
from onecode_server.codes.encodings import base64url, bounded_json
from onecode_server.errors import Malformed
from onecode_server.model.code import SignedCode
from onecode_server.model.trust_list import Format

if TYPE_CHECKING:
    from onecode_server.codes.layouts import Layouts

FORMAT: Final = Format("paseto")
PREFIX: Final = b"v4.public."
STRUCTURE: Final = None

ISSUER: Final = "iss"
EXPIRY: Final = "exp"
NOT_BEFORE: Final = "nbf"
TIMES_ARE_TEXT: Final = True
ISSUER_IS_REGION: Final = False
RESIDENCE: Final = None
DATA_MODEL: Final = JSON

SIGNATURE_BYTES: Final = 64


def decode(code: bytes) -> SignedCode:
    """Return the envelope of a PASETO. Raises Malformed."""
    dot = code.find(b".", len(PREFIX))
    if dot < 0:
        raise Malformed("no footer, so no key id")
    body = base64url.decode(code[len(PREFIX) : dot])
    if len(body) < SIGNATURE_BYTES:
        raise Malformed("too short for a signature")
    footer, key_id = read_footer(code[dot + 1 :])
    payload, signature = body[:-SIGNATURE_BYTES], body[-SIGNATURE_BYTES:]
    message = pre_authentication_encoding(PREFIX, payload, footer, b"")
    return SignedCode(FORMAT, key_id, message, signature, payload)


def read_footer(text: bytes) -> tuple[bytes, bytes]:
    """Return a footer, from base64url, and its key id. Raises Malformed."""
    footer = base64url.decode(text)
    return footer, bounded_json.key_id(bounded_json.loads(footer))


def read_claims(payload: bytes) -> Mapping[Any, Any]:
    """Return the claims of an authentic PASETO. Raises Malformed."""
    return bounded_json.loads(payload)


def mint(claims: Mapping[Any, Any], key_id: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Return a PASETO over ``claims``; ``sign`` makes the 64-byte signature of a message."""
    payload, footer = bounded_json.dumps(claims), bounded_json.dumps({"kid": key_id.decode()})
    signature = sign(pre_authentication_encoding(PREFIX, payload, footer, b""))
    return PREFIX + base64url.encode(payload + signature) + b"." + base64url.encode(footer)


def layouts() -> "Layouts":
    """Return the module of the layouts, which needs NumPy: a process that checks no codes does not import it."""
    from onecode_server.codes.paseto import layout  # noqa: PLC0415

    return layout


def pre_authentication_encoding(*pieces: bytes) -> bytes:
    """Return PAE of the pieces (PASETO specification, "Common implementation details")."""
    parts = [len(pieces).to_bytes(8, "little")]
    for piece in pieces:
        parts += (len(piece).to_bytes(8, "little"), piece)
    return b"".join(parts)
