"""The migration of a store from earlier layouts: binary subjects become identifiers, and live reports of exceptions get
tables of their own.

Codes of regions whose claims can be bytes, other than the national authority's, may carry a subject of 16 bytes.
Earlier versions took it for a pseudonym and stored records under it. Today it is an identifier, whose text is
lower-case hex, and has another pseudonym. So the records of such a subject are copied to that pseudonym. They also stay
in their old place, since they may have been published under a real pseudonym: 16 bytes do not tell which.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from onecode_server.codes.codec import CODECS
from onecode_server.errors import Misconfigured
from onecode_server.model.region import NATIONAL
from onecode_server.model.status import Scope, StatusRecord
from onecode_server.model.subject import pseudonym
from onecode_server.model.trust_list import TrustList
from onecode_server.rules.publication import joined
from onecode_server.stores.lmdb import LmdbStore
from onecode_server.stores.lmdb_migration import RecordsCopy
from onecode_server.stores.protocol import Records
from onecode_server.system.clock import Clock
from onecode_server.trust.source import TrustSource

_log = logging.getLogger(__name__)

CHUNK_SUBJECTS: Final = 1000
"""Subjects in a commit: some milliseconds, as for a publication."""
CHUNK_REPORTS: Final = 1000
"""Reports of exceptions in a commit: some 20 ms."""


class Copied(NamedTuple):
    """The number of subjects and the number of records that a migration copied for one region."""

    subjects: int
    records: int


def regions_of(trust: TrustList) -> list[str]:
    """Return the regions whose codes may carry binary identifiers. Adopters are not among them: their residents carry
    the national authority's codes, with real pseudonyms. Regions whose entry was skipped are among them: when the entry
    is corrected, their codes are accepted, and their records must be there."""
    with_bytes = {fmt for fmt, codec in CODECS.items() if codec.DATA_MODEL.has_bytes}
    read = {
        region.code for region in trust.regions.values() if region.format in with_bytes and not region.adopts_national
    }
    return sorted((read | trust.skipped_regions) - {NATIONAL})


class Migration:
    """Upgrades a store to today's layout. ``pseudonym_key`` is 32 bytes."""

    def __init__(self, store: LmdbStore, trust: TrustSource, pseudonym_key: bytes, clock: Clock) -> None:
        self.store = store
        self._trust = trust
        self._key = pseudonym_key
        self._clock = clock

    async def upgrade(self) -> bool:
        """Upgrade a store of an earlier layout if nothing has to be copied, and return whether it has today's layout.
        Its records do not change; they count as published when they took effect. Raises StoreUnavailable."""
        if self.store.is_outdated:
            if self.store.has_unpublished_records and await self._may_have_to_copy():
                return False
            await self.store.end_migration("store upgraded", {})
        await self._move_reports()  # also completes a move that was interrupted
        return True

    async def _may_have_to_copy(self) -> bool:
        if self._trust.is_open:
            return bool(regions_of(self._trust.current))
        return await self.store.known_list() is not None  # without a trust list the regions are not known

    async def _move_reports(self) -> None:
        is_logged = False
        while not await self.store.move_reports(CHUNK_REPORTS):
            if not is_logged:
                _log.info("reports of exceptions are moved to the tables of this version")
            is_logged = True

    async def run(self, done: Callable[[int], None]) -> dict[str, Copied]:
        """Copy records of binary subjects, and return their numbers by region. ``done`` is called with the number of
        subjects done so far. Only a store of the oldest layout has records to copy.

        It may be interrupted at any time and run again from the start. Raises Misconfigured, StoreUnavailable.
        """
        if not self.store.has_unpublished_records:
            await self.upgrade()
            return {}
        if not self._trust.is_open:
            raise Misconfigured("there is no trust list to say which regions' records are to be copied")
        regions = regions_of(self._trust.current)
        counts = dict.fromkeys(regions, Copied(0, 0))
        after, examined, is_last = b"", 0, False
        while not is_last:
            after, subjects, is_last, copies = await self.store.copy_records(
                after, CHUNK_SUBJECTS, partial(self._copies, regions)
            )
            for copy in copies:
                so_far = counts[copy.region]
                counts[copy.region] = Copied(so_far.subjects + 1, so_far.records + copy.records)
            examined += subjects
            done(examined)
        details = {region: copied._asdict() for region, copied in counts.items()}
        await self.store.end_migration("store migrated", details)
        await self._move_reports()
        return counts

    def _copies(self, regions: list[str], subject: bytes, records: Records) -> list[RecordsCopy]:
        """Return the copies of a subject's records: for each region, the pseudonym and the records.

        Besides the region's own records, those of the national authority and LOCAL ones are copied, for every region:
        bearers of several regions may have had the same 16 bytes. A copy under an unused pseudonym does no harm, and a
        missing RED would.
        """
        copies = []
        for region in regions:
            own = tuple(record for record in records if _counts_for(region, record))
            if own:
                target = pseudonym(self._key, region, subject.hex())
                copies.append(RecordsCopy(region, target, len(own), partial(_join, own, self._clock())))
        return copies


def _counts_for(region: str, record: StatusRecord) -> bool:
    return record.publisher in (region, NATIONAL) or record.scope is Scope.LOCAL


def _join(copied: Records, now: int, there: Records) -> Records:
    return joined(there, copied, now)
