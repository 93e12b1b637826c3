"""Tokens for development: JWT-SVIDs of an Ed25519 key, and the key set (RFC 7517) by which a server checks them."""

import hashlib
import json
import secrets
import time
from pathlib import Path
from typing import Final

from onecode_server.codes.encodings import base64url
from onecode_server.crypto.signing import Signer, make_secret, read_secret
from onecode_server.errors import Misconfigured
from onecode_server.system import durable_files

MINUTES_MAX: Final = 24 * 60
"""A server refuses tokens that live longer."""


def make_key(directory: Path) -> None:
    """Make ``token.key`` and the key set ``jwks.json``. Raises FileExistsError where the key exists, OSError."""
    signer = Signer(make_secret(directory / "token.key"))
    key = {**_public(signer), "kid": _key_id(signer), "alg": "EdDSA"}
    durable_files.replace(directory / "jwks.json", json.dumps({"keys": [key]}, indent=2).encode() + b"\n")


def make_token(directory: Path, spiffe_id: str, audience: str, minutes: int) -> str:
    """Return a token that says who its bearer is, for ``minutes``. Raises Misconfigured where the key is missing."""
    signer, now_s = Signer(read_secret(directory / "token.key")), int(time.time())
    header = {"alg": "EdDSA", "kid": _key_id(signer), "typ": "JWT"}
    claims = {
        "sub": spiffe_id,
        "aud": [audience],
        "iat": now_s,
        "exp": now_s + minutes * 60,
        "jti": secrets.token_hex(16),
    }
    message = b".".join(base64url.encode(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return (message + b"." + base64url.encode(signer.sign(message))).decode("ascii")


def write_token(file: Path, token: str) -> None:
    """Write a token to a file that its owner alone can read, in place of an earlier one. Raises Misconfigured.

    It is renamed into its place: a client that reads at this moment has one of the two, and no half.
    """
    beside = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        durable_files.create(beside, f"{token}\n".encode("ascii"), 0o600)
        beside.replace(file)
    except OSError as fault:
        beside.unlink(missing_ok=True)
        raise Misconfigured(f"cannot write {file}: {fault.strerror}") from None


def _public(signer: Signer) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": base64url.encode(signer.public_key).decode("ascii")}


def _key_id(signer: Signer) -> str:
    """Return the key's thumbprint (RFC 7638): its required members, in the order of their names."""
    members = json.dumps(_public(signer), separators=(",", ":"), sort_keys=True).encode()
    return base64url.encode(hashlib.sha256(members).digest()).decode("ascii")
