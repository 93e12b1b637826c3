"""The contract of every signature backend."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:  # the supervisor imports settings, which import the backends' names, but not NumPy
    import numpy as np
    import numpy.typing as npt

    Bytes = npt.NDArray[np.uint8]
    Places = npt.NDArray[np.int64]
    Answers = npt.NDArray[np.bool_]

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
        """The name in settings, logs and metrics."""
        ...

    @property
    def detail(self) -> str:
        """A description for people: how the backend works on this machine, and what prevents a faster one."""
        ...

    @property
    def is_degraded(self) -> bool:
        """Whether a faster backend was found wrong and this one runs in its place."""
        ...

    @property
    def slice_items(self) -> int:
        """The number of signatures that take about a millisecond, which an event loop may check without a pause."""
        ...

    def prepare(self, public_keys: Collection[bytes]) -> None:
        """Prepare for these keys, and drop others; to be called some time before signatures of these keys are checked.

        Blocks for about a millisecond for each new key. Changes no answer: signatures of other keys can be checked too.
        """
        ...

    def verify_one(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Return the answer that ``verify_batch`` gives to one item."""
        ...

    def verify_batch(
        self, public_keys: Sequence[bytes], signatures: Sequence[bytes], messages: Sequence[bytes]
    ) -> list[bool]:
        """Return for each item whether the signature is the key's for the message.

        A key that is not 32 bytes or a signature that is not 64 is False. Raises ValueError only for sequences of
        unequal length.
        """
        ...

    def verify_columns(
        self, public_keys: Sequence[bytes], which: Places, signatures: Bytes, messages: Bytes
    ) -> Answers:
        """Return bool[n]: whether each signature is valid for a message, where all messages are equally long.

        ``which``, int64[n], is the place of each item's key (32 bytes) in ``public_keys``; ``signatures`` are uint8[n,
        64], ``messages`` uint8[n, m].
        """
        ...
