"""The known-answer test that a backend must pass before it checks codes.

Two examples are RFC 8032's (section 7.1, TEST 2 and TEST 3), so that both the kernel and the library that signs the
other examples are tested. Each example is checked unchanged and with a fault in every part, alone and in one batch.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from nacl.signing import SigningKey

from onecode_server.crypto.backend import SignatureBackend

ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""L, the order of the base point (RFC 8032, section 5.1)."""

_RFC_8032: Final = (
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
)
"""Seed, message and signature."""
_LENGTHS: Final = (0, 47, 48, 80, 175, 176, 250)
"""Lengths of other messages: SHA-512's padding fits the block at 47 and at 175, and no longer at 48 and at 176."""


class Example(NamedTuple):
    """A signature, and whether it is valid."""

    public_key: bytes
    signature: bytes
    message: bytes
    is_good: bool


def failure(backend: SignatureBackend) -> str:
    """Return a description of the first wrong answer of a backend, or an empty text."""
    examples = list(_examples())
    keys, signatures, messages, expected = (list(column) for column in zip(*examples, strict=True))
    backend.prepare(set(keys))
    try:
        if backend.verify_batch(keys, signatures, messages) != expected:
            return "a batch of known signatures was checked wrongly"
        for example in examples:
            if backend.verify_one(*example[:3]) != example.is_good:
                return "a known signature was checked wrongly"
    finally:
        backend.prepare(())
    return ""


def _examples() -> Iterator[Example]:
    for texts in _RFC_8032:
        seed, message, signature = map(bytes.fromhex, texts)
        yield from _altered(SigningKey(seed), message, signature)
    for length in _LENGTHS:
        key, message = SigningKey(bytes([length]) * 32), bytes(range(length))
        yield from _altered(key, message, key.sign(message).signature)


def _altered(key: SigningKey, message: bytes, signature: bytes) -> Iterator[Example]:
    public_key, r, s = bytes(key.verify_key), signature[:32], signature[32:]
    yield Example(public_key, signature, message, is_good=True)
    yield Example(public_key, signature, message + b"\0", is_good=False)
    yield Example(public_key, bytes([r[0] ^ 1]) + r[1:] + s, message, is_good=False)
    yield Example(public_key, r[:31] + bytes([r[31] ^ 128]) + s, message, is_good=False)
    yield Example(public_key, r + bytes([s[0] ^ 1]) + s[1:], message, is_good=False)
    above = int.from_bytes(s, "little") + ORDER
    yield Example(public_key, r + above.to_bytes(32, "little"), message, is_good=False)
    yield Example(public_key, bytes(32) + s, message, is_good=False)
