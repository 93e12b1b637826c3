"""The contract of every signature backend."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:  # settings know the backends' names, and the supervisor of workers the settings, but no NumPy
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
        """The name by which settings, logs and metrics know it."""
        ...

    @property
    def detail(self) -> str:
        """How it works here, and what stands in its way, for people."""
        ...

    @property
    def is_degraded(self) -> bool:
        """Whether a faster backend should run here and was found wrong."""
        ...

    @property
    def slice_items(self) -> int:
        """How many signatures take about a millisecond: what an event loop may check in one go."""
        ...

    def prepare(self, public_keys: Collection[bytes]) -> None:
        """Make ready for these keys, and let go of others: some time well spent before they are asked for.

        Blocks for about a millisecond a new key. Changes no answer: other keys are checked all the same.
        """
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
        """Return bool[n]: whether each signature is good for a message, where all messages are equally long.

        ``which``, int64[n], is the place of each item's key (32 bytes) in ``public_keys``; ``signatures`` are uint8[n,
        64], ``messages`` uint8[n, m].
        """
        ...
