"""The public keys that bearer tokens are checked with: a JWK set (RFC 7517; RFC 7518, section 6; RFC 8037).

The key fixes the algorithm, a token only repeats it (RFC 8725, section 3.1). PyJWT makes keys of JWKs and checks
signatures. A set is taken whole or not at all, so that a mistake in it is seen at once.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import Algorithm

from onecode_server.codes.encodings import base64url
from onecode_server.crypto.signing import public_key_fault
from onecode_server.errors import Malformed
from onecode_server.identity import strict_json

FILE_BYTES_MAX: Final = 1024 * 1024
KEYS_MAX: Final = 1_000
"""An issuer has a few keys at a time. Both bounds hold the time in which a file is read under a second."""
KEY_ID_CHARACTERS_MAX: Final = 255
RSA_BITS_MIN: Final = 2048
"""The least that RFC 7518, section 3.3 allows."""
RSA_BITS_MAX: Final = 8192
"""A check with such a key takes some 0.1 ms on the event loop; it grows with the square of the size."""
RSA_EXPONENT_MAX: Final = 2**32
"""The time of a check grows with the exponent, which is 65,537 nearly everywhere."""

_PRIVATE: Final = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))
_KINDS: Final[Mapping[tuple[Any, Any], tuple[str, tuple[str, ...]]]] = {
    ("OKP", "Ed25519"): ("EdDSA", ("x",)),
    ("EC", "P-256"): ("ES256", ("x", "y")),
    ("RSA", None): ("RS256", ("n", "e")),
}
"""By kty and crv: the algorithm, and the members with the numbers of the key."""
ALGORITHMS: Final = tuple(algorithm for algorithm, _ in _KINDS.values())
_USES: Final = (None, "sig", "jwt-svid")
"""A key for anything else is passed over: a SPIFFE bundle has those of certificates in the same set."""


class TokenKey(NamedTuple):
    """A public key, and the one algorithm (a JWS ``alg``) that it is for."""

    algorithm: str
    key: Any
    verifier: Algorithm

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Return whether ``signature`` is this key's for ``message``."""
        try:
            return self.verifier.verify(message, self.key, signature)
        except Exception:  # whatever a library raises at a stranger's bytes, they are no signature
            return False


TokenKeys = Mapping[str, TokenKey]
"""The keys by their ``kid``."""


def read(data: bytes) -> TokenKeys:
    """Return the keys of a set. Raises Malformed; the text names the key by its place, and quotes nothing of it."""
    entries = strict_json.loads(data).get("keys")
    if not isinstance(entries, list):
        raise Malformed("it is no JWK set: it has no list of keys")
    if len(entries) > KEYS_MAX:
        raise Malformed(f"it has {len(entries):,} keys, more than {KEYS_MAX:,}")
    keys: dict[str, TokenKey] = {}
    for number, entry in enumerate(entries, 1):
        try:
            if not isinstance(entry, dict):
                raise Malformed("it is no object")
            _expect_public(entry)
            if entry.get("use") not in _USES:
                continue
            kid = _kid(entry)
            if kid in keys:
                raise Malformed("another key of the set has the same kid")
            keys[kid] = _key(entry)
        except Malformed as fault:
            raise Malformed(f"key {number}: {fault}") from None
    return keys


def _expect_public(entry: Mapping[str, Any]) -> None:
    if entry.get("kty") == "oct":
        raise Malformed("it is symmetric: who can check tokens with it can make them")
    if not _PRIVATE.isdisjoint(entry):
        raise Malformed("it has members of a private key, which must not lie here: replace the key, it may be known")


def _kid(entry: Mapping[str, Any]) -> str:
    kid = entry.get("kid")
    if not isinstance(kid, str) or not 1 <= len(kid) <= KEY_ID_CHARACTERS_MAX:
        raise Malformed(f"it has no kid of 1 to {KEY_ID_CHARACTERS_MAX} characters")
    return kid


def _key(entry: Mapping[str, Any]) -> TokenKey:
    kty, crv = entry.get("kty"), entry.get("crv")
    kind = _KINDS.get((kty, crv)) if isinstance(kty, str) and isinstance(crv, str | None) else None
    if kind is None:
        raise Malformed("it is none of OKP with Ed25519, EC with P-256, and RSA")
    algorithm, members = kind
    if entry.get("alg", algorithm) != algorithm:
        raise Malformed(f"its alg does not fit: such a key is for {algorithm}")
    operations = entry.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise Malformed("its key_ops do not include verify")
    numbers = {name: _number(entry, name) for name in members}
    if kty == "OKP" and len(numbers["x"]) != 32:
        raise Malformed("its x is not 32 bytes")
    if kty == "OKP" and (fault := public_key_fault(numbers["x"])) is not None:
        raise Malformed(fault)
    public = {"kty": kty, "crv": crv} | {name: entry[name] for name in members}
    try:
        key = jwt.PyJWK(public, algorithm=algorithm).key
    except Exception:
        raise Malformed("its numbers are no public key") from None
    if isinstance(key, RSAPublicKey):
        _expect_rsa(key)
    return TokenKey(algorithm, key, jwt.get_algorithm_by_name(algorithm))


def _number(entry: Mapping[str, Any], name: str) -> bytes:
    text = entry.get(name)
    if not isinstance(text, str) or not text.isascii() or not text:
        raise Malformed(f"it has no {name}")
    try:
        return base64url.decode(text.encode("ascii"))
    except Malformed as fault:
        raise Malformed(f"its {name} is {fault}") from None


def _expect_rsa(key: RSAPublicKey) -> None:
    if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
        raise Malformed(f"it has {key.key_size:,} bits: an RSA key has {RSA_BITS_MIN:,} to {RSA_BITS_MAX:,} here")
    if key.public_numbers().e > RSA_EXPONENT_MAX:
        raise Malformed("its exponent is above 2**32")
