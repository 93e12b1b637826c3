"""sha512.c and sha512x8.c against hashlib."""

from hashlib import sha512
from itertools import count, islice
from math import isqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.crypto.kernel.opened import buffer, ffi

R, A = bytes(range(32)), bytes(range(100, 132))
LENGTHS = (*range(301), 1000, 4000, 4096)
MESSAGE = bytes(7 * i % 251 for i in range(4096))


def primes() -> list[int]:
    return list(islice((n for n in count(2) if all(n % d for d in range(2, isqrt(n) + 1))), 80))


def root_fraction(prime: int, degree: int) -> int:
    """Return the first 64 bits behind the point of a root: the largest n with n^degree <= prime * 2^(64 degree)."""
    low, high = 0, prime << 64
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= prime << 64 * degree else (low, middle - 1)
    return low % 2**64


def test_constants_are_roots_of_primes(kernel: Any) -> None:
    assert list(kernel.SHA512_ROUND) == [root_fraction(prime, 3) for prime in primes()]
    assert list(kernel.SHA512_START) == [root_fraction(prime, 2) for prime in primes()[:8]]


def expected(message: bytes) -> bytes:
    return sha512(R + A + message).digest()


def assert_blocks(kernel: Any, length: int) -> None:
    whole = R + A + MESSAGE[:length] + b"\x80"
    padded = whole + bytes(-(len(whole) + 16) % 128) + (8 * (64 + length)).to_bytes(16, "big")
    assert kernel.open_sha512_blocks(length) == len(padded) // 128
    block, message = buffer(b"\xff" * 128), buffer(MESSAGE[:length])
    for number in range(len(padded) // 128):
        kernel.sha512_block(block, number, R, A, message, length)
        assert bytes(block) == padded[128 * number : 128 * number + 128]


def test_blocks_are_the_padded_message(kernel: Any) -> None:
    for length in LENGTHS:
        assert_blocks(kernel, length)


def test_challenges_of_every_length(kernel: Any) -> None:
    wide = ffi.new("uint64_t[8]")
    for length in LENGTHS:
        kernel.sha512_challenge(wide, R, A, buffer(MESSAGE[:length]), length)
        assert b"".join(word.to_bytes(8, "little") for word in wide) == expected(MESSAGE[:length])


def assert_eight(kernel8: Any, messages: list[bytes]) -> None:
    wide = ffi.new("uint64_t[8][8]")
    kept = [(buffer(bytes([lane]) + R[1:]), buffer(A), buffer(message)) for lane, message in enumerate(messages)]
    r, a, texts = ([one[i] for one in kept] for i in range(3))
    kernel8.sha512x8_challenge(
        wide,
        ffi.new("uint8_t *[8]", r),
        ffi.new("uint8_t *[8]", a),
        ffi.new("uint8_t *[8]", texts),
        ffi.new("size_t[8]", [len(message) for message in messages]),
    )
    for lane, message in enumerate(messages):
        digest = sha512(bytes([lane]) + R[1:] + A + message).digest()
        assert b"".join(word.to_bytes(8, "little") for word in wide[lane]) == digest, (lane, len(message))


def test_eight_challenges_of_every_length(kernel8: Any) -> None:
    for first in range(0, len(LENGTHS), 8):
        lengths = (*LENGTHS[first : first + 8], *[0] * 8)[:8]
        assert_eight(kernel8, [MESSAGE[length:][:length] for length in lengths])


@pytest.mark.parametrize("lane", range(8))
def test_one_long_message_among_short_ones(kernel8: Any, lane: int) -> None:
    assert_eight(kernel8, [MESSAGE if i == lane else MESSAGE[: 20 * i] for i in range(8)])
    assert_eight(kernel8, [b"" if i == lane else MESSAGE[: 300 + i] for i in range(8)])


@given(lengths=st.lists(st.sampled_from(LENGTHS) | st.integers(0, 400), min_size=8, max_size=8))
def test_lanes_of_mixed_length(kernel8: Any, lengths: list[int]) -> None:
    assert_eight(kernel8, [MESSAGE[:length] for length in lengths])
