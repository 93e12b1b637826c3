"""The national code: ``NC1:`` + base45 (RFC 9285) of a COSE_Sign1 (RFC 9052) over CWT claims (RFC 8392).

The codes that are written here are deterministic CBOR with the key id in the protected header. Any other valid CWT is
read too: untagged or with tags 61 and 18, self-described (55799), in any spelling of CBOR, the key id in either header.
The labels below -65,536 are for private use (RFC 8392, section 9.1.1).
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from onecode_server.codes.data_models import Cbor
from onecode_server.codes.encodings import base45, bounded_cbor
from onecode_server.errors import AlgorithmNotAllowed, Malformed
from onecode_server.model.code import SignedCode
from onecode_server.model.trust_list import ClaimMap, Format

if TYPE_CHECKING:
    from onecode_server.codes.layouts import Layouts

FORMAT: Final = Format("national")
PREFIX: Final = b"NC1:"
STRUCTURE: Final = None

ISSUER: Final = 1
EXPIRY: Final = 4
NOT_BEFORE: Final = 5
TIMES_ARE_TEXT: Final = False
ISSUER_IS_REGION: Final = True
ISSUED_AT: Final = 6
SUBJECT: Final = -65537
LEVEL: Final = -65538
REGION: Final = -65539
"""An adopter's region of residence; on a translation, the source region."""
SOURCE_DIGEST: Final = -65540
SOURCE_KEY: Final = -65541
SOURCE_ISSUED_AT: Final = -65542
TARGET: Final = -65543
RESIDENCE: Final = REGION

RESERVED: Final = frozenset({ISSUER, NOT_BEFORE, REGION, SOURCE_DIGEST, SOURCE_KEY, SOURCE_ISSUED_AT, TARGET})
"""Labels that mean the same in every region's national codes, so that no region may map a claim of its own to them."""
DATA_MODEL: Final = Cbor(
    source={
        "region": REGION,
        "key_id": SOURCE_KEY,
        "digest": SOURCE_DIGEST,
        "issued_at": SOURCE_ISSUED_AT,
        "target": TARGET,
    },
    reserved=RESERVED,
)

CLAIMS: Final = ClaimMap(subject=(SUBJECT,), level=(LEVEL,), issued_at=(ISSUED_AT,), expiry=(EXPIRY,))
"""The places of the claims in codes of the national authority, and so of its adopters."""

_ALG, _CRIT, _KID = 1, 2, 4
_ED25519: Final = (-8, -19)  # EdDSA (RFC 9053, section 2.2) and Ed25519 (RFC 9864)
_CWT_TAG, _SIGN1_TAG = 61, 18
_ENVELOPES: Final = ((_SIGN1_TAG,), (), (_CWT_TAG, _SIGN1_TAG), (_CWT_TAG,))
"""The tags around a COSE_Sign1, from the outside in. RFC 8392, section 6, has no tag 61 alone; some write it."""
_SIGN1_HEAD: Final = b"\xd2"
SIGNATURE1: Final = b"\x84\x6aSignature1"  # an array of four, and its first item
SIGNATURE_BYTES: Final = 64

_ABSENT: Final = object()
HEADERS_KEPT: Final = 1024
"""The bound on protected headers that are kept, the newest first: an issuer has one for each of its keys, which are
few."""
HEADER_KEPT_BYTES_MAX: Final = 512
"""The bound on a header that is kept: all of them, which an attacker can choose, take 2 MiB at most. A longer header,
such as one with certificates, is read each time."""


def decode(code: bytes) -> SignedCode:
    """Return the envelope of a national code. Raises Malformed, AlgorithmNotAllowed."""
    protected, unprotected_key_id, payload, signature = _sign1(base45.decode(code[len(PREFIX) :]))
    key_id = _key_id(protected, unprotected_key_id)
    return SignedCode(FORMAT, key_id, _to_be_signed(protected, payload), signature, payload)


def read_claims(payload: bytes) -> Mapping[Any, Any]:
    """Return the claims of an authentic national code. Raises Malformed."""
    claims = bounded_cbor.loads(payload)
    if not isinstance(claims, dict):
        raise Malformed("claims are not a CBOR map")
    return claims


def mint(claims: Mapping[Any, Any], key_id: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """Return a national code over ``claims``; ``sign`` makes the 64-byte signature of a message."""
    protected = bounded_cbor.dumps({_ALG: _ED25519[0], _KID: key_id})
    payload = bounded_cbor.dumps(dict(claims))
    signature = sign(_to_be_signed(protected, payload))
    return PREFIX + base45.encode(_SIGN1_HEAD + bounded_cbor.dumps([protected, {}, payload, signature]))


def layouts() -> "Layouts":
    """Return the module of the layouts, which needs NumPy: a process that checks no codes does not import it."""
    from onecode_server.codes.national import layout  # noqa: PLC0415

    return layout


def _sign1(data: bytes) -> tuple[bytes, Any, bytes, bytes]:
    """Return the protected header, the key id of the unprotected one, the payload and the signature of a COSE_Sign1."""
    item, tags = bounded_cbor.loads(data), []
    while isinstance(item, bounded_cbor.Tagged):
        tags.append(item.tag)
        item = item.value
    match item:
        case [bytes(protected), dict(unprotected), bytes(payload), bytes(signature)] if (
            len(signature) == SIGNATURE_BYTES and tuple(tags) in _ENVELOPES
        ):
            return protected, unprotected.get(_KID, b""), payload, signature
    raise Malformed("not a COSE_Sign1")


def _key_id(protected: bytes, otherwise: Any) -> bytes:
    is_kept = len(protected) <= HEADER_KEPT_BYTES_MAX
    key_id = _protected_key_id(protected) if is_kept else _protected_key_id.__wrapped__(protected)
    if key_id is _ABSENT:
        key_id = otherwise
    if not isinstance(key_id, bytes):
        raise Malformed("key id is not a byte string")
    return key_id


@lru_cache(HEADERS_KEPT)
def _protected_key_id(protected: bytes) -> Any:
    """Return the key id of a protected header that names this algorithm, or _ABSENT."""
    header = bounded_cbor.loads(protected) if protected else {}
    if not isinstance(header, dict) or _CRIT in header:
        raise Malformed("protected header is not a map, or has critical parameters")
    algorithm = header.get(_ALG)
    if not isinstance(algorithm, int) or algorithm not in _ED25519:  # -8.0 is not -8
        raise AlgorithmNotAllowed("signature algorithm is not Ed25519")
    return header.get(_KID, _ABSENT)


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """Return the Sig_structure (RFC 9052, section 4.4), without external data."""
    return b"".join((SIGNATURE1, bytes_head(len(protected)), protected, b"\x40", bytes_head(len(payload)), payload))


def bytes_head(size: int) -> bytes:
    """Return the head of a byte string of ``size`` bytes (RFC 8949, section 3.1)."""
    if size < 24:
        return bytes((0x40 | size,))
    return b"\x58" + size.to_bytes(1) if size < 256 else b"\x59" + size.to_bytes(2)
