"""Health levels, status records of subjects, and their freshness."""

from enum import IntEnum
from typing import Final, NamedTuple

SUBJECT_BYTES: Final = 16
"""Length of a subject's pseudonym. With 128 bits, any two of a billion subjects collide with a probability of about 1
in 10**21."""


UNPUBLISHED: Final = 0
"""The time of publication of a record that is not stored yet."""


class Level(IntEnum):
    """The national scale. The API uses the same numbers; they rise with severity."""

    UNSPECIFIED = 0
    GREEN = 1
    YELLOW = 2
    RED = 3


class Scope(IntEnum):
    """Where a record counts. The API uses the same numbers."""

    NATIONAL = 1
    LOCAL = 2


class Status(IntEnum):
    """The freshness of the status behind a verdict. The API uses the same numbers."""

    UNSPECIFIED = 0
    CURRENT = 1
    STALE = 2
    UNAVAILABLE = 3
    NONE = 4


class StatusRecord(NamedTuple):
    """The level of one subject that one publisher asserts in one scope.

    Times are Unix microseconds. ``expires_at`` is None if the record counts until it is replaced. ``revision`` counts
    from 1 for each publisher, subject and scope. ``published_at`` is the platform's time of the commit of the record:
    the store sets it, and it is UNPUBLISHED until then.
    """

    publisher: str
    scope: Scope
    level: Level
    effective_at: int
    expires_at: int | None
    revision: int
    published_at: int = UNPUBLISHED


class StatusView(NamedTuple):
    """The records of one subject that are known now, their freshness, and their age in whole seconds."""

    records: tuple[StatusRecord, ...]
    status: Status
    age_s: int


class Token(NamedTuple):
    """A published opaque code: its subject (16 bytes) and its window (Unix microseconds; None for no end)."""

    subject: bytes
    issued_at: int
    expires_at: int | None


def token_of(subject: bytes, record: StatusRecord, records: tuple[StatusRecord, ...]) -> Token:
    """Return the token under which ``record`` was published, from the ``records`` of its subject once it is merged.

    Its window is from the first kept record of the publisher and scope until the end of the newest: an announced record
    ends nothing before it takes effect.
    """
    own = [r for r in records if (r.publisher, r.scope) == (record.publisher, record.scope)]
    last = max(own, key=lambda r: r.revision)
    return Token(subject, min(r.effective_at for r in own), last.expires_at)
