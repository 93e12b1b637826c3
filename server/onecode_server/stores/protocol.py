"""The contract of a store. Its coroutines raise only StoreUnavailable: at a time-out, or at a full queue
(StoreBusy)."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

from onecode_server.model.audit import AuditEntry
from onecode_server.model.confirmed import Confirmed
from onecode_server.model.recognition_exception import RecognitionException
from onecode_server.model.status import StatusRecord, Token

Records = tuple[StatusRecord, ...]

Merge = Callable[[Records, StatusRecord], Records | None]
"""Joins a subject's records with a new one, which has the commit's time as ``published_at``, inside a transaction.
Returns the same object where it has the new record already, None where the new record is refused."""


class TokenKey(NamedTuple):
    """The key of an opaque token: a digest (32 bytes) counts for its own region only."""

    region: str
    digest: bytes


class Publication(NamedTuple):
    """One record to write. ``token`` is set where the subject was named by an opaque code of the publisher."""

    subject: bytes
    record: StatusRecord
    token: TokenKey | None = None


class KnownList(NamedTuple):
    """The highest trust list that was ever taken: its version, its content's digest, and the signed file itself."""

    version: int
    digest: bytes
    file: bytes


class Unreadable(Enum):
    """Takes the place of a stored value that cannot be read: the value is unknown, which differs from absent."""

    UNREADABLE = 0


UNREADABLE: Final = Unreadable.UNREADABLE


class Snapshot(NamedTuple):
    """The records of some subjects, in order, and the number of the newest change in them."""

    position: int
    records: list[Records | Unreadable]


class Changes(NamedTuple):
    """The subjects with changed records up to ``position``; ``newest_at`` is the last change's time (Unix microseconds
    or 0). Where not ``is_complete``, others may have changed. ``steps`` rises when the acknowledged reports change.

    ``confirmed`` is what this machine's own marks confirmed in the same transaction. None for an embedded store, whose
    content is confirmed by being read."""

    position: int
    newest_at: int
    subjects: list[bytes]
    is_complete: bool
    steps: int
    confirmed: Confirmed | None = None


class RecordsChange(NamedTuple):
    """A subject's new records, and the audit entry's event and details."""

    records: Records
    event: str
    details: dict[str, Any]


ChangeRecords = Callable[[Records], RecordsChange]
"""Makes a step from a subject's records. Called inside a transaction; an exception undoes the step."""


class AnsweredRequest(NamedTuple):
    """The result of a request id: the step (``reported``, ``acknowledged`` or ``withdrawn``), the digest of the request
    (32 bytes), the report, and the time of the step (Unix microseconds). Kept as long as the report."""

    step: str
    content: bytes
    report_id: str
    time: int


class ExceptionChange(NamedTuple):
    """A report after a step, and the audit entry of the step (``time``: Unix microseconds). Where the request had a
    ``request_id``, ``answered`` is its result, which is stored."""

    report: RecognitionException
    event: str
    time: int
    request_id: str = ""
    answered: AnsweredRequest | None = None


class ExceptionAnswer(NamedTuple):
    """A report after a step, and the time of the step (Unix microseconds)."""

    report: RecognitionException
    time: int


class ExceptionView(Protocol):
    """The reports as they are in one transaction. Each method reads only what it returns, and no ended reports."""

    def report(self, identifier: str) -> RecognitionException | None:
        """Return the report with an id, or None."""
        ...

    def acknowledged(self, host: str, home: str, now: int) -> list[RecognitionException]:
        """Return a pair's acknowledged reports that end after ``now`` and are not withdrawn, ordered by their end."""
        ...

    def waiting_homes(self, host: str, now: int, limit: int) -> list[str]:
        """Return the homes of a host's reports that still wait to be acknowledged after ``now``; at most ``limit``."""
        ...

    def answered(self, request_id: str) -> AnsweredRequest | None:
        """Return the result of a request id, or None."""
        ...


DecideException = Callable[[ExceptionView], ExceptionChange | ExceptionAnswer]
"""Makes a step, or returns the result of an earlier one. Called in a read transaction first, and again in the one that
writes. An exception ends the step; the first call raises it without a write."""


class Space(NamedTuple):
    """The room of a store, in bytes: of its data, free on its file system for this process's user, and by which its
    data may still grow."""

    used: int
    disk_free: int
    growth_free: int


class Place(NamedTuple):
    """The place of a report in the order of filing: other reports do not move it."""

    reported_at: int
    id: str


class Selection(NamedTuple):
    """Selects reports by host and home (six digits; empty: any), or, if ``is_live``, all that are not archived."""

    host: str = ""
    home: str = ""
    is_live: bool = False


class Store(Protocol):
    """Status records by subject (16 bytes), tokens, exceptions, and the highest trust list, as checks and lists need
    them."""

    async def statuses(self, subjects: Sequence[bytes]) -> Snapshot:
        """Return the records of each subject, in order; empty where there are none."""
        ...

    async def records(self, subject: bytes) -> Records:
        """Return the records of one subject, for people: reads of checks take precedence."""
        ...

    async def tokens(self, keys: Sequence[TokenKey]) -> list[Token | Unreadable | None]:
        """Return the stored token of each key, in order; None where it was never published."""
        ...

    @property
    def clock_behind_us(self) -> int:
        """The microseconds by which the last commit's clock was behind the newest stored time; 0 within the skew."""
        ...

    @property
    def write_fault(self) -> str | None:
        """The name and text of the last write's fault; None while writes succeed."""
        ...

    @property
    def is_lost(self) -> bool:
        """Whether the store must be opened anew to be written."""
        ...

    def space(self) -> Space:
        """Return the room of the store. It blocks for as long as the disk does. Raises OSError."""
        ...

    def commits(self) -> int:
        """Return a number that rises with every commit of any process. Takes a microsecond, and never fails."""
        ...

    async def changes(self, after: int) -> Changes:
        """Return the subjects whose records changed after a position, in any process."""
        ...

    async def acknowledged_exceptions(self) -> list[RecognitionException]:
        """Return the acknowledged reports that are not withdrawn and did not end long ago: those that may count."""
        ...

    async def exceptions(self, selection: Selection, before: Place | None, limit: int) -> list[RecognitionException]:
        """Return up to ``limit`` reports, newest first, that were filed before a place."""
        ...

    async def audit(self, after: int) -> list[AuditEntry]:
        """Return the audit entries whose number is higher than ``after``, in order, a bounded number at a time."""
        ...

    async def known_list(self) -> KnownList | None:
        """Return the highest trust list that was ever taken, or None."""
        ...

    async def remember_list(self, candidate: KnownList, time: int) -> KnownList:
        """Keep ``candidate`` if its version is the highest, and audit it at ``time`` (Unix microseconds); return the
        kept list."""
        ...

    async def close(self) -> None:
        """Close files and end threads."""
        ...


@runtime_checkable
class WritableStore(Store, Protocol):
    """A store that can be written as well. A process may have one that only another process writes."""

    async def publish(self, publications: Sequence[Publication], merge: Merge) -> list[bool]:
        """Write in one commit, on disk when this returns; tell which were taken. A new token is stored even if its
        record was known. A taken record's ``published_at`` is the commit's time, which never runs backwards."""
        ...

    async def amend(self, subject: bytes, change: ChangeRecords) -> Records:
        """Write what ``change`` makes of a subject's records, with its audit entry, in one commit; return it."""
        ...

    async def change_exceptions(self, decide: DecideException) -> ExceptionAnswer:
        """Write the report that ``decide`` makes, with its audit entry, in one commit; return it."""
        ...

    async def probe(self) -> None:
        """Find out whether the store can be written, and note it. Raises StoreUnavailable where it cannot."""
        ...
