"""Steps 1 to 7 of the check for codes that are built alike, in columns: see ``authenticator`` for what they ask.

Only codes that pass every step are answered here. Whatever is wrong with one, or only out of the plain, is left to the
general path, which says what it is: so there is one place that names a fault, and a property test holds both paths to
the same answers. Nothing here admits what the general path would not.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.crypto.backend import SignatureBackend
from onecode_server.engine.claim_fields import ClaimFields, local_id
from onecode_server.engine.issuer_index import NO_KEY, IssuerIndex, IssuerIndexes
from onecode_server.engine.pseudonyms import Pseudonyms
from onecode_server.engine.template_cache import ROWS_MIN, Rows
from onecode_server.engine.templates import NO_CLAIMANT, Places, Template
from onecode_server.engine.testimony import Testimony
from onecode_server.formats.columns import Bytes, Kind, Layout, octets
from onecode_server.metrics import Metrics
from onecode_server.model.trust_list import IssuerKey, TrustList
from onecode_server.rules import columns

LEARNED_MAX: Final = 64
"""Codes of one batch from which one learns, over all of which they are spread: 6 ms of the event loop at most. What is
common in the first batch is read in columns from the second on, so that later ones show what is rare."""

_log = logging.getLogger(__name__)
_Flags = npt.NDArray[np.bool_]


class ColumnAuthenticator:
    """Finds out whose codes are, many at once. ``pseudonym_key`` is 32 bytes, ``skew`` microseconds."""

    def __init__(
        self, backend: SignatureBackend, issuers: IssuerIndexes, pseudonym_key: bytes, metrics: Metrics, skew: int
    ) -> None:
        self._backend = backend
        self._issuers = issuers
        self._pseudonyms = Pseudonyms(pseudonym_key)
        self._metrics = metrics
        self._skew = skew

    async def authenticate(self, codes: Sequence[bytes], trust: TrustList, now: int) -> list[Testimony]:
        """Return what those codes say that are authentic and plain. The others are for the general path."""
        if len(codes) < ROWS_MIN:
            return []
        index = self._issuers.of(trust)
        try:
            tables = index.templates.read(codes)
        except Exception as bug:
            self._tell(bug)
            return []
        said: list[Testimony] = []
        for rows in tables:
            try:
                said += await self._table(rows, index, now)
            except Exception as bug:  # found by a code of this table, and no reason to read the others one by one
                self._tell(bug)
        return said

    def learn(self, signed: Sequence[tuple[bytes, IssuerKey]], trust: TrustList) -> None:
        """Learn how codes are built that the general path found authentic, where more like them may come."""
        index = self._issuers.of(trust)
        for code, key in signed[:: 1 + len(signed) // LEARNED_MAX]:
            try:
                index.templates.learn(code, index.place_of[key.public_key], key)
            except Exception as bug:
                self._tell(bug)

    def _tell(self, bug: Exception) -> None:
        """Log a bug, of which neither message nor traceback may be shown: they could hold what a code says."""
        self._metrics.check_bugs.inc()
        _log.error("codes could not be read together: %s", type(bug).__name__)

    async def _table(self, table: Rows, index: IssuerIndex, now: int) -> list[Testimony]:
        template, layout = table.template, table.template.layout
        candidates = index.candidates_of(layout.format, octets(table.data, layout.key_id))  # 4
        rows = _Rows(table.data, np.array(table.places, np.int64), candidates).kept(candidates != NO_KEY)
        keys = await self._find_keys(layout, rows, index)  # 5
        keys[index.is_revoked[keys]] = NO_KEY  # a revoked key is not even listened to, and nothing is kept of it
        rows = _Rows(rows.data, rows.places, keys).kept(keys != NO_KEY)
        if not rows.by.size:
            return []
        used, which = _distinct(rows.by)
        index.templates.use(template, used, index.keys)
        fields_of = [template.fields_of(place, index.keys[place], index.trust) for place in used]
        said: list[Testimony] = []
        for fields in {id(fields): fields for fields in fields_of if fields is not None}.values():
            has_these = np.array([other is fields for other in fields_of])
            said += self._read(template, fields, rows.kept(has_these[which]), index, now)
        return said

    async def _find_keys(self, layout: Layout, rows: "_Rows", index: IssuerIndex) -> Places:
        """Return the key that signed each code, int64[n]: the first of its candidates whose signature is good."""
        found = np.full(len(rows.by), NO_KEY, np.int64)
        signatures, messages = layout.signatures(rows.data), layout.messages(rows.data)
        for candidates in index.candidates.T:
            keys = candidates[rows.by]
            tried = np.flatnonzero((found == NO_KEY) & (keys != NO_KEY))
            if not tried.size:  # mostly after one round
                break
            for start in range(0, len(tried), self._backend.slice_items):
                if start:
                    await asyncio.sleep(0)
                part = tried[start : start + self._backend.slice_items]
                if len(part) == len(found):  # mostly all of them
                    is_signed = self._check(index, keys, signatures, messages)
                else:
                    is_signed = self._check(index, keys[part], signatures[part], messages[part])
                found[part[is_signed]] = keys[part[is_signed]]
        return found

    def _check(self, index: IssuerIndex, keys: Places, signatures: Bytes, messages: Bytes) -> _Flags:
        started_s = time.perf_counter()
        used, which = _distinct(keys)
        public_keys = [index.public_keys[place] for place in used]
        is_signed = self._backend.verify_columns(public_keys, which, signatures, messages)
        self._metrics.signature_seconds.labels(self._backend.name).observe(time.perf_counter() - started_s)
        self._metrics.signatures.labels(self._backend.name).inc(len(keys))
        return is_signed

    def _read(
        self, template: Template, fields: ClaimFields, signed: "_Rows", index: IssuerIndex, now: int
    ) -> list[Testimony]:
        """Take codes that are signed, by keys whose claims stand in these fields, through steps 6 and 7."""
        layout, keys = template.layout, signed.by
        claimant = template.claimants_of(keys, fields, signed.data, index.keys, index.trust)  # 6
        is_good = claimant != NO_CLAIMANT
        issued_at = layout.times(signed.data, fields.issued_at)
        ends = [layout.times(signed.data, field) for field in fields.ends] + [
            issued_at + lasts for lasts in fields.lasts
        ]
        expires_at, begins_at = np.minimum.reduce(ends), issued_at
        if fields.not_before is not None:
            begins_at = np.maximum(issued_at, layout.times(signed.data, fields.not_before))
        is_good &= issued_at < expires_at
        is_good &= columns.in_bounds(issued_at, index.bounds[keys], now)  # 7
        is_good &= columns.in_window(begins_at, expires_at, now, self._skew)
        rows = _Rows(signed.data, signed.places, claimant).kept(is_good)
        if not rows.by.size:
            return []
        claimants = list(template.claimants)
        subjects = octets(rows.data, fields.subject)
        if not fields.is_pseudonym:
            if fields.subject.kind is not Kind.TEXT:
                subjects = [local_id(fields, subject, layout) for subject in subjects]
            homes = [claimant.home for claimant in claimants]
            subjects = self._pseudonyms.of_all((homes[place] for place in rows.by.tolist()), subjects)
        self._metrics.column_codes.inc(len(subjects))
        return [Testimony(rows.places, claimants, rows.by, subjects, issued_at[is_good])]


class _Rows(NamedTuple):
    """Some codes: their bytes, where they stand in the batch, and by whom they are: a key's or a claimant's place."""

    data: Bytes
    places: Places
    by: Places

    def kept(self, which: _Flags) -> "_Rows":
        """Return those that are kept; without a copy where all are."""
        return self if which.all() else _Rows(self.data[which], self.places[which], self.by[which])


def _distinct(places: Places) -> tuple[list[int], Places]:
    """Return each place once, in order, and which of them each item has: int64[n]."""
    used = np.flatnonzero(np.bincount(places))
    which = np.empty(int(used[-1]) + 1, np.int64)
    which[used] = np.arange(len(used))
    return used.tolist(), which[places]
