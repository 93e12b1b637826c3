"""Health levels and status records: what publishers say of a subject, and how fresh that is."""

from enum import IntEnum
from typing import Final, NamedTuple

SUBJECT_BYTES: Final = 16
"""Length of a subject's pseudonym. 128 bits: a billion subjects collide with a chance of about 1 in 10**21."""


UNPUBLISHED: Final = 0
"""The time of publication of a record that no store has taken yet."""


class Level(IntEnum):
    """The national scale. The numbers are the wire's, and rise with severity."""

    UNSPECIFIED = 0
    GREEN = 1
    YELLOW = 2
    RED = 3


class Scope(IntEnum):
    """Where a record counts. The numbers are the wire's."""

    NATIONAL = 1
    LOCAL = 2


class Status(IntEnum):
    """How fresh the status behind a verdict is. The numbers are the wire's."""

    UNSPECIFIED = 0
    CURRENT = 1
    STALE = 2
    UNAVAILABLE = 3
    NONE = 4


class StatusRecord(NamedTuple):
    """What one publisher says of one subject in one scope.

    Times are Unix microseconds. ``expires_at`` is None where the record counts until it is replaced. ``revision``
    counts from 1 for each publisher, subject and scope. ``published_at`` is the platform's time of the commit that took
    the record: the store sets it, and it is UNPUBLISHED until then.
    """

    publisher: str
    scope: Scope
    level: Level
    effective_at: int
    expires_at: int | None
    revision: int
    published_at: int = UNPUBLISHED


class StatusView(NamedTuple):
    """What is known of one subject now: its records, how fresh they are, and their age in whole seconds."""

    records: tuple[StatusRecord, ...]
    status: Status
    age_s: int


class Token(NamedTuple):
    """A published opaque code: its subject (16 bytes) and its window (Unix microseconds; None for no end)."""

    subject: bytes
    issued_at: int
    expires_at: int | None
