"""The backend of the kernel: tables of fixed keys, batches in C, with the GIL released for the whole batch."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from itertools import accumulate, repeat
from typing import TYPE_CHECKING, Final

import numpy as np

from onecode_server.crypto import libsodium
from onecode_server.crypto._kernel import ffi, lib
from onecode_server.crypto.backend import SIGNATURE_BYTES
from onecode_server.crypto.key_tables import TABLES_MAX, KeyTables

if TYPE_CHECKING:
    from onecode_server.crypto.backend import Answers, Bytes, Places

IMPLEMENTATIONS: Final = {"ifma": lib.ONECODE_IFMA, "portable": lib.ONECODE_PORTABLE}
"""The implementations by name, the fastest first."""
_SLICE_ITEMS: Final = {"ifma": 512, "portable": 128}  # 1.5 and 8 us each
_NO_SIGNATURE: Final = b"\xff" * SIGNATURE_BYTES  # S is far above L, so that this is refused


def implementations() -> list[str]:
    """Return the names of the implementations that this processor runs, the fastest first."""
    return [name for name, number in IMPLEMENTATIONS.items() if lib.onecode_runs(number)]


class NativeBackend:
    """The kernel in ``kernel/``, by one of its implementations. Keys without a table are checked by libsodium.

    Raises KeyError for an implementation that this processor does not run.
    """

    name: Final = "native"
    is_degraded: Final = False
    table_bytes: Final[int] = lib.ONECODE_KEY_TABLE_BYTES

    def __init__(self, implementation: str | None = None, tables_max: int = TABLES_MAX) -> None:
        runs = implementations()
        self.detail = {name: name for name in runs}[implementation or runs[0]]
        self._implementation = IMPLEMENTATIONS[self.detail]
        self.slice_items: Final = _SLICE_ITEMS[self.detail]
        self.tables = KeyTables(tables_max)

    def prepare(self, public_keys: Collection[bytes]) -> None:
        """Build the tables of these keys, about a millisecond each, and drop all others."""
        self.tables.prepare(public_keys)

    def verify_one(self, public_key: bytes, signature: bytes, message: bytes) -> bool:
        """Return whether one signature is the key's for the message."""
        generation = self.tables.current  # as long as it is held, its tables live
        table = generation.pointers.get(public_key)
        if table is None or len(signature) != SIGNATURE_BYTES or self.tables.is_over_capacity:
            return self.verify_batch([public_key], [signature], [message])[0]
        answer = lib.onecode_check_one(self._implementation, self.tables.base, table, signature, message, len(message))
        return bool(answer)

    def verify_batch(
        self, public_keys: Sequence[bytes], signatures: Sequence[bytes], messages: Sequence[bytes]
    ) -> list[bool]:
        """Return for each item whether the signature is the key's for the message. Raises ValueError."""
        count = len(public_keys)
        if not count == len(signatures) == len(messages):
            raise ValueError("keys, signatures and messages are not equally many")
        if not count:
            return []
        generation = self.tables.current
        addresses = array("Q", map(generation.addresses.get, public_keys, repeat(0)))
        unknown: list[int] = []
        if 0 in addresses or self.tables.is_over_capacity:
            generation = self.tables.learn(public_keys)
            addresses = array("Q", map(generation.addresses.get, public_keys, repeat(0)))
            unknown = [i for i, key in enumerate(public_keys) if key not in generation.addresses]
        answers = self._check(addresses, signatures, messages)
        for i in unknown:
            answers[i] = libsodium.verify(public_keys[i], signatures[i], messages[i])
        return answers

    def verify_columns(
        self, public_keys: Sequence[bytes], which: Places, signatures: Bytes, messages: Bytes
    ) -> Answers:
        """Return bool[n]: whether each signature is valid for a message; see ``SignatureBackend``."""
        generation = self.tables.current
        addresses = np.array([generation.addresses.get(key, 0) for key in public_keys], np.uint64)[which]
        # Keys without a table are learned one by one.
        if self.tables.is_over_capacity or np.count_nonzero(addresses) != addresses.size:
            keys = [public_keys[place] for place in which.tolist()]
            return np.array(self.verify_batch(keys, _rows(signatures), _rows(messages)), bool)
        count, size = messages.shape
        answers = np.empty(count, np.uint8)
        lib.onecode_check(
            self._implementation,
            self.tables.base,
            count,
            ffi.from_buffer("void *[]", addresses),
            ffi.from_buffer("uint8_t[]", np.ascontiguousarray(signatures)),
            ffi.from_buffer("uint8_t[]", np.ascontiguousarray(messages)),
            ffi.from_buffer("uint64_t[]", np.arange(1, count + 1, dtype=np.uint64) * np.uint64(size)),
            ffi.from_buffer("uint8_t[]", answers),
        )
        # The tables live until here: without a reference, a generation's memory is given to other keys.
        del generation
        return answers.view(bool)

    def _check(self, addresses: array[int], signatures: Sequence[bytes], messages: Sequence[bytes]) -> list[bool]:
        """Run the kernel. Where an address is 0 the answer is False."""
        count = len(addresses)
        if list(map(len, signatures)).count(SIGNATURE_BYTES) != count:
            signatures = [s if len(s) == SIGNATURE_BYTES else _NO_SIGNATURE for s in signatures]
        answers = bytearray(count)
        lib.onecode_check(
            self._implementation,
            self.tables.base,
            count,
            ffi.from_buffer("void *[]", addresses),
            b"".join(signatures),
            b"".join(messages),
            ffi.from_buffer("uint64_t[]", array("Q", accumulate(map(len, messages)))),
            ffi.from_buffer("uint8_t[]", answers),
        )
        good: list[bool] = memoryview(answers).cast("?").tolist()  # type: ignore[assignment]  # "?" makes it so
        return good


def _rows(columns: Bytes) -> list[bytes]:
    return [row.tobytes() for row in columns]
