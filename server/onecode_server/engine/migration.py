"""The migration of a store from the layouts before: from before binary subjects were identifiers, and from before live
reports of exceptions lay apart from those that have ended.

Codes of regions with the format ``national``, other than the national authority's, may carry a subject of 16 bytes. It
was taken for a pseudonym then, and records lie under it as it is. It is an identifier today, whose text is lower-case
hex, and its pseudonym is another one. So what was said of such a subject is copied under that pseudonym. It also stays
where it is, since a record may have been published under a real pseudonym: nobody can tell by 16 bytes.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from onecode_server.engine.clock import Clock
from onecode_server.engine.trust_source import TrustSource
from onecode_server.errors import Misconfigured
from onecode_server.model.region import NATIONAL
from onecode_server.model.status import Scope, StatusRecord
from onecode_server.model.subject import pseudonym
from onecode_server.model.trust_list import Format, TrustList
from onecode_server.rules.publication import joined
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.protocol import Records, RecordsCopy

_log = logging.getLogger(__name__)

CHUNK_SUBJECTS: Final = 1000
"""Subjects to a commit: some milliseconds, as for a publication."""
CHUNK_REPORTS: Final = 1000
"""Reports of exceptions to a commit: some 20 ms."""


class Copied(NamedTuple):
    """What a migration copied of one region: how many subjects, and how many records."""

    subjects: int
    records: int


def regions_of(trust: TrustList) -> list[str]:
    """Return the regions whose codes may carry binary identifiers. An adopter's residents carry the national
    authority's codes, and with them real pseudonyms. A region whose entry was skipped may be one of them: its codes are
    read once its entry is mended, and what was said of them must be there then."""
    read = {
        region.code
        for region in trust.regions.values()
        if region.format is Format.NATIONAL and not region.adopts_national
    }
    return sorted((read | trust.skipped_regions) - {NATIONAL})


class Migration:
    """Brings a store to the layout of today. ``pseudonym_key`` is 32 bytes."""

    def __init__(self, store: LmdbStore, trust: TrustSource, pseudonym_key: bytes, clock: Clock) -> None:
        self._store = store
        self._trust = trust
        self._key = pseudonym_key
        self._clock = clock

    async def upgrade(self) -> bool:
        """Bring a store of a layout before to that of today where nothing has to be copied, and tell whether the
        store has it now. Its records are as they were, published when they took effect. Raises StoreUnavailable."""
        if self._store.is_outdated:
            if self._store.has_unpublished_records and await self._may_have_to_copy():
                return False
            await self._store.end_migration("store upgraded", {})
        await self._move_reports()  # also what a process left that was killed at it
        return True

    async def _may_have_to_copy(self) -> bool:
        if self._trust.is_open:
            return bool(regions_of(self._trust.current))
        return await self._store.known_list() is not None  # nobody knows which regions there are

    async def _move_reports(self) -> None:
        is_told = False
        while not await self._store.move_reports(CHUNK_REPORTS):
            if not is_told:
                _log.info("reports of exceptions are moved to the tables of this version")
            is_told = True

    async def run(self, done: Callable[[int], None]) -> dict[str, Copied]:
        """Copy what is to be copied, and return what that was, by region. ``done`` is told how many subjects are done.
        Only the oldest layout has anything to copy.

        It may be ended at any time, and done again from the start. Raises Misconfigured, StoreUnavailable.
        """
        if not self._store.has_unpublished_records:
            await self.upgrade()
            return {}
        if not self._trust.is_open:
            raise Misconfigured("there is no trust list to say which regions' records are to be copied")
        regions = regions_of(self._trust.current)
        counts = dict.fromkeys(regions, Copied(0, 0))
        after, looked_at, is_last = b"", 0, False
        while not is_last:
            after, subjects, is_last, copies = await self._store.copy_records(
                after, CHUNK_SUBJECTS, partial(self._copies, regions)
            )
            for copy in copies:
                so_far = counts[copy.region]
                counts[copy.region] = Copied(so_far.subjects + 1, so_far.records + copy.records)
            looked_at += subjects
            done(looked_at)
        details = {region: copied._asdict() for region, copied in counts.items()}
        await self._store.end_migration("store migrated", details)
        await self._move_reports()
        return counts

    def _copies(self, regions: list[str], subject: bytes, records: Records) -> list[RecordsCopy]:
        """Return what of a subject's records is copied, and whereto.

        Beside the home's records those of the national authority and LOCAL ones count. They go along to every region,
        also where another one has said something of the subject: bearers of several regions may have had the same 16
        bytes. A copy under a pseudonym that is nobody's does no harm, and a RED that is missed does.
        """
        copies = []
        for region in regions:
            own = tuple(record for record in records if _counts_for(region, record))
            if own:
                whom = pseudonym(self._key, region, subject.hex())
                copies.append(RecordsCopy(region, whom, len(own), partial(_join, own, self._clock())))
        return copies


def _counts_for(region: str, record: StatusRecord) -> bool:
    return record.publisher in (region, NATIONAL) or record.scope is Scope.LOCAL


def _join(copied: Records, now: int, there: Records) -> Records:
    return joined(there, copied, now)
