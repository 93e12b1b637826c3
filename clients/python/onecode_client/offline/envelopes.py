"""The envelopes of signed codes: national (COSE_Sign1, RFC 9052), JWT (RFC 7519) and PASETO v4.public."""

from typing import Any, Final, NamedTuple

from onecode.v1 import recognition_pb2 as pb
from onecode_client.offline import cbor, json_text
from onecode_client.offline.faults import Malformed, malformed
from onecode_client.offline.text_encodings import from_base45, from_base64url

NATIONAL, JWT, PASETO, OPAQUE = "national", "jwt", "paseto", "opaque"
"""Formats, as the trust list names them."""
SIGNATURE_BYTES: Final = 64

_PREFIXES: Final = {NATIONAL: b"NC1:", JWT: b"eyJ", PASETO: b"v4.public."}
SIGNED_PREFIXES: Final = tuple(_PREFIXES.values())
_JOSE_BEGINNINGS: Final = (b"I", b"C", b"D", b"e")
"""The first character of base64url of white space or ``{``, with which a JOSE header begins."""
_JOSE_ALGORITHMS: Final = ("EdDSA", "Ed25519")  # RFC 8037, RFC 9864
_COSE_ALG, _COSE_CRIT, _COSE_KID = 1, 2, 4
_COSE_ALGORITHMS: Final = (-8, -19)  # RFC 9053, section 2.2, RFC 9864
_COSE_TAGS: Final[tuple[list[int], ...]] = ([18], [], [61, 18], [61])


class SignedCode(NamedTuple):
    """A code taken apart: ``message`` is what is signed, ``payload`` the bytes of the claims."""

    format: str
    key_id: bytes
    message: bytes
    signature: bytes
    payload: bytes


def format_of(code: bytes) -> str | None:
    """Return the signed format of a code, by its beginning or its structure; None where it has none."""
    for fmt, prefix in _PREFIXES.items():
        if code.startswith(prefix):
            return fmt
    if code.startswith(_JOSE_BEGINNINGS) and code.count(b".") == 2 and len(code) <= json_text.TEXT_BYTES_MAX:
        try:
            json_text.read_object(from_base64url(code.partition(b".")[0]))
        except Malformed:
            return None
        return JWT
    return None


def take_apart(fmt: str, code: bytes) -> SignedCode:
    """Return the parts of a code of a signed format. Raises Malformed, and Finding for another algorithm."""
    match fmt:
        case "national":
            return _national(code)
        case "jwt":
            return _jwt(code)
    return _paseto(code)


def read_claims(fmt: str, payload: bytes) -> dict[Any, Any]:
    """Return the claims of a code whose signature is good. Raises Malformed."""
    if fmt != NATIONAL:
        return json_text.read_object(payload)
    claims = cbor.read_item(payload)
    if not isinstance(claims, dict):
        raise Malformed("claims are not a CBOR map")
    return claims


def _jwt(code: bytes) -> SignedCode:
    parts = code.split(b".")
    if len(parts) != 3:
        raise Malformed("not three parts")
    header = json_text.read_object(from_base64url(parts[0]))
    if header.get("alg") not in _JOSE_ALGORITHMS:
        raise malformed(pb.REASON_ALGORITHM_NOT_ALLOWED)
    if "crit" in header:  # RFC 7515, section 4.1.11
        raise Malformed("there are critical header parameters")
    key_id, signature = json_text.read_key_id(header), from_base64url(parts[2])
    if len(signature) != SIGNATURE_BYTES:
        raise Malformed("signature has the wrong length")
    return SignedCode(JWT, key_id, code.rpartition(b".")[0], signature, from_base64url(parts[1]))


def _paseto(code: bytes) -> SignedCode:
    body_text, dot, footer_text = code.removeprefix(_PREFIXES[PASETO]).partition(b".")
    if not dot:
        raise Malformed("no footer, so no key id")
    body, footer = from_base64url(body_text), from_base64url(footer_text)
    if len(body) < SIGNATURE_BYTES:
        raise Malformed("too short for a signature")
    key_id = json_text.read_key_id(json_text.read_object(footer))
    payload, signature = body[:-SIGNATURE_BYTES], body[-SIGNATURE_BYTES:]
    message = _pre_authentication_encoding(_PREFIXES[PASETO], payload, footer, b"")
    return SignedCode(PASETO, key_id, message, signature, payload)


def _pre_authentication_encoding(*pieces: bytes) -> bytes:
    """Return PAE of the pieces (PASETO specification, "Common implementation details")."""
    counted = b"".join(len(piece).to_bytes(8, "little") + piece for piece in pieces)
    return len(pieces).to_bytes(8, "little") + counted


def _national(code: bytes) -> SignedCode:
    item, tags = cbor.read_item(from_base45(code.removeprefix(_PREFIXES[NATIONAL]))), []
    while isinstance(item, cbor.Tagged):
        tags.append(item.tag)
        item = item.value
    match item:
        case [bytes(protected), dict(unprotected), bytes(payload), bytes(signature)] if (
            tags in _COSE_TAGS and len(signature) == SIGNATURE_BYTES
        ):
            key_id = _cose_key_id(protected, unprotected)
            return SignedCode(NATIONAL, key_id, _sig_structure(protected, payload), signature, payload)
    raise Malformed("not a COSE_Sign1")


def _cose_key_id(protected: bytes, unprotected: dict[Any, Any]) -> bytes:
    header = cbor.read_item(protected) if protected else {}
    if not isinstance(header, dict) or _COSE_CRIT in header:
        raise Malformed("protected header is not a map, or has critical parameters")
    algorithm = header.get(_COSE_ALG)
    if not isinstance(algorithm, int) or algorithm not in _COSE_ALGORITHMS:  # -8.0 is not -8
        raise malformed(pb.REASON_ALGORITHM_NOT_ALLOWED)
    key_id = header.get(_COSE_KID, unprotected.get(_COSE_KID, b""))
    if not isinstance(key_id, bytes):
        raise Malformed("key id is not a byte string")
    return key_id


def _sig_structure(protected: bytes, payload: bytes) -> bytes:
    """Return the Sig_structure (RFC 9052, section 4.4), without external data."""
    return b"\x84\x6aSignature1" + _byte_string(protected) + _byte_string(b"") + _byte_string(payload)


def _byte_string(data: bytes) -> bytes:
    size = len(data)
    if size < 24:
        return bytes((0x40 | size,)) + data
    return (b"\x58" + size.to_bytes(1) if size < 256 else b"\x59" + size.to_bytes(2)) + data
