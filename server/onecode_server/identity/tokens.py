"""Bearer tokens: JWT-SVIDs (JWT-SVID.md of SPIFFE; RFC 7519; RFC 8725), decoded once and kept until they expire.

Checks go from the cheap to the dear one: the length, three parts, the header and its key, then the signature, and only
then the claims. Base64 and JSON are read here, and not by PyJWT: it takes tens of microseconds for each KiB, keeps the
last of two members of one name, and has a clock of its own. Signatures are checked by its algorithms.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from onecode_server.codes.encodings import base64url
from onecode_server.errors import Malformed, Unauthenticated
from onecode_server.identity import spiffe_id, strict_json
from onecode_server.identity.bounded_cache import BoundedCache
from onecode_server.identity.known import Known
from onecode_server.identity.refusals import Refusal, refused
from onecode_server.identity.token_keys import ALGORITHMS, TokenKey, TokenKeys

TOKEN_BYTES_MAX: Final = 8 * 1024
"""What proxies take as one header in their defaults. A JWT-SVID has some 400 bytes."""
LIFETIME_MAX_S: Final = 24 * 3600
"""A token cannot be revoked but with its key, so it must be short-lived."""
SKEW_S: Final = 60
"""The clock of an issuer may be ahead by as much, as that of a scanner (``settings.config``)."""
TOKENS_KEPT: Final = 16_384
"""Valid tokens, some 500 bytes each: two for each connection that a worker takes at most."""
REFUSALS_KEPT: Final = 1_024
REFUSED_FOR_S: Final = 1.0
"""A caller that repeats a bad token is refused without another check for so long; the key may have come meanwhile."""

_TYPES: Final = (None, "JWT", "JOSE")
_SECOND: Final = 1_000_000
_TIME_MAX_S: Final = 253_402_300_799  # the end of the year 9999
_ENTRY_BYTES: Final = 512


class _Refused(NamedTuple):
    why: Refusal
    at: int


class Tokens:
    """Reads tokens for one service. ``keys`` returns the keys in force: what was kept counts for these alone."""

    def __init__(self, keys: Callable[[], TokenKeys], trust_domain: str, audience: str) -> None:
        self._keys = keys
        self._trust_domain = trust_domain
        self._audience = audience
        self._kept_for: TokenKeys | None = None
        self._kept: BoundedCache[bytes, Known] = BoundedCache(TOKENS_KEPT, TOKENS_KEPT * _ENTRY_BYTES)
        self._refused: BoundedCache[bytes, _Refused] = BoundedCache(REFUSALS_KEPT, REFUSALS_KEPT * _ENTRY_BYTES)

    def __len__(self) -> int:
        return len(self._kept)

    def keeps(self, token: bytes) -> bool:
        """Return whether a token was valid when it was read, and is not forgotten."""
        return hashlib.sha256(token).digest() in self._kept

    def read(self, token: bytes, now: int) -> Known:
        """Return whose a token is at ``now`` (Unix microseconds). Raises Unauthenticated."""
        if len(token) > TOKEN_BYTES_MAX:
            raise refused(Refusal.TOKEN_TOO_LONG)
        keys = self._keys()
        if keys is not self._kept_for:
            self._kept.clear()
            self._refused.clear()
            self._kept_for = keys
        digest = hashlib.sha256(token).digest()
        kept = self._kept.get(digest)
        if kept is not None:
            if now < kept.until:
                return kept
            self._kept.drop(digest)
            raise refused(Refusal.TOKEN_EXPIRED)
        before = self._refused.get(digest)
        if before is not None and 0 <= now - before.at < REFUSED_FOR_S * _SECOND:
            raise refused(before.why)
        try:
            read = self._check(token, keys, now)
        except Unauthenticated as fault:
            self._refused.put(digest, _Refused(Refusal[fault.reason], now), _ENTRY_BYTES)
            raise
        self._kept.put(digest, read, _ENTRY_BYTES)
        return read

    def _check(self, token: bytes, keys: TokenKeys, now: int) -> Known:
        parts = token.split(b".")
        if len(parts) != 3:
            raise refused(Refusal.TOKEN_MALFORMED)
        key = _key(_json(parts[0]), keys)
        try:
            signature = base64url.decode(parts[2])
        except Malformed:
            raise refused(Refusal.TOKEN_MALFORMED) from None
        if not key.verify(token[: -len(parts[2]) - 1], signature):
            raise refused(Refusal.TOKEN_SIGNATURE)
        return self._claims(_json(parts[1]), now)

    def _claims(self, claims: dict[str, Any], now: int) -> Known:
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise refused(Refusal.TOKEN_AUDIENCE)
        expires_at = _time(claims.get("exp"), Refusal.TOKEN_EXPIRY_MISSING)
        if expires_at <= now:
            raise refused(Refusal.TOKEN_EXPIRED)
        if expires_at > now + LIFETIME_MAX_S * _SECOND:
            raise refused(Refusal.TOKEN_EXPIRY_TOO_FAR)
        for name, refusal in (("nbf", Refusal.TOKEN_NOT_YET_VALID), ("iat", Refusal.TOKEN_ISSUED_IN_FUTURE)):
            if name in claims and _time(claims[name], refusal) > now + SKEW_S * _SECOND:
                raise refused(refusal)
        subject = claims.get("sub")
        if not isinstance(subject, str):
            raise refused(Refusal.TOKEN_SUBJECT)
        return Known(spiffe_id.read(subject, self._trust_domain), expires_at)


def _key(header: dict[str, Any], keys: TokenKeys) -> TokenKey:
    """Return the key that a header names, if it is for the algorithm there."""
    if "crit" in header:
        raise refused(Refusal.TOKEN_CRITICAL_HEADER)
    if header.get("typ") not in _TYPES:
        raise refused(Refusal.TOKEN_TYPE)
    if header.get("alg") not in ALGORITHMS:
        raise refused(Refusal.TOKEN_ALGORITHM)
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise refused(Refusal.TOKEN_KEY_ID_MISSING)
    if (key := keys.get(kid)) is None:
        raise refused(Refusal.TOKEN_KEY_UNKNOWN)
    if header.get("alg") != key.algorithm:
        raise refused(Refusal.TOKEN_ALGORITHM)
    return key


def _json(part: bytes) -> dict[str, Any]:
    try:
        return strict_json.loads(base64url.decode(part))
    except Malformed:
        raise refused(Refusal.TOKEN_MALFORMED) from None


def _time(value: Any, otherwise: Refusal) -> int:
    """Return a NumericDate (RFC 7519, section 2) in Unix microseconds. Raises Unauthenticated where it is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= _TIME_MAX_S:
        raise refused(otherwise)
    return int(value * _SECOND)
