"""Steps 1 to 7 of the check for codes that are built alike, in columns: see ``authenticator`` for what they ask.

Only codes that pass every step are answered here. Whatever is wrong with one, or only out of the plain, is left to the
general path, which says what it is: so there is one place that names a fault, and a property test holds both paths to
the same answers. Nothing here admits what the general path would not.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.crypto.backend import SignatureBackend
from onecode_server.engine.layout_book import ROWS_MIN, LayoutBook, Table
from onecode_server.engine.speakers import NOBODY, Places, Speakers
from onecode_server.engine.testimony import Testimony
from onecode_server.engine.voices import Terms
from onecode_server.formats.columns import Bytes, Kind, Layout, octets
from onecode_server.metrics import Metrics
from onecode_server.model.subject import pseudonym
from onecode_server.model.trust_list import TrustList
from onecode_server.rules import columns

_log = logging.getLogger(__name__)
_Flags = npt.NDArray[np.bool_]


class ColumnAuthenticator:
    """Finds out whose codes are, many at once. ``pseudonym_key`` is 32 bytes, ``skew`` microseconds."""

    def __init__(
        self, backend: SignatureBackend, layouts: LayoutBook, pseudonym_key: bytes, metrics: Metrics, skew: int
    ) -> None:
        self._backend = backend
        self._layouts = layouts
        self._key = pseudonym_key
        self._metrics = metrics
        self._skew = skew
        self._trust: TrustList | None = None
        self._speakers: dict[Layout, Speakers] = {}

    async def authenticate(self, codes: Sequence[bytes], trust: TrustList, now: int) -> list[Testimony]:
        """Return what those codes say that are authentic and plain. The others are for the general path."""
        if len(codes) < ROWS_MIN:
            return []
        if trust is not self._trust:
            self._trust, self._speakers = trust, {}
        try:
            return [said for table in self._layouts.read(codes) for said in await self._table(table, trust, now)]
        except Exception as bug:
            self._tell(bug)
            return []

    def learn(self, codes: Sequence[bytes]) -> None:
        """Learn how codes are built that the general path found authentic, where more like them may come."""
        try:
            if len(codes) >= ROWS_MIN:
                self._layouts.learn(codes)
        except Exception as bug:
            self._tell(bug)

    def _tell(self, bug: Exception) -> None:
        """Log a bug, of which neither message nor traceback may be shown: they could hold what a code says."""
        self._metrics.check_bugs.inc()
        _log.error("codes could not be read together: %s", type(bug).__name__)

    async def _table(self, table: Table, trust: TrustList, now: int) -> list[Testimony]:
        layout = table.layout
        speakers = self._speakers.get(layout)
        if speakers is None:
            speakers = self._speakers[layout] = Speakers(layout, trust, self._skew)
        candidates = speakers.candidates_of(octets(table.data, layout.key_id))  # 4
        rows = _Rows(table.data, np.array(table.places, np.int64), candidates).kept(candidates != NOBODY)
        keys = await self._find_keys(layout, rows, speakers)  # 5
        rows = _Rows(rows.data, rows.places, keys).kept(keys != NOBODY)
        heard: list[Testimony] = []
        if rows.by.size:
            terms_of = speakers.terms_of(rows.by)
            for place in set(terms_of.tolist()) - {NOBODY}:
                heard += self._hear(layout, speakers, speakers.terms[place], rows.kept(terms_of == place), now)
        return heard

    async def _find_keys(self, layout: Layout, rows: "_Rows", speakers: Speakers) -> Places:
        """Return the key that signed each code, int64[n]: the first of its candidates whose signature is good."""
        found = np.full(len(rows.by), NOBODY, np.int64)
        signatures, messages = layout.signatures(rows.data), layout.messages(rows.data)
        for candidates in speakers.candidates.T:
            keys = candidates[rows.by]
            tried = np.flatnonzero((found == NOBODY) & (keys != NOBODY))
            if not tried.size:  # mostly after one round
                break
            for start in range(0, len(tried), self._backend.slice_items):
                if start:
                    await asyncio.sleep(0)
                part = tried[start : start + self._backend.slice_items]
                if len(part) == len(found):  # mostly all of them
                    is_signed = self._check(speakers.public_keys, keys, signatures, messages)
                else:
                    is_signed = self._check(speakers.public_keys, keys[part], signatures[part], messages[part])
                found[part[is_signed]] = keys[part[is_signed]]
        return found

    def _check(self, public_keys: Sequence[bytes], keys: Places, signatures: Bytes, messages: Bytes) -> _Flags:
        started_s = time.perf_counter()
        is_signed = self._backend.verify_columns(public_keys, keys, signatures, messages)
        self._metrics.signature_seconds.labels(self._backend.name).observe(time.perf_counter() - started_s)
        self._metrics.signatures.labels(self._backend.name).inc(len(keys))
        return is_signed

    def _hear(self, layout: Layout, speakers: Speakers, terms: Terms, signed: "_Rows", now: int) -> list[Testimony]:
        """Take codes that are signed through steps 6 and 7."""
        voices = speakers.voices_of(signed.by, terms, signed.data)  # 6
        rows = _Rows(signed.data, signed.places, voices).kept(voices != NOBODY)
        if not rows.by.size:
            return []
        issued_at = layout.times(rows.data, terms.issued_at)
        ends = [layout.times(rows.data, field) for field in terms.ends] + [issued_at + lasts for lasts in terms.lasts]
        expires_at, begins_at = np.minimum.reduce(ends), issued_at
        if terms.not_before is not None:
            begins_at = np.maximum(issued_at, layout.times(rows.data, terms.not_before))
        is_good = issued_at < expires_at
        is_good &= columns.in_bounds(issued_at, speakers.bounds[rows.by], now)  # 7
        is_good &= columns.in_window(begins_at, expires_at, now, self._skew)
        rows = rows.kept(is_good)
        subjects = octets(rows.data, terms.subject)
        if terms.subject.kind is not Kind.BYTES:
            homes = [speakers.claimants[voice].home for voice in rows.by.tolist()]
            subjects = [pseudonym(self._key, *named) for named in zip(homes, map(bytes.decode, subjects), strict=True)]
        self._metrics.column_codes.inc(len(subjects))
        return [Testimony(rows.places, list(speakers.claimants), rows.by, subjects, issued_at[is_good])]


class _Rows(NamedTuple):
    """Some codes: their bytes, where they stand in the batch, and by whom they are: a key's or a voice's place."""

    data: Bytes
    places: Places
    by: Places

    def kept(self, which: _Flags) -> "_Rows":
        """Return those that are kept; without a copy where all are."""
        return self if which.all() else _Rows(self.data[which], self.places[which], self.by[which])
