"""Signing keys: made, kept in files that only their owner reads, and used. Never logged, never printed.

A key file is one line of 64 hex digits: the 32-byte seed of RFC 8032, section 5.1.5, or a 32-byte symmetric key.
"""

import os
import secrets
from pathlib import Path
from typing import Final

from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.signing import SigningKey

from onecode_server.errors import Misconfigured

SECRET_BYTES: Final = 32
_FILE_CHARS_MAX: Final = 1024
"""Ten times what a key file holds: what is longer is no key, and may have no end."""


class Signer:
    """An Ed25519 key that signs. ``public_key`` is 32 bytes."""

    def __init__(self, seed: bytes) -> None:
        self._key = SigningKey(seed)
        self.public_key = bytes(self._key.verify_key)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of ``message``: always the same one (RFC 8032, section 5.1.6)."""
        return self._key.sign(message).signature


def public_key_fault(public_key: bytes) -> str | None:
    """Say why 32 bytes are no public key that an issuer could have made, or None."""
    if crypto_core_ed25519_is_valid_point(public_key):
        return None
    return "public_key is not a canonical point of the prime-order group"


def make_secret(path: Path) -> bytes:
    """Make a new 32-byte secret, write it to ``path`` for its owner's eyes only and return it.

    Raises FileExistsError: a key is never written over.
    """
    secret = secrets.token_bytes(SECRET_BYTES)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secret.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return secret


def read_secret(path: Path) -> bytes:
    """Return the 32-byte secret in a key file. Raises Misconfigured; the message names the file, never its content."""
    try:
        with path.open(encoding="ascii") as file:
            secret = bytes.fromhex(file.read(_FILE_CHARS_MAX).strip())
    except OSError as fault:
        raise Misconfigured(f"cannot read the key file {path}: {fault.strerror}") from None
    except ValueError:
        raise Misconfigured(f"the key file {path} is not hex") from None
    if len(secret) != SECRET_BYTES:
        raise Misconfigured(f"the key file {path} does not hold {SECRET_BYTES} bytes")
    return secret
