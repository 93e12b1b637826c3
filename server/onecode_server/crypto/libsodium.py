"""The backend of PyNaCl: libsodium, one signature at a time, with the GIL released for each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from onecode_server.crypto.backend import PUBLIC_KEY_BYTES, SIGNATURE_BYTES

if TYPE_CHECKING:
    from onecode_server.crypto.backend import Answers, Bytes, Places


class LibsodiumBackend:
    """libsodium's crypto_sign_open: the reference with which every other backend is compared.

    ``fault`` is the reason why a faster backend is not used, if there is one.
    """

    name: Final = "libsodium"
    slice_items: Final = 16  # 57 us each

    def __init__(self, fault: str = "") -> None:
        self.is_degraded = bool(fault)
        self.detail = f"PyNaCl, since {fault}" if fault else "PyNaCl"

    def prepare(self, public_keys: Collection[bytes]) -> None:
        """Do nothing: libsodium has no tables of keys."""

    def verify_one(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Return whether one signature is the key's for the message."""
        return verify(public_key, signature, message)

    def verify_batch(
        self, public_keys: Sequence[bytes], signatures: Sequence[bytes], messages: Sequence[bytes]
    ) -> list[bool]:
        """Return for each item whether the signature is the key's for the message. Raises ValueError."""
        return [verify(*item) for item in zip(public_keys, signatures, messages, strict=True)]

    def verify_columns(
        self, public_keys: Sequence[bytes], which: Places, signatures: Bytes, messages: Bytes
    ) -> Answers:
        """Return bool[n]: whether each signature is valid for a message; see ``SignatureBackend``."""
        import numpy as np  # noqa: PLC0415 - see ``backend``

        items = zip(which.tolist(), signatures, messages, strict=True)
        return np.array([verify(public_keys[key], s.tobytes(), m.tobytes()) for key, s, m in items], bool)


def verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether one signature is the key's for the message."""
    if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return False
    return True
