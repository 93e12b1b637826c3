"""What a trust list says: regions, where the claims of their codes stand, and keys. Times are Unix microseconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from onecode.v1 import status_pb2

NATIONAL_AUTHORITY: Final = "000000"
CANDIDATES_MAX: Final = 8
"""Keys that may share a format and a key id: all of them are tried."""

Path = tuple[str | int, ...]
"""Where a claim stands, outermost first: names, labels of CBOR maps, or indexes of arrays."""


@dataclass(frozen=True, slots=True)
class Key:
    """An Ed25519 public key (RFC 8032, 32 bytes). ``state`` is active, retired or revoked."""

    region: str
    format: str
    key_id: bytes
    public_key: bytes
    is_gateway: bool
    state: str
    retired_at: int | None
    not_before: int | None
    not_after: int | None


@dataclass(frozen=True, slots=True)
class ClaimPlaces:
    """The places and forms of a region's claims. Lifetimes are in seconds. ``time_forms`` are those of ``issued_at``,
    ``expiry`` and ``registered``; ``issuer`` is the name that codes must have, None where it is not checked."""

    subject: Path
    level: Path
    issued_at: Path
    expiry: Path | None
    valid_for_s: int | None
    code_age_max_s: int | None
    issuer: str | None
    time_forms: Mapping[str, str]
    utc_offset_s: int | None


@dataclass(frozen=True, slots=True)
class Region:
    """One region. An adopter of the national code has no claims; ``prefix`` is that of opaque codes."""

    code: str
    format: str
    is_adopter: bool = False
    claims: ClaimPlaces | None = None
    levels: Mapping[str, status_pb2.Level.ValueType] = field(default_factory=dict)
    prefix: bytes = b""
    keys: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class TrustList:
    """A list that the root signed. ``digest`` is SHA-256 of its document; ``candidates`` are the keys by format and
    key id."""

    version: int
    digest: str
    issued_at: int
    next_update: int
    regions: Mapping[str, Region]
    candidates: Mapping[tuple[str, bytes], tuple[Key, ...]]
