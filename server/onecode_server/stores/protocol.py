"""The contract of every store. Its coroutines raise StoreUnavailable, and nothing else, where the store does not answer
within its bound, or so much waits for it that the call was turned away (StoreBusy)."""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple, Protocol

from onecode_server.model.audit import AuditEntry
from onecode_server.model.exception import RecognitionException
from onecode_server.model.status import StatusRecord, Token

Records = tuple[StatusRecord, ...]

Merge = Callable[[Records, StatusRecord], Records | None]
"""Joins a subject's records with a new one, whose ``published_at`` is the time of the commit. Returns the very same
records where the new one is among them, None where it is not to be taken. Called inside a transaction."""


class TokenKey(NamedTuple):
    """Under what an opaque token is kept: a digest (32 bytes) counts for its own region only."""

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
    """What stands where something is stored that cannot be read: it is not known, and not nothing."""

    UNREADABLE = 0


UNREADABLE: Final = Unreadable.UNREADABLE


class Snapshot(NamedTuple):
    """The records of some subjects, in order, and the number of the newest change that they hold."""

    position: int
    records: list[Records | Unreadable]


class Changes(NamedTuple):
    """Whose records changed after a position, up to ``position``; ``newest_at`` is when (Unix microseconds), 0 where
    nothing ever changed. Where not ``is_complete``, others may have changed too. ``steps`` rises with each step of an
    exception that changes which are acknowledged."""

    position: int
    newest_at: int
    subjects: list[bytes]
    is_complete: bool
    steps: int


class RecordsChange(NamedTuple):
    """A subject's records as they stand from now on, and what the audit record says of it."""

    records: Records
    event: str
    details: dict[str, Any]


ChangeRecords = Callable[[Records], RecordsChange]
"""Makes a step from a subject's records. Called inside a transaction; what it raises undoes the step."""


class RecordsCopy(NamedTuple):
    """What a migration puts under another subject: ``join`` makes one of the records there and the copied ones.
    ``region`` and ``records`` are for the report: whose the copy is, and how many."""

    region: str
    subject: bytes
    records: int
    join: Callable[[Records], Records]


CopyRecords = Callable[[bytes, Records], list[RecordsCopy]]
"""Says under which other subjects the records of one are copied. Called inside a transaction."""


class CopiedRecords(NamedTuple):
    """A step of a migration: the last subject that was looked at, how many were, whether there are no more, and what
    was copied."""

    last: bytes
    subjects: int
    is_last: bool
    copies: list[RecordsCopy]


class AnsweredRequest(NamedTuple):
    """What was done under a request id: the step (``reported``, ``acknowledged`` or ``withdrawn``), the digest of what
    was asked (32 bytes), the report, and when that was (Unix microseconds). Kept as long as the report."""

    step: str
    content: bytes
    report_id: str
    time: int


class ExceptionChange(NamedTuple):
    """A report as it stands from now on, and what the audit record says of the step (``time``: Unix microseconds).
    Where the step was asked for under a ``request_id``, ``answered`` is what is known of it from now on."""

    report: RecognitionException
    event: str
    time: int
    request_id: str = ""
    answered: AnsweredRequest | None = None


class ExceptionAnswer(NamedTuple):
    """A report as a step left it, and when that was (Unix microseconds)."""

    report: RecognitionException
    time: int


class ExceptionView(Protocol):
    """The reports as they stand in one transaction. Each method reads what it returns, and nothing of ended ones."""

    def report(self, identifier: str) -> RecognitionException | None:
        """Return the report with an id, or None."""
        ...

    def acknowledged(self, host: str, home: str, now: int) -> list[RecognitionException]:
        """Return the acknowledged reports of a pair that end after ``now`` and are not withdrawn, first ends first."""
        ...

    def waiting_homes(self, host: str, now: int, limit: int) -> list[str]:
        """Return the home of each report of a host that waits to be acknowledged, and will after ``now``; at most
        ``limit`` of them."""
        ...

    def answered(self, request_id: str) -> AnsweredRequest | None:
        """Return what was done under a request id, or None."""
        ...


DecideException = Callable[[ExceptionView], ExceptionChange | ExceptionAnswer]
"""Makes a step, or says what one has come to already. Called in a read transaction first, and again in the one that
writes; what it raises ends the step, and the first time costs no write."""


class Place(NamedTuple):
    """Where a report stands among all, in the order of filing: other reports do not move it."""

    reported_at: int
    id: str


class Selection(NamedTuple):
    """Which reports are listed: of a host, about a home (six digits; empty: any). ``is_live``: of any host and home,
    but those alone that have not been archived."""

    host: str = ""
    home: str = ""
    is_live: bool = False


class Store(Protocol):
    """Status records by subject (16 bytes), tokens, exceptions, and the highest trust list."""

    async def statuses(self, subjects: Sequence[bytes]) -> Snapshot:
        """Return the records of each subject, in order; empty where there are none."""
        ...

    async def records(self, subject: bytes) -> Records:
        """Return the records of one subject, for people: after what checks wait for."""
        ...

    async def tokens(self, keys: Sequence[TokenKey]) -> list[Token | Unreadable | None]:
        """Return what is known of each token, in order; None where it was never published."""
        ...

    async def publish(self, publications: Sequence[Publication], merge: Merge) -> list[bool]:
        """Write in one commit, on disk when this returns; tell for each whether it was taken.

        A token that was never published is known from then on, also where its record was known before.

        A record that is taken gets the time of the commit as its ``published_at``, whatever it had. That time never
        runs backwards in a store.
        """
        ...

    @property
    def clock_behind_us(self) -> int:
        """By how many microseconds the clock was behind the newest stored time at the last commit here; 0 where by no
        more than the skew."""
        ...

    @property
    def write_fault(self) -> str | None:
        """Why the last writes failed, by name; None while they succeed."""
        ...

    @property
    def is_lost(self) -> bool:
        """Whether nothing but opening the store anew can help."""
        ...

    async def probe(self) -> None:
        """Find out whether the store can be written, and note it. Raises StoreUnavailable where it cannot."""
        ...

    async def amend(self, subject: bytes, change: ChangeRecords) -> Records:
        """Write what ``change`` makes of a subject's records, with its audit entry, in one commit; return it."""
        ...

    def commits(self) -> int:
        """Return a number that rises with every commit, by whichever process. Takes a microsecond, and never fails."""
        ...

    async def changes(self, after: int) -> Changes:
        """Return whose records changed after a position, by whichever process."""
        ...

    async def acknowledged_exceptions(self) -> list[RecognitionException]:
        """Return the acknowledged reports that have not ended long ago and are not withdrawn: those that may count."""
        ...

    async def exceptions(self, selection: Selection, before: Place | None, limit: int) -> list[RecognitionException]:
        """Return up to ``limit`` reports, newest first, from the one that was filed before a place."""
        ...

    async def change_exceptions(self, decide: DecideException) -> ExceptionAnswer:
        """Write the report that ``decide`` makes, with its audit entry, in one commit; return it."""
        ...

    async def audit(self, after: int) -> list[AuditEntry]:
        """Return the audit entries whose number is higher than ``after``, in order, a bounded number at a time."""
        ...

    async def known_list(self) -> KnownList | None:
        """Return the highest trust list that was ever taken, or None."""
        ...

    async def remember_list(self, candidate: KnownList, time: int) -> KnownList:
        """Keep ``candidate`` if its version is higher than the one kept, with an audit entry of ``time`` (Unix
        microseconds), and return the one that is kept then."""
        ...

    async def close(self) -> None:
        """Let go of files and threads."""
        ...
