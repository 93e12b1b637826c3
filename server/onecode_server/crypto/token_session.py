"""A session on a PKCS#11 token (OASIS PKCS#11 3.0): its Ed25519 keys sign there, and never leave it.

One thread at a time may use the sessions of a module: modules are opened without locks of their own (C_Initialize
without arguments, section 5.4). python-pkcs11 comes with the extra ``onecode[pkcs11]`` and is imported when a token is
used. All that it raises is a PKCS11Error.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from onecode_server.crypto.signing import SECRET_BYTES, read_secret_text
from onecode_server.crypto.token_uri import TokenUri, expect_module
from onecode_server.errors import Misconfigured, SigningUnavailable

if TYPE_CHECKING:
    import pkcs11

KEYS_MAX: Final = 64
"""Keys of a token that are looked at, each with a signature to try it: some rotations of a key for each format."""
PSEUDONYM_LABEL: Final = b"onecode pseudonym key 1"
"""The message whose HMAC-SHA256 is the pseudonym key. Another text would make other pseudonyms of all bearers."""
_TRIAL: Final = b"onecode: does this key belong to its public key?"
"""Signed once by each key that is opened. No format's message looks like it, so that it is no code."""
_DER_POINT: Final = bytes((4, SECRET_BYTES))
"""The head of an OCTET STRING of 32 bytes, in which PKCS#11 wraps a point (section 2.3.5)."""


class TokenSigner:
    """A key in a token. Signing takes milliseconds, and the thread of its session."""

    def __init__(self, key: Any, public_key: bytes, label: str) -> None:
        self._key = key
        self.public_key = public_key
        self.label = label

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of ``message`` (CKM_EDDSA without parameters). Raises SigningUnavailable."""
        import pkcs11  # noqa: PLC0415

        try:
            return bytes(self._key.sign(message, mechanism=pkcs11.Mechanism.EDDSA))
        except pkcs11.PKCS11Error as fault:
            raise SigningUnavailable(f"the token did not sign: {type(fault).__name__}") from None


class TokenSession:
    """Opens a session for a URI, and again where it was lost. All calls come from one thread, and may block."""

    def __init__(self, uri: TokenUri) -> None:
        """Open nothing yet. Raises Misconfigured where no session can ever be opened: without python-pkcs11, or without
        the module."""
        expect_library(uri)
        self._uri = uri
        self._lib: Any = None
        self._session: pkcs11.Session | None = None
        self._refused_pin = b""

    def signers(self) -> "Mapping[bytes, TokenSigner]":
        """Return the token's Ed25519 keys that the URI names, by public key; a lost session is opened again.

        Raises SigningUnavailable where the token is not there, refuses, or has no such key; then the session is closed.
        """
        import pkcs11  # noqa: PLC0415

        try:
            session = self._session = self._session or self._open()
            found = {signer.public_key: signer for signer in self._find(session)}
        except pkcs11.PKCS11Error as fault:
            self.close()
            raise SigningUnavailable(f"{self._uri}: {type(fault).__name__} {fault}".rstrip()) from None
        except (SigningUnavailable, Misconfigured) as fault:  # Misconfigured: the PIN file, which may come back
            self.close()
            raise SigningUnavailable(str(fault)) from None
        if not found:
            self.close()  # a token that was taken away may look like one that is empty
            raise SigningUnavailable(f"{self._uri}: no Ed25519 key that fits is there")
        return found

    def secret(self) -> bytes:
        """Return the 32 bytes that a secret key of the token makes of PSEUDONYM_LABEL by HMAC-SHA256.

        Raises Misconfigured.
        """
        import pkcs11  # noqa: PLC0415

        try:
            session = self._session = self._session or self._open()
            key: Any = session.get_key(
                object_class=pkcs11.ObjectClass.SECRET_KEY, label=self._uri.label, id=self._uri.key_id
            )
            return bytes(key.sign(PSEUDONYM_LABEL, mechanism=pkcs11.Mechanism.SHA256_HMAC))
        except pkcs11.PKCS11Error as fault:
            raise Misconfigured(f"{self._uri}: {type(fault).__name__} {fault}".rstrip()) from None
        except SigningUnavailable as fault:
            raise Misconfigured(str(fault)) from None
        finally:
            self.close()

    def close(self) -> None:
        """Close the session. The next use begins with the module anew: some report a token that is back only then."""
        session, self._session = self._session, None
        if session is not None:
            import pkcs11  # noqa: PLC0415

            with suppress(pkcs11.PKCS11Error):  # it went away with its token
                session.close()

    def _open(self) -> "pkcs11.Session":
        import pkcs11  # noqa: PLC0415

        if self._lib is None:
            self._lib = pkcs11.lib(str(self._uri.module))
        else:
            self._lib.reinitialize()
        pin = read_secret_text(self._uri.pin_file)
        digest = hashlib.sha256(pin).digest()
        if digest == self._refused_pin:  # each attempt counts, and after a few of them a token locks itself
            raise SigningUnavailable(f"{self._uri} refused the PIN in {self._uri.pin_file}: it is not tried again")
        token = self._lib.get_token(token_label=self._uri.token, token_serial=self._uri.serial)
        try:
            opened: pkcs11.Session = token.open(user_pin=pin.decode(errors="replace"))
        except (pkcs11.PinIncorrect, pkcs11.PinLocked, pkcs11.PinLenRange, pkcs11.PinExpired):
            self._refused_pin = digest
            raise
        return opened

    def _find(self, session: "pkcs11.Session") -> list[TokenSigner]:
        import pkcs11  # noqa: PLC0415

        wanted: dict[pkcs11.Attribute, Any] = {
            pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY,
            pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.EC_EDWARDS,
        }
        if self._uri.label is not None:
            wanted[pkcs11.Attribute.LABEL] = self._uri.label
        if self._uri.key_id is not None:
            wanted[pkcs11.Attribute.ID] = self._uri.key_id
        keys: list[Any] = list(session.get_objects(wanted))  # all of them: an open search keeps the session busy
        made = (_signer(session, key) for key in keys[:KEYS_MAX])
        return [signer for signer in made if signer is not None]


def expect_library(uri: TokenUri) -> None:
    """Raise Misconfigured where python-pkcs11 is not installed, or the module of a URI is not there."""
    if find_spec("pkcs11") is None:
        raise Misconfigured(f"{uri} needs python-pkcs11: install onecode[pkcs11]")
    expect_module(uri)


def _signer(session: "pkcs11.Session", key: Any) -> TokenSigner | None:
    """Return the signer of a private key, or None where its public key is not there, or not its own.

    A private key need not tell its point, so that it is read from the public key with the same id and label.
    """
    import pkcs11  # noqa: PLC0415

    label, key_id = str(key.label), bytes(key.id)
    wanted: dict[pkcs11.Attribute, Any] = {
        pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PUBLIC_KEY,
        pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.EC_EDWARDS,
        pkcs11.Attribute.LABEL: label,
        pkcs11.Attribute.ID: key_id,
    }
    for public in list(session.get_objects(wanted))[:KEYS_MAX]:
        point = bytes(public[pkcs11.Attribute.EC_POINT])
        point = point.removeprefix(_DER_POINT) if len(point) > SECRET_BYTES else point
        signer = TokenSigner(key, point, label)
        if len(point) == SECRET_BYTES and _is_own(signer):
            return signer
    return None


def _is_own(signer: TokenSigner) -> bool:
    try:
        VerifyKey(signer.public_key).verify(_TRIAL, signer.sign(_TRIAL))
    except (BadSignatureError, ValueError, SigningUnavailable):  # the last one for a key that may not sign
        return False
    return True
