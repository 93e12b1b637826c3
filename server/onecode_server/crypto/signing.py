"""Signing keys: made, kept in files that only their owner can read, and used. They are never logged or printed.

A key may also lie in a PKCS#11 token: ``crypto.token_session`` has that signer.

A key file is one line of 64 hex digits: the 32-byte seed of RFC 8032, section 5.1.5, or a 32-byte symmetric key.
"""

import os
import secrets
import stat
from pathlib import Path
from typing import Final, Protocol

from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.signing import SigningKey

from onecode_server.errors import Misconfigured
from onecode_server.system import durable_files
from onecode_server.system.private_files import is_private

SECRET_BYTES: Final = 32
_FILE_BYTES_MAX: Final = 1024
"""Ten times the length of a key file: a longer file is no key, and may be endless."""
_OWNERS_ALONE: Final = 0o600


class MessageSigner(Protocol):
    """Makes Ed25519 signatures, wherever its secret lies. Signing may block where it lies in a token."""

    @property
    def public_key(self) -> bytes:
        """The public key (32 bytes)."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of ``message`` (RFC 8032, section 5.1.6)."""
        ...


class Signer:
    """An Ed25519 key that signs. ``public_key`` is 32 bytes."""

    def __init__(self, seed: bytes) -> None:
        self._key = SigningKey(seed)
        self.public_key = bytes(self._key.verify_key)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of ``message``: always the same one (RFC 8032, section 5.1.6)."""
        return self._key.sign(message).signature


def public_key_fault(public_key: bytes) -> str | None:
    """Return the reason why 32 bytes are no public key that an issuer could have made, or None."""
    if crypto_core_ed25519_is_valid_point(public_key):
        return None
    return "public_key is not a canonical point of the prime-order group"


def make_secret(path: Path) -> bytes:
    """Make a new 32-byte secret, write it to ``path``, readable for its owner only, and return it.

    Raises FileExistsError: a key is never overwritten.
    """
    secret = secrets.token_bytes(SECRET_BYTES)
    durable_files.create(path, f"{secret.hex()}\n".encode("ascii"), _OWNERS_ALONE)
    return secret


def read_secret(path: Path) -> bytes:
    """Return the 32-byte secret in a key file, which only its owner may open.

    Raises Misconfigured; the message names the file, never its content.
    """
    return _read(path, is_secret=True)


def read_public_key(path: Path) -> bytes:
    """Return the 32-byte public key in a file, which anyone may read. Raises Misconfigured."""
    return _read(path, is_secret=False)


def read_secret_text(path: Path) -> bytes:
    """Return what is in a file that only its owner may open, such as a PIN, without white space around it.

    At most 1,024 bytes are read. Raises Misconfigured; the message names the file, never its content.
    """
    return _content(path, is_secret=True)


def _content(path: Path, *, is_secret: bool) -> bytes:
    try:
        with path.open("rb") as file:
            if is_secret:
                _expect_private(path, os.fstat(file.fileno()))
            return file.read(_FILE_BYTES_MAX).strip()
    except OSError as fault:
        raise Misconfigured(f"cannot read the key file {path}: {fault.strerror}") from None


def _read(path: Path, *, is_secret: bool) -> bytes:
    try:
        key = bytes.fromhex(_content(path, is_secret=is_secret).decode("ascii"))
    except ValueError:
        raise Misconfigured(f"the key file {path} is not hex") from None
    if len(key) != SECRET_BYTES:
        raise Misconfigured(f"the key file {path} does not hold {SECRET_BYTES} bytes")
    return key


def _expect_private(path: Path, found: os.stat_result) -> None:
    """Raise Misconfigured where others may open a file. A pipe or a terminal is not checked, since it is not kept."""
    if stat.S_ISREG(found.st_mode) and not is_private(found):
        raise Misconfigured(
            f"the key file {path} is open to more than its owner (mode {stat.S_IMODE(found.st_mode):04o}): "
            f"set it to {_OWNERS_ALONE:04o}, with chmod"
        )
