"""Publishing: status records in, by subject, under the rules of who may say what of whom."""

from collections.abc import Sequence
from typing import NamedTuple

from onecode_server.engine.clock import Clock
from onecode_server.engine.token_reader import TokenReader
from onecode_server.engine.trust_source import TrustSource
from onecode_server.engine.verifier import Verifier
from onecode_server.model.code import Scan
from onecode_server.model.region import is_region_code
from onecode_server.model.status import SUBJECT_BYTES, StatusRecord
from onecode_server.model.subject import LOCAL_ID_BYTES_MAX, pseudonym, token_subject
from onecode_server.rules.publication import Rejection, merge, rejection
from onecode_server.stores.protocol import Publication, Records, Store, TokenKey


class LocalSubject(NamedTuple):
    """A subject by its home region and that region's own identifier."""

    region: str
    id: str


SubjectName = bytes | LocalSubject | Scan
"""A subject by its pseudonym (16 bytes), by local identifier, or by a code as scanned."""


class Resolved(NamedTuple):
    """Whom a name means: the pseudonym, the home where it is known, and the token where an opaque code named it."""

    subject: bytes
    home: str | None
    token: TokenKey | None = None


class Publisher:
    """Writes records to the store. ``pseudonym_key`` is 32 bytes."""

    def __init__(
        self,
        trust: TrustSource,
        verifier: Verifier,
        tokens: TokenReader,
        store: Store,
        pseudonym_key: bytes,
        clock: Clock,
    ) -> None:
        self._trust = trust
        self._verifier = verifier
        self._tokens = tokens
        self._store = store
        self._key = pseudonym_key
        self._clock = clock

    async def publish(self, records: Sequence[tuple[SubjectName, StatusRecord]]) -> list[Rejection | None]:
        """Write the records in one commit, on disk when this returns; say for each which rule it broke, or None.

        A revision that is known already is ignored, so that replays are harmless. Raises StoreUnavailable, NotServing.
        """
        trust, now = self._trust.current, self._clock()
        results: list[Rejection | None] = [None] * len(records)
        allowed: list[tuple[int, Publication]] = []
        for index, (name, record) in enumerate(records):
            whom = await self.resolve(name)
            if whom is None:
                results[index] = Rejection.INVALID_SUBJECT
            elif whom.token is not None and record.publisher != whom.home:
                results[index] = Rejection.NOT_THE_HOME  # a token is first published by the region that issued it
            elif broken := rejection(record, whom.home, trust):
                results[index] = broken
            else:
                allowed.append((index, Publication(whom.subject, record, whom.token)))
        order = iter([index for index, _ in allowed])

        def join(known: Records, record: StatusRecord) -> Records | None:
            index, joined = next(order), merge(known, record, now)
            if isinstance(joined, Rejection):
                results[index] = joined
                return None
            return joined

        if allowed:
            await self._store.publish([item for _, item in allowed], join)
        return results

    async def resolve(self, name: SubjectName) -> Resolved | None:
        """Return whom a name means, or None where it means nobody."""
        if isinstance(name, Scan):
            return await self._bearer(name)
        if isinstance(name, LocalSubject):
            fits = is_region_code(name.region) and 0 < len(name.id.encode(errors="replace")) <= LOCAL_ID_BYTES_MAX
            return Resolved(pseudonym(self._key, name.region, name.id), name.region) if fits else None
        return Resolved(name, None) if len(name) == SUBJECT_BYTES else None

    async def _bearer(self, scan: Scan) -> Resolved | None:
        region = self._trust.current.issuer_of_prefix(scan.code)
        if region is not None:
            key = self._tokens.key_of(region.code, scan.code)
            return Resolved(token_subject(key.digest), region.code, key)
        check = await self._verifier.authenticate(scan)
        if check.finding is not None or check.claims is None:
            return None
        return Resolved(check.claims.subject, check.claims.home)
