"""The trust list: regions, their issuer keys, and how to read their codes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from onecode_server.model.status import Level

CANDIDATES_MAX: Final = 8
"""Keys that may share a format and key id, all tried for each code: a bound on the signature checks a code can cost."""

Path = tuple[str | int, ...]
"""Where a claim stands, from the outside in: names of members, integer labels of CBOR maps, or indexes of arrays."""


class Format(StrEnum):
    """The wire format of a region's code."""

    NATIONAL = "national"
    JWT = "jwt"
    PASETO = "paseto"
    OPAQUE = "opaque"


class Role(StrEnum):
    """What a key may sign: its own region's codes, or translations of anyone's."""

    ISSUER = "issuer"
    GATEWAY = "gateway"


class KeyState(StrEnum):
    """Active; retired: verifies what was issued before; revoked: verifies nothing."""

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
    """How a region writes a time. The local ones have no offset: the region's ``utc_offset`` is theirs."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    SECONDS_TEXT = "s_text"
    MILLISECONDS_TEXT = "ms_text"
    RFC_3339 = "rfc3339"
    LOCAL = "local"
    LOCAL_T = "local_t"


class TimeForms(NamedTuple):
    """The form of each time in a region's codes, None for the format's own: seconds since 1970, RFC 3339 in PASETO.

    ``registered`` is that of the format's registered times where no claim is mapped to them. ``utc_offset_s`` (seconds
    east of UTC) goes with the local forms.
    """

    issued_at: TimeForm | None = None
    expiry: TimeForm | None = None
    registered: TimeForm | None = None
    utc_offset_s: int | None = None


_PLAIN: Final = TimeForms()


@dataclass(frozen=True, slots=True)
class ClaimMap:
    """Where a region's claims stand. ``valid_for_s`` (seconds) stands in for a missing ``expiry``;
    ``code_age_max_s`` (seconds) bounds a code's age whatever its expiry. ``issuer`` is what the format's issuer claim
    must be, None where nobody looks at it."""

    subject: Path
    level: Path
    issued_at: Path
    expiry: Path | None = None
    valid_for_s: int | None = None
    code_age_max_s: int | None = None
    issuer: str | None = None
    times: TimeForms = _PLAIN


@dataclass(frozen=True, slots=True)
class Region:
    """One region of the list. An adopter has no keys and no claims of its own: its residents carry national codes."""

    code: str
    name: str
    format: Format
    adopts_national: bool = False
    claims: ClaimMap | None = None
    levels: Mapping[str, Level] = field(default_factory=dict)
    prefix: bytes = b""
    keys: tuple[IssuerKey, ...] = ()

    def word_for(self, level: Level) -> str | None:
        """Return the region's first word for ``level``, or None where it has none."""
        return next((word for word, meaning in self.levels.items() if meaning is level), None)


class Skipped(NamedTuple):
    """An entry of a trust list that was not taken: where it stands, and why."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class TrustList:
    """A list that was read and checked. Times are Unix microseconds; ``digest`` is SHA-256 of the signed content.

    ``skipped_regions`` are the codes of those regions of which nothing was taken.
    ``derived`` has, by its type, what others made of this list alone: reached from the list, so that it can never be
    taken for what another list says.
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
    derived: dict[type, object] = field(default_factory=dict, compare=False, repr=False)

    @property
    def public_keys(self) -> dict[bytes, None]:
        """The public keys (32 bytes each) that codes are checked with, each once: revoked ones answer too."""
        return dict.fromkeys(key.public_key for candidates in self.candidates.values() for key in candidates)

    def region(self, code: str) -> Region | None:
        """Return the region with this code, or None where the list has none."""
        return self.regions.get(code)

    def keys_for(self, fmt: Format, key_id: bytes) -> tuple[IssuerKey, ...]:
        """Return the keys to try for a code, at most CANDIDATES_MAX of them."""
        return self.candidates.get((fmt, key_id), ())

    def issuer_of_prefix(self, code: bytes) -> Region | None:
        """Return the region whose opaque codes start as ``code`` does, or None. No prefix starts another."""
        return next((region for prefix, region in self.prefixes if code.startswith(prefix)), None)
