"""JWT codes: a JWS in compact form (RFC 7515, RFC 7519), ``alg`` EdDSA (RFC 8037) or Ed25519 (RFC 9864)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from onecode_server.codes.data_models import JSON
from onecode_server.codes.encodings import base64url, bounded_json
from onecode_server.errors import AlgorithmNotAllowed, Malformed
from onecode_server.model.code import CODE_BYTES_MAX, SignedCode
from onecode_server.model.trust_list import Format

FORMAT: Final = Format("jwt")
PREFIX: Final = b"eyJ"
"""Base64url of ``{"``, with which nearly every JOSE header starts; ``is_jwt`` recognizes the others."""

ISSUER: Final = "iss"
EXPIRY: Final = "exp"
NOT_BEFORE: Final = "nbf"
TIMES_ARE_TEXT: Final = False
ISSUER_IS_REGION: Final = False
RESIDENCE: Final = None
DATA_MODEL: Final = JSON

_ALGORITHMS: Final = ("EdDSA", "Ed25519")
SIGNATURE_BYTES: Final = 64
_SPACE: Final = b" \t\n\r"  # RFC 8259, section 2
_BEGINNINGS: Final = (b"I", b"C", b"D", b"e")
"""The first characters of base64url of white space (a space; a tab or line feed; a carriage return) or ``{``."""


def is_jwt(code: bytes) -> bool:
    """Tell whether a code has the structure of a JWT: three parts, the first a JOSE header (RFC 7515, section 7.1),
    which is a JSON object.

    The header's text may begin with white space, and with any name in any spelling.
    """
    if code.startswith(PREFIX):
        return True
    if not code.startswith(_BEGINNINGS) or code.count(b".") != 2 or len(code) > CODE_BYTES_MAX:
        return False
    try:
        bounded_json.loads(base64url.decode(code[: code.find(b".")]))
    except Malformed:
        return False
    return True


def may_begin(prefix: bytes) -> bool:
    """Tell whether the text of some JWT, which starts with a JOSE header in base64url, begins with ``prefix``."""
    header, dot, _ = prefix.partition(b".")
    if dot:  # the whole header is known
        return is_jwt(header + b"..")
    number = 0
    for character in header:
        if character not in base64url.ALPHABET:
            return False
        number = number << 6 | base64url.ALPHABET.index(character)
    size, bits = divmod(6 * len(header), 8)
    expected = _SPACE + b"{"
    for byte in (number >> bits).to_bytes(size):
        if byte not in expected:
            return False
        if byte == ord("{"):
            expected = _SPACE + b'"}'
        elif byte not in _SPACE:
            return True
    # Only the first bits of the next byte are known.
    return any(byte >> 8 - bits == number & (1 << bits) - 1 for byte in expected)


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
