"""Audit entries: what was decided by whom and when, each bound to the one before it by its hash."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from onecode_server.errors import Malformed

GENESIS: Final = bytes(32)
"""What the first entry has in place of the hash of the one before it."""


class AuditEntry(NamedTuple):
    """One entry. ``number`` counts from 1, ``time`` is Unix microseconds, ``hash`` and ``previous`` are SHA-256."""

    number: int
    time: int
    event: str
    subject: str
    details: Mapping[str, Any]
    previous: bytes
    hash: bytes


def chain(last: AuditEntry | None, time: int, event: str, subject: str, details: Mapping[str, Any]) -> AuditEntry:
    """Return the entry that follows ``last``."""
    number, previous = (1, GENESIS) if last is None else (last.number + 1, last.hash)
    return AuditEntry(
        number, time, event, subject, details, previous, _hash(number, time, event, subject, details, previous)
    )


def follows(entry: AuditEntry, last: AuditEntry | None) -> bool:
    """Tell whether ``entry`` is what was written after ``last``."""
    return entry == chain(last, entry.time, entry.event, entry.subject, entry.details)


def pack(entry: AuditEntry) -> bytes:
    """Return an entry as JSON: people read it when they ask what happened."""
    members = entry._asdict() | {"previous": entry.previous.hex(), "hash": entry.hash.hex()}
    return json.dumps(members, ensure_ascii=False, sort_keys=True).encode()


def unpack(data: bytes) -> AuditEntry:
    """Return an entry. Raises Malformed where it is none."""
    try:
        members = json.loads(data)
        return AuditEntry(**members | {name: bytes.fromhex(members[name]) for name in ("previous", "hash")})
    except (ValueError, KeyError, TypeError):
        raise Malformed("an audit entry cannot be read") from None


def _hash(number: int, time: int, event: str, subject: str, details: Mapping[str, Any], previous: bytes) -> bytes:
    # JSON with sorted names and no spaces: one text for one content.
    content = [number, time, event, subject, details, previous.hex()]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).digest()
