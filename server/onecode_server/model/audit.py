"""Audit entries: an event, its subject, time and details. Each entry contains the hash of the entry before it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from onecode_server.errors import Malformed

GENESIS: Final = bytes(32)
"""The ``previous`` hash of the first entry."""


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
    """Return whether ``entry`` is a valid successor of ``last`` in the chain."""
    return entry == chain(last, entry.time, entry.event, entry.subject, entry.details)


def pack(entry: AuditEntry) -> bytes:
    """Return an entry as JSON, which a person can read."""
    members = entry._asdict() | {"previous": entry.previous.hex(), "hash": entry.hash.hex()}
    return json.dumps(members, ensure_ascii=False, sort_keys=True).encode()


def unpack(data: bytes) -> AuditEntry:
    """Return an entry. Raises Malformed if ``data`` is not an entry."""
    try:
        members = json.loads(data)
        return AuditEntry(**members | {name: bytes.fromhex(members[name]) for name in ("previous", "hash")})
    except (ValueError, KeyError, TypeError):
        raise Malformed("an audit entry cannot be read") from None


def _hash(number: int, time: int, event: str, subject: str, details: Mapping[str, Any], previous: bytes) -> bytes:
    # JSON with sorted names and no spaces, so that equal content has one text.
    content = [number, time, event, subject, details, previous.hex()]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).digest()
