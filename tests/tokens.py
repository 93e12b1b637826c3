"""Issuers of bearer tokens for tests: key sets, good tokens, and signed tokens of any content."""

import functools
import json
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from onecode_server.codes.encodings import base64url

from tests.certificates import KeyType, PrivateKey, make_key, spiffe_id

ALGORITHMS: Final = {"p256": "ES256", "ed25519": "EdDSA", "rsa": "RS256"}


@functools.cache
def rsa_key() -> rsa.RSAPrivateKey:
    """Return one RSA key for all tests of a process: to make one takes a tenth of a second."""
    return rsa.generate_private_key(65537, 2048)


class TokenIssuer:
    """Signs tokens with one key, which its entry in a key set describes."""

    def __init__(self, kid: str = "k-1", kind: KeyType = "ed25519", key: PrivateKey | None = None) -> None:
        self.kid = kid
        self.algorithm = ALGORITHMS[kind]
        self.key = key or (rsa_key() if kind == "rsa" else make_key(kind))

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key as a JWK (RFC 7517)."""
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        public: dict[str, Any] = json.loads(algorithm.to_jwk(self.key.public_key()))
        return {**{name: public[name] for name in public if name != "key_ops"}, "kid": self.kid}

    def sign(self, header: bytes, payload: bytes) -> str:
        """Return the token with exactly this header and payload, signed whatever they say."""
        message = base64url.encode(header) + b"." + base64url.encode(payload)
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        return (message + b"." + base64url.encode(algorithm.sign(message, self.key))).decode()

    def token(self, path: str, now_s: float, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return a token of ``path`` for an hour from ``now_s``. A header or claim None is left out."""
        header = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT", **(headers or {})}
        payload = {"sub": spiffe_id(path), "aud": "onecode", "iat": now_s, "exp": now_s + 3600, **claims}
        return self.sign(_dumped(header), _dumped(payload))


def jwks(*keys: Any) -> bytes:
    """Return a key set (RFC 7517, section 5) of issuers' keys, or of entries as they are."""
    return json.dumps({"keys": [one.jwk if isinstance(one, TokenIssuer) else one for one in keys]}).encode()


def _dumped(members: dict[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()
