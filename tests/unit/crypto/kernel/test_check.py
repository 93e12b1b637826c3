"""onecode_check() as its header promises it, with PyNaCl's answers beside: every item's answer is its own."""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Any, Final, NamedTuple

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from tests.conformance.edwards import L
from tests.unit.crypto.kernel.opened import KEY_TABLE_BYTES, buffer, ffi

SIGNERS: Final = [SigningKey(bytes([i]) * 32) for i in range(3)]
COUNTS: Final = (0, 1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257, 520)
"""Around a group of 8 lanes, an inversion for 64, and one for 256."""
UNTOUCHED: Final = 0x5A


class Item(NamedTuple):
    key: int | None
    signature: bytes
    message: bytes

    def is_good(self) -> bool:
        """PyNaCl's answer; an item without a key is never good."""
        if self.key is None:
            return False
        try:
            VerifyKey(bytes(SIGNERS[self.key].verify_key)).verify(self.message, self.signature)
        except BadSignatureError:
            return False
        return True


def make(i: int) -> Item:
    """Return item ``i``: one in three is wrong, in a way of its own."""
    key, message = i % 3, bytes(i % 251 for _ in range(i * 37 % 400))
    signature = SIGNERS[key].sign(message).signature
    if i % 3 != 1:
        return Item(key, signature, message)
    s = int.from_bytes(signature[32:], "little")
    return (
        Item(None, signature, message),
        Item(key, signature[:32] + (s + L).to_bytes(32, "little"), message),
        Item(key, bytes([signature[0] ^ 1]) + signature[1:], message),
        Item((key + 1) % 3, signature, message),
        Item(key, signature, message + b"x"),
    )[i // 3 % 5]


ITEMS: Final = [make(i) for i in range(max(COUNTS))]


@pytest.fixture(scope="module")
def tables(kernel: Any) -> list[Any]:
    made = [ffi.new("uint8_t[]", KEY_TABLE_BYTES) for _ in SIGNERS]
    for table, signer in zip(made, SIGNERS, strict=True):
        assert kernel.onecode_make_key_table(table, bytes(signer.verify_key)) == 1
    return made


class Checker:
    """One implementation, its tables made."""

    def __init__(self, kernel: Any, implementation: int, base_table: Any, tables: list[Any]) -> None:
        self._kernel, self._implementation = kernel, implementation
        self._base_table, self._tables = base_table, tables

    def check(self, items: list[Item], shift: int = 0) -> list[int]:
        """Answer a batch whose bytes lie ``shift`` off any alignment, in memory that just fits."""
        answers = self._call(self._kernel.onecode_check, items, shift)[1]
        assert answers.pop() == UNTOUCHED  # nothing is written behind the last answer
        return answers

    def stack_used(self, items: list[Item]) -> int:
        return int(self._call(self._kernel.open_stack_used, items, 0)[0])

    def _call(self, function: Any, items: list[Item], shift: int) -> tuple[Any, list[int]]:
        signatures = buffer(bytes(shift) + b"".join(item.signature for item in items))
        messages = buffer(bytes(shift) + b"".join(item.message for item in items))
        ends = list(accumulate(len(item.message) for item in items))
        keys = [ffi.NULL if item.key is None else self._tables[item.key] for item in items]
        answers = buffer(bytes([UNTOUCHED] * (len(items) + 1)))
        returned = function(
            self._implementation,
            self._base_table,
            len(items),
            ffi.new("void *[]", keys),
            signatures + shift,
            messages + shift,
            ffi.new("uint64_t[]", ends),
            answers,
        )
        return returned, list(answers)


@pytest.fixture
def checker(kernel: Any, implementation: int, base_table: Any, tables: list[Any]) -> Checker:
    return Checker(kernel, implementation, base_table, tables)


EXPECTED: Final = [int(item.is_good()) for item in ITEMS]


@pytest.mark.parametrize("count", COUNTS)
def test_batches_of_every_size_are_answered_item_by_item(checker: Checker, count: int) -> None:
    assert checker.check(ITEMS[:count]) == EXPECTED[:count]


def test_the_items_are_good_and_bad(checker: Checker) -> None:
    assert 0 < sum(EXPECTED) < len(EXPECTED)
    assert [checker.check([item])[0] for item in ITEMS] == EXPECTED


@pytest.mark.parametrize("shift", range(1, 8))
def test_signatures_and_messages_may_lie_anywhere(checker: Checker, shift: int) -> None:
    assert checker.check(ITEMS[:40], shift) == EXPECTED[:40]


def test_order_and_neighbours_do_not_matter(checker: Checker) -> None:
    assert checker.check(ITEMS[::-1]) == EXPECTED[::-1]
    good = ITEMS[EXPECTED.index(1)]
    for place in range(8):
        among_bad = [good if i == place else Item(None, b"\xff" * 64, b"") for i in range(8)]
        assert checker.check(among_bad) == [int(i == place) for i in range(8)]


def test_empty_messages_share_an_end(checker: Checker) -> None:
    items = [Item(i % 3, SIGNERS[i % 3].sign(b"").signature, b"") for i in range(20)]
    assert checker.check(items) == [1] * 20


def test_long_messages(checker: Checker) -> None:
    texts = [b"a" * length for length in (4096, 0, 65536, 1 << 20, 1)]
    items = [Item(0, SIGNERS[0].sign(text).signature, text) for text in texts]
    assert checker.check(items) == [1] * 5


def test_nothing_at_all_may_be_null(kernel: Any, implementation: int, base_table: Any) -> None:
    kernel.onecode_check(implementation, base_table, 0, ffi.NULL, ffi.NULL, ffi.NULL, ffi.NULL, ffi.NULL)


def test_threads_share_tables(checker: Checker) -> None:
    with ThreadPoolExecutor(4) as threads:
        for answers in threads.map(lambda _: checker.check(ITEMS), range(16)):
            assert answers == EXPECTED


@pytest.mark.skipif("CFLAGS" in os.environ, reason="the header tells of the build's own flags, and CFLAGS adds others")
def test_a_check_takes_the_stack_that_the_header_says(checker: Checker) -> None:
    """The thread's own few kilobytes are counted in: the bound is the header's 96 KiB and they fit beneath it."""
    assert 8 * 1024 < checker.stack_used(ITEMS) < 96 * 1024
