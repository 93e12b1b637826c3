"""Codes as they are scanned, decoded and understood."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from onecode_server.model.trust_list import Format

CODE_BYTES_MAX: Final = 4096
"""A code's length. The largest QR code (version 40-L, ISO/IEC 18004) holds 4,296 alphanumeric characters."""


class Scan(NamedTuple):
    """One code as scanned at a host. ``travels`` leaves out the host's LOCAL records: a translation's check."""

    code: bytes
    host: str
    travels: bool = False


class SignedCode(NamedTuple):
    """A code's envelope, decoded: what was signed (``message``), by which key id, and the claims' bytes."""

    format: Format
    key_id: bytes
    message: bytes
    signature: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """What a translation says of the code it was made from, and the region in whose terms it speaks (``target``).

    ``digest`` is SHA-256 of that code (32 bytes); ``key_id`` is empty for an opaque source; ``issued_at`` is the
    source's own, in Unix microseconds.
    """

    region: str
    key_id: bytes
    digest: bytes
    issued_at: int
    target: str


class Claims(NamedTuple):
    """What an authentic code says. Times are Unix microseconds.

    ``subject`` is the pseudonym (16 bytes). ``level_word`` is the region's own word, None where an opaque code makes
    no claim. ``reader`` names the region whose words it uses: the home, but for translations.
    """

    home: str
    subject: bytes
    level_word: str | None
    reader: str
    issued_at: int
    expires_at: int | None
    not_before: int | None = None
    source: Source | None = None

    @property
    def spoken_at(self) -> int:
        """When the home spoke: a translation says nothing newer than its source did."""
        return self.issued_at if self.source is None else self.source.issued_at
