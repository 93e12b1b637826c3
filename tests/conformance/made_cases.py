"""Signatures that only somebody who knows the curve's corners would make. Each family is data: the rule judges it.

Where a family can be made so that the equation holds and nothing but the one rule in question forbids it, it is.
"""

from collections.abc import Collection, Iterator
from functools import cache
from itertools import count, product
from typing import Final, NamedTuple

from tests.conformance.edwards import BASE, SIGN, L, P, Point, challenge, lift, torsion

A: Final = 0x1D3A_5C7E_9F02_46B8 << 180 | 0x2545_F491_4F6C_DD1D
R: Final = 0x0F1E_2D3C_4B5A_6978 << 170 | 0x9E37_79B9_7F4A_7C15
"""The honest key's and nonce's scalars: nothing up the sleeve, and nothing hangs on them."""


class Case(NamedTuple):
    """One signature to judge."""

    name: str
    public_key: bytes
    signature: bytes
    message: bytes


def signed(name: str, public_key: bytes, r: bytes, s: int, message: bytes) -> Case:
    return Case(name, public_key, r + s.to_bytes(32, "little"), message)


def honest(message: bytes = b"onecode", a: int = A, r: int = R) -> Case:
    """A signature that every implementation accepts."""
    public_key, nonce = (a * BASE).encode(), (r * BASE).encode()
    s = (r + challenge(nonce, public_key, message) * a) % L
    return signed(f"honest, {len(message)} bytes", public_key, nonce, s, message)


def odd_encodings() -> list[bytes]:
    """Every 32 bytes that are not the canonical encoding of what they mean: y from p up, and x = 0 with a sign."""
    above = [(y | sign).to_bytes(32, "little") for y, sign in product(range(P, SIGN), (0, SIGN))]
    return [*above, (1 | SIGN).to_bytes(32, "little"), (P - 1 | SIGN).to_bytes(32, "little")]


def small_encodings() -> list[bytes]:
    """Every encoding, canonical or not, of a point of small order: there are 14."""
    odd = [encoded for encoded in odd_encodings() if (point := lift(encoded)) is not None and point.is_small()]
    return [point.encode() for point in torsion()] + odd


def messages() -> Iterator[bytes]:
    return (b"message %d" % number for number in count())


def with_challenge(r: bytes, public_key: bytes, residues: Collection[int]) -> bytes:
    """Return the first message whose challenge is one of these modulo 8: it is found by trying."""
    return next(message for message in messages() if challenge(r, public_key, message) % 8 in residues)


def small_order_keys() -> Iterator[Case]:
    """A of small order, R = s*B - k*A: whoever publishes such a key has signed everything."""
    for public_key in small_encodings():
        point, s = lift(public_key) or BASE, 12345
        for guess in range(8):
            r = (s * BASE + guess * -point).encode()
            message = with_challenge(r, public_key, {guess})
            yield signed(f"A = {public_key.hex()}, k = {guess} mod 8", public_key, r, s, message)


def small_order_nonces() -> Iterator[Case]:
    """R of small order, under a key with the torsion that makes the equation hold, and under an honest key."""
    generator = torsion()[1]
    for r in small_encodings():
        multiple = next(i for i, point in enumerate(torsion()) if point.encode() == (lift(r) or BASE).encode())
        for name, key, residues in (
            ("mixed", A * BASE + generator, {-multiple % 8}),
            ("honest", A * BASE, set(range(8))),
        ):
            public_key = key.encode()
            message = with_challenge(r, public_key, residues)
            s = challenge(r, public_key, message) * A % L
            yield signed(f"R = {r.hex()}, {name} key", public_key, r, s, message)


def odd_keys_and_nonces() -> Iterator[Case]:
    """Encodings that are not canonical, or no point at all, in the place of A and of R."""
    fine = honest()
    nowhere = [y.to_bytes(32, "little") for y in range(64) if lift(y.to_bytes(32, "little")) is None]
    for encoded in odd_encodings() + nowhere:
        yield Case(f"A = {encoded.hex()}", encoded, fine.signature, fine.message)
        s = challenge(encoded, fine.public_key, fine.message) * A % L
        yield signed(f"R = {encoded.hex()}", fine.public_key, encoded, s, fine.message)


def mixed_order() -> Iterator[Case]:
    """A and R with torsion: once so that s*B - k*A = R, once so that only eight times both sides agree."""
    for i, j in product(range(8), range(8)):
        key, nonce = A * BASE + torsion()[i], R * BASE + torsion()[j]
        public_key, r = key.encode(), nonce.encode()
        for name, holds in (("holds", True), ("holds times 8 only", False)):
            residues = {k for k in range(8) if ((k * i + j) % 8 == 0) is holds}
            if not residues:
                continue
            message = with_challenge(r, public_key, residues)
            s = (R + challenge(r, public_key, message) * A) % L
            yield signed(f"A + {i}T, R + {j}T, {name}", public_key, r, s, message)


def scalars() -> Iterator[Case]:
    """S at and above the group's order: the same point, but another signature (malleability).

    No valid signature with S = L - 1 can be made on purpose: S is what the hash leaves over.
    """
    fine = honest()
    r, s = fine.signature[:32], int.from_bytes(fine.signature[32:], "little")
    yield fine
    for times in range(1, 16):
        yield signed(f"S + {times}L", fine.public_key, r, s + times * L, fine.message)
    for name, other in (
        ("0", 0),
        ("L - 1", L - 1),
        ("L", L),
        ("L + 1", L + 1),
        ("2^252", 2**252),
        ("2^253", 2**253),
        ("2^255", 2**255),
        ("2^256 - 1", 2**256 - 1),
    ):
        yield signed(f"S = {name}", fine.public_key, r, other, fine.message)
    for bit in (252, 253, 254, 255):
        yield signed(f"S with bit {bit}", fine.public_key, r, s | 1 << bit, fine.message)
    yield signed("-S", fine.public_key, r, L - s, fine.message)


def lengths() -> Iterator[Case]:
    """Keys and signatures of other lengths, and the empty message."""
    yield honest(b"")
    fine = honest()
    for size in (0, 1, 31, 33, 64):
        key = (fine.public_key * 2)[:size]
        yield Case(f"A of {size} bytes", key, fine.signature, fine.message)
    for size in (0, 32, 63, 65, 128):
        signature = (fine.signature * 2)[:size]
        yield Case(f"signature of {size} bytes", fine.public_key, signature, fine.message)


FAMILIES: Final = {
    family.__name__: family
    for family in (small_order_keys, small_order_nonces, odd_keys_and_nonces, mixed_order, scalars, lengths)
}


@cache
def family(name: str) -> tuple[Case, ...]:
    return tuple(FAMILIES[name]())


def equation_holds(case: Case, cofactor: int = 1) -> bool:
    """Tell whether cofactor * (s*B - k*A - R) is the neutral element, however the points are written."""
    a, r = lift(case.public_key), lift(case.signature[:32])
    if a is None or r is None:
        return False
    s = int.from_bytes(case.signature[32:], "little")
    k = challenge(case.signature[:32], case.public_key, case.message)
    rest: Point = s * BASE + k * -a + -r
    return (cofactor * rest).encode() == torsion()[0].encode()
