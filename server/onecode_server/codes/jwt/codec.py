"""JWT codes: a JWS in compact form (RFC 7515, RFC 7519), ``alg`` EdDSA (RFC 8037) or Ed25519 (RFC 9864)."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from onecode_server.codes.data_models import JSON
from onecode_server.codes.encodings import base64url, bounded_json
from onecode_server.codes.jwt import structure
from onecode_server.errors import AlgorithmNotAllowed, Malformed
from onecode_server.model.code import SignedCode
from onecode_server.model.trust_list import Format

if TYPE_CHECKING:
    from onecode_server.codes.layouts import Layouts

FORMAT: Final = Format("jwt")
PREFIX: Final = structure.PREFIX
STRUCTURE: Final = structure

ISSUER: Final = "iss"
EXPIRY: Final = "exp"
NOT_BEFORE: Final = "nbf"
TIMES_ARE_TEXT: Final = False
ISSUER_IS_REGION: Final = False
RESIDENCE: Final = None
DATA_MODEL: Final = JSON

_ALGORITHMS: Final = ("EdDSA", "Ed25519")
SIGNATURE_BYTES: Final = 64


def decode(code: bytes) -> SignedCode:
    """Return the envelope of a JWT. Raises Malformed, AlgorithmNotAllowed."""
    first, last = code.find(b"."), code.rfind(b".")  # not split: the parts would be in memory once more
    if code.count(b".") != 2:
        raise Malformed("not three parts")
    key_id, signature = read_header(code[:first]), base64url.decode(code[last + 1 :])
    if len(signature) != SIGNATURE_BYTES:
        raise Malformed("signature has the wrong length")
    payload = base64url.decode(code[first + 1 : last])
    return SignedCode(FORMAT, key_id, code[:last], signature, payload)


def read_header(text: bytes) -> bytes:
    """Return the key id of a header (base64url) that names this algorithm. Raises Malformed, AlgorithmNotAllowed."""
    header = bounded_json.loads(base64url.decode(text))
    if header.get("alg") not in _ALGORITHMS:
        raise AlgorithmNotAllowed("signature algorithm is not Ed25519")
    if "crit" in header:
        raise Malformed("there are critical header parameters")
    return bounded_json.key_id(header)


def read_claims(payload: bytes) -> Mapping[Any, Any]:
    """Return the claims of an authentic JWT. Raises Malformed."""
    return bounded_json.loads(payload)


def mint(claims: Mapping[Any, Any], key_id: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Return a JWT over ``claims``; ``sign`` makes the 64-byte signature of a message."""
    header = bounded_json.dumps({"alg": _ALGORITHMS[0], "kid": key_id.decode(), "typ": "JWT"})
    message = base64url.encode(header) + b"." + base64url.encode(bounded_json.dumps(claims))
    return message + b"." + base64url.encode(sign(message))


def layouts() -> "Layouts":
    """Return the module of the layouts, which needs NumPy: a process that checks no codes does not import it."""
    from onecode_server.codes.jwt import layout  # noqa: PLC0415

    return layout
