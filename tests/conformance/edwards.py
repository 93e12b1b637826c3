"""The rule in plain integers: edwards25519 (RFC 8032, section 5.1) and which signatures are accepted.

Written from the RFC for clarity alone, slow and independent of every backend that is held to it.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import sha512
from typing import Final

P: Final = 2**255 - 19
L: Final = 2**252 + 27742317777372353535851937790883648493
D: Final = -121665 * pow(121666, -1, P) % P
SQRT_OF_MINUS_ONE: Final = pow(2, (P - 1) // 4, P)
SIGN: Final = 1 << 255


@dataclass(frozen=True, slots=True)
class Point:
    """A point in extended coordinates: x = X/Z, y = Y/Z, xy = T/Z."""

    x: int
    y: int
    z: int
    t: int

    def __add__(self, other: "Point") -> "Point":
        a = (self.y - self.x) * (other.y - other.x)
        b = (self.y + self.x) * (other.y + other.x)
        c = 2 * self.t * other.t * D
        d = 2 * self.z * other.z
        e, f, g, h = b - a, d - c, d + c, b + a
        return Point(e * f % P, g * h % P, f * g % P, e * h % P)

    def __neg__(self) -> "Point":
        return Point(-self.x % P, self.y, self.z, -self.t % P)

    def __rmul__(self, scalar: int) -> "Point":
        product, power = IDENTITY, self
        while scalar:
            if scalar & 1:
                product += power
            power += power
            scalar >>= 1
        return product

    def encode(self) -> bytes:
        """Return the 32 bytes of section 5.1.2: always the canonical ones."""
        inverse = pow(self.z, -1, P)
        x, y = self.x * inverse % P, self.y * inverse % P
        return (y | (x & 1) * SIGN).to_bytes(32, "little")

    def is_small(self) -> bool:
        """Tell whether the point's order divides 8."""
        return (8 * self).encode() == IDENTITY.encode()


IDENTITY: Final = Point(0, 1, 1, 0)


def affine(x: int, y: int) -> Point:
    return Point(x, y, 1, x * y % P)


def lift(encoded: bytes) -> Point | None:
    """Return the point that 32 bytes mean, as the most lenient reader takes them (y modulo p, any sign), or None."""
    number = int.from_bytes(encoded, "little")
    y, sign = number % SIGN % P, number // SIGN
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * SQRT_OF_MINUS_ONE % P
    if v * x * x % P != u:
        return None
    return affine(x if x % 2 == sign else -x % P, y)


BASE: Final = lift((4 * pow(5, -1, P) % P).to_bytes(32, "little")) or IDENTITY


@cache
def torsion() -> tuple[Point, ...]:
    """Return the eight points of small order: 0 to 7 times a point of order 8."""
    candidates = (lift(y.to_bytes(32, "little")) for y in range(2, 100))
    points = (L * point for point in candidates if point is not None)
    generator = next(point for point in points if (4 * point).encode() != IDENTITY.encode())
    return tuple(multiple * generator for multiple in range(8))


def challenge(r: bytes, public_key: bytes, message: bytes) -> int:
    """Return k: SHA-512 over R, A and M, modulo L (section 5.1.7).

    The RFC leaves the reduction open. Every implementation reduces, and for an A with torsion it makes a difference.
    """
    return int.from_bytes(sha512(r + public_key + message).digest(), "little") % L


def decode(encoded: bytes) -> Point | None:
    """Return the point of a canonical encoding (section 5.1.3), or None."""
    point = lift(encoded) if len(encoded) == 32 else None
    return point if point is not None and point.encode() == encoded else None


def accepts(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """The rule: S < L; A and R canonical and not of small order; the encoding of s*B - k*A is R's bytes."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    a, big_r = decode(public_key), decode(r)
    if s >= L or a is None or big_r is None or a.is_small() or big_r.is_small():
        return False
    k = challenge(r, public_key, message)
    return (s * BASE + k * -a).encode() == r
