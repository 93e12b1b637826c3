"""JWT codes: a JWS in compact form (RFC 7515, RFC 7519), ``alg`` EdDSA (RFC 8037) or Ed25519 (RFC 9864)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from onecode_server.errors import AlgorithmNotAllowed, Malformed
from onecode_server.formats import base64url, bounded_json
from onecode_server.model.code import SignedCode
from onecode_server.model.trust_list import Format

PREFIX: Final = b"eyJ"
"""Base64url of ``{"``, with which every JOSE header starts."""

EXPIRY: Final = "exp"
NOT_BEFORE: Final = "nbf"

_ALGORITHMS: Final = ("EdDSA", "Ed25519")
_SIGNATURE_BYTES: Final = 64


def decode(code: bytes) -> SignedCode:
    """Return the envelope of a JWT. Raises Malformed, AlgorithmNotAllowed."""
    message, _, signature_text = code.rpartition(b".")
    header_text, dot, payload_text = message.partition(b".")
    if not dot or b"." in payload_text:
        raise Malformed("not three parts")
    header = bounded_json.loads(base64url.decode(header_text))
    if header.get("alg") not in _ALGORITHMS:
        raise AlgorithmNotAllowed("signature algorithm is not Ed25519")
    key_id = header.get("kid", "")
    if not isinstance(key_id, str) or "crit" in header:
        raise Malformed("key id is not text, or there are critical header parameters")
    signature = base64url.decode(signature_text)
    if len(signature) != _SIGNATURE_BYTES:
        raise Malformed("signature has the wrong length")
    # A lone surrogate can be written in JSON and in no key id of the trust list.
    return SignedCode(Format.JWT, key_id.encode(errors="replace"), message, signature, base64url.decode(payload_text))


def read_claims(payload: bytes) -> Mapping[Any, Any]:
    """Return the claims of an authentic JWT. Raises Malformed."""
    return bounded_json.loads(payload)


def mint(claims: Mapping[Any, Any], key_id: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Return a JWT over ``claims``; ``sign`` makes the 64-byte signature of a message."""
    header = bounded_json.dumps({"alg": _ALGORITHMS[0], "kid": key_id.decode(), "typ": "JWT"})
    message = base64url.encode(header) + b"." + base64url.encode(bounded_json.dumps(claims))
    return message + b"." + base64url.encode(sign(message))
