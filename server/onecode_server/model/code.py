"""Codes as scanned and as decoded, and their claims."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from onecode_server.model.status import Level
from onecode_server.model.trust_list import Format

CODE_BYTES_MAX: Final = 4096
"""The longest code. The largest QR code (version 40-L, ISO/IEC 18004) holds 4,296 alphanumeric characters."""


class Scan(NamedTuple):
    """One code as scanned at a host. In a check for a translation (``for_translation``) the host's LOCAL records do not
    count."""

    code: bytes
    host: str
    for_translation: bool = False


class Scans(NamedTuple):
    """A batch of codes, and the host where each was scanned. ``for_translation`` is as in Scan, for all of them."""

    codes: Sequence[bytes]
    hosts: Sequence[str]
    for_translation: bool = False

    @classmethod
    def at(cls, host: str, codes: Sequence[bytes], *, for_translation: bool = False) -> "Scans":
        """Return codes that were scanned at one host."""
        return cls(codes, [host] * len(codes), for_translation)


class SignedCode(NamedTuple):
    """A code's decoded envelope: the key id, the signed bytes (``message``), and the claims' bytes (``payload``)."""

    format: Format
    key_id: bytes
    message: bytes
    signature: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """The code that a translation was made from, and the region whose format and level words it uses (``target``).

    ``digest`` is SHA-256 of the source code (32 bytes); ``key_id`` is empty for an opaque source; ``issued_at`` is the
    issue time of the source code, in Unix microseconds.
    """

    region: str
    key_id: bytes
    digest: bytes
    issued_at: int
    target: str


class Claims(NamedTuple):
    """The claims of an authentic code. Times are Unix microseconds.

    ``subject`` is the pseudonym (16 bytes). ``level_word`` is the issuing region's own word for the level, None for an
    opaque code, which claims no level. ``level`` is the level that the word is mapped to, UNSPECIFIED if the region has
    not mapped it.
    """

    home: str
    subject: bytes
    level_word: str | None
    level: Level
    issued_at: int
    expires_at: int | None
    not_before: int | None = None
    source: Source | None = None

    @property
    def asserted_at(self) -> int:
        """The time at which the home asserted the level: for a translation, the issue time of its source."""
        return self.issued_at if self.source is None else self.source.issued_at
