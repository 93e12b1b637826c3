"""The publisher: it resolves the subjects of status records, applies the rules of publication, and stores records."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from onecode_server.codes import opaque
from onecode_server.codes.codec import opaque_home
from onecode_server.errors import Malformed
from onecode_server.model.code import CODE_BYTES_MAX, Scan
from onecode_server.model.identity import LOCAL, Identity
from onecode_server.model.region import is_region_code
from onecode_server.model.scanned import bare
from onecode_server.model.status import SUBJECT_BYTES, Scope, StatusRecord
from onecode_server.model.subject import LOCAL_ID_BYTES_MAX, pseudonym, token_subject
from onecode_server.model.trust_list import Region
from onecode_server.publication.records_writer import RecordsWriter
from onecode_server.rules import authorisation
from onecode_server.rules.authorisation import Right
from onecode_server.rules.publication import Outcome, Rejection, RevisionReset, alive, rejection
from onecode_server.stores.protocol import Publication, Records, Store, TokenKey
from onecode_server.system.clock import Clock
from onecode_server.telemetry.metrics import Metrics
from onecode_server.trust.source import TrustSource
from onecode_server.verification.authenticate.tokens import TokenReader
from onecode_server.verification.verifier import Verifier

SLICE_RECORDS: Final = 200
"""Records that are handled before other work on the event loop has a turn: about 2 ms."""


_OUTCOMES: Final = {None: "known", Rejection.SUPERSEDED: "superseded", Rejection.REVISION_CONFLICT: "conflict"}
"""The outcome under which a record that was not stored is counted."""
OUTCOMES: Final = ("taken", "known", "superseded", "conflict", "rejected")
"""The outcomes by which records are counted."""


class LocalSubject(NamedTuple):
    """A subject by its home region and that region's own identifier."""

    region: str
    id: str


SubjectName = bytes | LocalSubject | Scan
"""A subject by its pseudonym (16 bytes), by local identifier, or by a code as scanned."""


class Resolved(NamedTuple):
    """The subject of a name: its pseudonym, its home if known, and its token if an opaque code named it."""

    subject: bytes
    home: str | None
    token: TokenKey | None = None


class Publisher:
    """Publishes records: ``records`` writes them, and ``store`` is where they are read. ``pseudonym_key`` is 32
    bytes."""

    def __init__(
        self,
        trust: TrustSource,
        verifier: Verifier,
        tokens: TokenReader,
        store: Store,
        records: RecordsWriter,
        pseudonym_key: bytes,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self._trust = trust
        self._verifier = verifier
        self._tokens = tokens
        self._store = store
        self._records = records
        self._key = pseudonym_key
        self._metrics = metrics
        self._clock = clock

    async def publish(
        self, records: Sequence[tuple[SubjectName, StatusRecord]], by: Identity = LOCAL
    ) -> list[Rejection | None]:
        """Write the records in one commit, on disk on return. Return for each record the rule that it broke, or None.

        A record of a publisher that ``by`` may not publish for is rejected before its subject is looked at.

        A record that equals a known one changes nothing and is counted, so replays are harmless. A record with a lower
        revision than a known one is SUPERSEDED, which is not a failure either. Raises StoreUnavailable, NotServing.
        """
        results: list[Rejection | None] = [None] * len(records)
        allowed: list[tuple[int, Publication]] = []
        own = authorisation.regions(by, Right.PUBLISH)
        for index, (name, record) in enumerate(records):
            if index % SLICE_RECORDS == SLICE_RECORDS - 1:
                await asyncio.sleep(0)  # other work on the event loop has a turn
            is_permitted = own is None or record.publisher in own
            checked = await self._resolve_and_check(name, record) if is_permitted else Rejection.NOT_PERMITTED
            if isinstance(checked, Rejection):
                results[index] = checked
            else:
                allowed.append((index, checked))
        outcomes: list[Outcome] = await self._records.write([item for _, item in allowed]) if allowed else []
        for (index, _), outcome in zip(allowed, outcomes, strict=True):
            if isinstance(outcome, Rejection):
                results[index] = outcome
        self._count(results, outcomes.count(None), by)
        return results

    async def reset_revision(self, subject: bytes, publisher: str, scope: Scope, to: int) -> int:
        """Set the last revision of a publisher, subject (16 bytes) and scope back to ``to``; return the former one.

        Levels and times stay; an audit entry is written. Raises PreconditionFailed, StoreUnavailable.
        """
        return await self._records.reset_revision(RevisionReset(subject, publisher, scope, to))

    async def known(self, subject: bytes) -> Records:
        """Return the records of a subject (16 bytes) that count now or may count later. Raises StoreUnavailable."""
        return alive(await self._store.records(subject), self._clock())

    async def _resolve_and_check(self, name: SubjectName, record: StatusRecord) -> Publication | Rejection:
        resolved = await self.resolve(name)
        if resolved is None:
            return Rejection.INVALID_SUBJECT
        if broken := rejection(record, resolved.home, self._trust.current):
            return broken
        # Only the region that issued a token publishes it; other publishers add a record, but not the token.
        is_issued = record.publisher == resolved.home and record.scope is Scope.NATIONAL
        return Publication(resolved.subject, record, resolved.token if is_issued else None)

    def _count(self, results: Sequence[Rejection | None], taken: int, by: Identity) -> None:
        counts = dict.fromkeys(OUTCOMES, 0)
        for result in results:
            counts[_OUTCOMES.get(result, "rejected")] += 1
        counts |= {"taken": taken, "known": counts["known"] - taken}
        for outcome, count in counts.items():
            self._metrics.published.labels(outcome, by.role.value, by.region).inc(count)

    async def resolve(self, name: SubjectName) -> Resolved | None:
        """Return the subject of a name, or None if the name is not valid."""
        if isinstance(name, Scan):
            return await self._bearer(name)
        if isinstance(name, LocalSubject):
            return self._local(name)
        return Resolved(name, None) if len(name) == SUBJECT_BYTES else None

    def _local(self, name: LocalSubject) -> Resolved | None:
        try:
            size = len(name.id.encode())
        except UnicodeEncodeError:  # a lone surrogate, which JSON can contain
            return None
        if not is_region_code(name.region) or not 0 < size <= LOCAL_ID_BYTES_MAX:
            return None
        return Resolved(pseudonym(self._key, name.region, name.id), name.region)

    async def _bearer(self, scan: Scan) -> Resolved | None:
        code = bare(scan.code)
        if len(code) > CODE_BYTES_MAX:  # checked first, because finding the format reads the whole code
            return None
        region = opaque_home(code, self._trust.current)
        if region is not None:
            if not _is_token(code, region):  # no check would accept it
                return None
            key = self._tokens.key_of(region.code, code)
            return Resolved(token_subject(key.digest), region.code, key)
        check = await self._verifier.authenticate(scan.code)
        if check.finding is not None or check.claims is None:
            return None
        return Resolved(check.claims.subject, check.claims.home)


def _is_token(code: bytes, region: Region) -> bool:
    try:
        opaque.check(code, region.prefix)
    except Malformed:
        return False
    return True
