"""Checks a fast backend in service: some answers are compared with PyNaCl's, and the first difference ends its use."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final

from onecode_server.crypto.backend import SignatureBackend
from onecode_server.crypto.libsodium import LibsodiumBackend, verify

if TYPE_CHECKING:
    from onecode_server.crypto.backend import Answers, Bytes, Places

_log = logging.getLogger(__name__)


class ShadowedBackend:
    """Answers as ``backend`` does, and as PyNaCl does once the two have disagreed.

    One item in ``one_in`` is compared, at random, so that no sender of codes can predict which. ``count`` is called at
    each comparison with whether the two agreed.
    """

    def __init__(self, backend: SignatureBackend, one_in: int, count: Callable[[bool], None]) -> None:
        self._backend = backend
        self._gap_max: Final = 2 * one_in - 1
        self._count = count
        self._until_next = random.randint(0, self._gap_max)  # noqa: S311 - to be spread, not to be secret

    @property
    def name(self) -> str:
        """The name of the backend in use."""
        return self._backend.name

    @property
    def detail(self) -> str:
        """The description of the backend in use."""
        return self._backend.detail

    @property
    def is_degraded(self) -> bool:
        """Whether the fast backend was found wrong."""
        return self._backend.is_degraded

    @property
    def slice_items(self) -> int:
        """The number of signatures that take about a millisecond."""
        return self._backend.slice_items

    def prepare(self, public_keys: Collection[bytes]) -> None:
        """Prepare for these keys."""
        self._backend.prepare(public_keys)

    def verify_one(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Return whether one signature is the key's for the message."""
        answer = self._backend.verify_one(public_key, signature, message)
        if self._sampled(1) and not self._agrees(answer, public_key, signature, message):
            return self._backend.verify_one(public_key, signature, message)
        return answer

    def verify_batch(
        self, public_keys: Sequence[bytes], signatures: Sequence[bytes], messages: Sequence[bytes]
    ) -> list[bool]:
        """Return for each item whether the signature is the key's for the message. Raises ValueError."""
        answers = self._backend.verify_batch(public_keys, signatures, messages)
        for i in self._sampled(len(answers)):
            if not self._agrees(answers[i], public_keys[i], signatures[i], messages[i]):
                return self._backend.verify_batch(public_keys, signatures, messages)
        return answers

    def verify_columns(
        self, public_keys: Sequence[bytes], which: Places, signatures: Bytes, messages: Bytes
    ) -> Answers:
        """Return bool[n]: whether each signature is valid for a message; see ``SignatureBackend``."""
        answers = self._backend.verify_columns(public_keys, which, signatures, messages)
        for i in self._sampled(len(answers)):
            item = public_keys[which[i]], signatures[i].tobytes(), messages[i].tobytes()
            if not self._agrees(bool(answers[i]), *item):
                return self._backend.verify_columns(public_keys, which, signatures, messages)
        return answers

    def _sampled(self, count: int) -> list[int]:
        """Return the places of the next ``count`` items that are compared."""
        sampled: list[int] = []
        while self._until_next < count:
            sampled.append(self._until_next)
            self._until_next += random.randint(1, self._gap_max)  # noqa: S311
        self._until_next -= count
        return sampled

    def _agrees(self, answer: bool, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Compare one answer; the first difference ends the backend's use."""
        agrees = answer == verify(public_key, signature, message)
        self._count(agrees)
        if not agrees:
            self._give_up()
        return agrees

    def _give_up(self) -> None:
        _log.critical("the %s signature backend disagrees with PyNaCl, which checks signatures from now on", self.name)
        self._backend = LibsodiumBackend(f"{self.name} ({self.detail}) disagreed with it in service")
