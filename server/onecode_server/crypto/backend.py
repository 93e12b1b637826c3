"""The contract of every signature backend."""

from collections.abc import Sequence
from typing import Final, Protocol

PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


class SignatureBackend(Protocol):
    """Checks Ed25519 signatures (RFC 8032, section 5.1.7), cofactorless.

    A signature is accepted exactly if S < L, A and R are canonical encodings and not of small order, and the encoding
    of s*B - k*A equals R's bytes. A batch gives each item the answer that it would get alone. Calls may come from
    several threads at once.
    """

    @property
    def name(self) -> str:
        """The name by which settings, logs and metrics know it."""
        ...

    def verify_batch(
        self, public_keys: Sequence[bytes], signatures: Sequence[bytes], messages: Sequence[bytes]
    ) -> list[bool]:
        """Return for each item whether the signature is the key's for the message.

        A key that is not 32 bytes or a signature that is not 64 is False. Raises ValueError only for sequences of
        unequal length.
        """
        ...
