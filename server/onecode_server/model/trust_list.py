"""The trust list: regions, their issuer keys, and how to read their codes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, NewType

from onecode_server.model.status import Level

CANDIDATES_MAX: Final = 8
"""Keys that may share a format and key id. All of them are tried for a code, so this bounds its signature checks."""

Format = NewType("Format", str)
"""The name of the wire format of a region's codes. Each signed format names itself: see ``codes.codec.CODECS``."""
OPAQUE: Final = Format("opaque")
"""The format of codes without a signature: see ``codes.opaque``."""

Path = tuple[str | int, ...]
"""The path of a claim, outermost first: names of members, integer labels of CBOR maps, or indexes of arrays."""


class Role(StrEnum):
    """What a key may sign: codes of its own region, or translations of any region's codes."""

    ISSUER = "issuer"
    GATEWAY = "gateway"


class KeyState(StrEnum):
    """The state of a key: a retired key verifies codes issued before ``retired_at``, a revoked key verifies none."""

    ACTIVE = "active"
    RETIRED = "retired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """An Ed25519 public key (32 bytes). Times are Unix microseconds; None for no bound."""

    region: str
    format: Format
    key_id: bytes
    public_key: bytes
    role: Role = Role.ISSUER
    not_before: int | None = None
    not_after: int | None = None
    state: KeyState = KeyState.ACTIVE
    retired_at: int | None = None


class TimeForm(StrEnum):
    """How a region writes a time. The local forms have no offset: the region's ``utc_offset`` applies to them."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    SECONDS_TEXT = "s_text"
    MILLISECONDS_TEXT = "ms_text"
    RFC_3339 = "rfc3339"
    LOCAL = "local"
    LOCAL_T = "local_t"


class TimeForms(NamedTuple):
    """The form of each time in a region's codes; None is the format's own: seconds since 1970, RFC 3339 in PASETO.

    ``registered`` is the form of the format's registered times to which no claim is mapped. ``utc_offset_s`` (seconds
    east of UTC) applies to the local forms.
    """

    issued_at: TimeForm | None = None
    expiry: TimeForm | None = None
    registered: TimeForm | None = None
    utc_offset_s: int | None = None


_PLAIN: Final = TimeForms()


@dataclass(frozen=True, slots=True)
class ClaimMap:
    """The paths of a region's claims. ``valid_for_s`` (seconds) replaces a missing ``expiry``; ``code_age_max_s``
    (seconds) bounds a code's age whatever its expiry. ``issuer`` is the required value of the format's issuer claim;
    None if the claim is not checked."""

    subject: Path
    level: Path
    issued_at: Path
    expiry: Path | None = None
    valid_for_s: int | None = None
    code_age_max_s: int | None = None
    issuer: str | None = None
    times: TimeForms = _PLAIN

    def lifetimes(self, *, has_expiry: bool) -> tuple[int, ...]:
        """Return the limits on the lifetime of codes after their issue, in microseconds: none, one or two.

        They apply besides the codes' expiries. ``has_expiry`` tells whether a code has the region's own expiry claim.
        """
        seconds = (self.code_age_max_s, None if has_expiry else self.valid_for_s)
        return tuple(one * 1_000_000 for one in seconds if one is not None)


@dataclass(frozen=True, slots=True)
class Region:
    """One region of the list. An adopter has no keys and no claim map: its residents carry national codes."""

    code: str
    name: str
    format: Format
    adopts_national: bool = False
    claims: ClaimMap | None = None
    levels: Mapping[str, Level] = field(default_factory=dict)
    prefix: bytes = b""
    keys: tuple[IssuerKey, ...] = ()

    def word_for(self, level: Level) -> str | None:
        """Return the region's first word for ``level``, or None if it has none."""
        return next((word for word, meaning in self.levels.items() if meaning is level), None)


class Skipped(NamedTuple):
    """An entry of a trust list that was skipped: its place in the list, and the reason."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class TrustList:
    """A list that was read and checked. Times are Unix microseconds; ``digest`` is SHA-256 of the signed content.

    ``skipped_regions`` are the codes of the regions whose whole entry was skipped, ``partners`` the hosts of partners
    that are limited to some. ``derived`` has, by type, objects
    that other modules made from this list alone; they are stored here so that they are never used with another list.
    """

    version: int
    issued_at: int
    next_update: int
    digest: bytes
    regions: Mapping[str, Region]
    skipped: tuple[Skipped, ...]
    candidates: Mapping[tuple[Format, bytes], tuple[IssuerKey, ...]]
    prefixes: tuple[tuple[bytes, Region], ...]
    skipped_regions: frozenset[str] = frozenset()
    partners: Mapping[str, frozenset[str]] = field(default_factory=dict)
    derived: dict[type, object] = field(default_factory=dict, compare=False, repr=False)

    @property
    def public_keys(self) -> dict[bytes, None]:
        """The distinct public keys (32 bytes each) that signatures are checked with, revoked keys included."""
        return dict.fromkeys(key.public_key for candidates in self.candidates.values() for key in candidates)

    def region(self, code: str) -> Region | None:
        """Return the region with this code, or None if the list has none."""
        return self.regions.get(code)

    def keys_for(self, fmt: Format, key_id: bytes) -> tuple[IssuerKey, ...]:
        """Return the keys to try for a code, at most CANDIDATES_MAX of them."""
        return self.candidates.get((fmt, key_id), ())

    def issuer_of_prefix(self, code: bytes) -> Region | None:
        """Return the region whose prefix ``code`` begins with, or None. No prefix is the beginning of another."""
        return next((region for prefix, region in self.prefixes if code.startswith(prefix)), None)
