"""A format that the server does not have: ``TOY1:``, then key id, JSON claims and signature in hex, between dots."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from onecode_server.codes.data_models import JSON
from onecode_server.codes.encodings import bounded_json
from onecode_server.errors import Malformed
from onecode_server.model.code import SignedCode
from onecode_server.model.trust_list import Format

FORMAT: Final = Format("toy")
PREFIX: Final = b"TOY1:"
STRUCTURE: Final = None

ISSUER: Final = "iss"
EXPIRY: Final = "exp"
NOT_BEFORE: Final = "nbf"
TIMES_ARE_TEXT: Final = False
ISSUER_IS_REGION: Final = False
RESIDENCE: Final = None
DATA_MODEL: Final = JSON


def decode(code: bytes) -> SignedCode:
    parts = code[len(PREFIX) :].split(b".")
    try:
        key_id, payload, signature = (bytes.fromhex(part.decode()) for part in parts)
    except ValueError:
        raise Malformed("not three parts in hex") from None
    if [part.hex().encode() for part in (key_id, payload, signature)] != parts or len(signature) != 64:
        raise Malformed("not a signed code")
    return SignedCode(FORMAT, key_id, code[: code.rfind(b".")], signature, payload)


def read_claims(payload: bytes) -> Mapping[Any, Any]:
    return bounded_json.loads(payload)


def mint(claims: Mapping[Any, Any], key_id: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    message = PREFIX + key_id.hex().encode() + b"." + bounded_json.dumps(claims).hex().encode()
    return message + b"." + sign(message).hex().encode()


def layouts() -> None:
    """Its codes are read one by one."""
