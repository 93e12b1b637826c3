"""Steps 1 to 7 of the check, in columns, for codes of a known template; ``general`` describes the steps.

This path returns only codes that pass every step. A code that fails a step, or that a template cannot express, is left
to the general path: faults are named in one place only. This path accepts nothing that the general path would refuse;
a property test asserts that both give the same answers.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.codes.layouts import Bytes, Kind, Layout, octets
from onecode_server.crypto.backend import SignatureBackend
from onecode_server.model.trust_list import IssuerKey, TrustList
from onecode_server.rules import validity
from onecode_server.telemetry.metrics import Metrics
from onecode_server.verification.authenticate.claim_fields import ClaimFields, local_id
from onecode_server.verification.authenticate.issuer_index import NO_KEY, IssuerIndex, IssuerIndexes
from onecode_server.verification.authenticate.pseudonyms import Pseudonyms
from onecode_server.verification.authenticate.template import NO_ASSERTION, Places, Template
from onecode_server.verification.authenticate.template_cache import ROWS_MIN, Rows
from onecode_server.verification.authenticate.verified_claims import VerifiedClaims

LEARNED_MAX: Final = 64
"""Codes of one batch from which templates are learned, spread evenly over the batch: 6 ms of the event loop at most.
Codes of the templates learned from one batch are read in columns in the next, so rarer templates are learned then."""

_log = logging.getLogger(__name__)
_Flags = npt.NDArray[np.bool_]


class TemplateAuthenticator:
    """Authenticates many codes at once. ``pseudonym_key`` is 32 bytes, ``skew`` is in microseconds."""

    def __init__(
        self, backend: SignatureBackend, issuers: IssuerIndexes, pseudonym_key: bytes, metrics: Metrics, skew: int
    ) -> None:
        self._backend = backend
        self._issuers = issuers
        self._pseudonyms = Pseudonyms(pseudonym_key)
        self._metrics = metrics
        self._skew = skew

    async def authenticate(self, codes: Sequence[bytes], trust: TrustList, now: int) -> list[VerifiedClaims]:
        """Return the claims of the codes that are authentic and match a template; the general path takes the others."""
        if len(codes) < ROWS_MIN:
            return []
        index = self._issuers.of(trust)
        try:
            tables = index.templates.read(codes)
        except Exception as bug:
            self._tell(bug)
            return []
        found: list[VerifiedClaims] = []
        for rows in tables:
            try:
                found += await self._table(rows, index, now)
            except Exception as bug:  # it concerns this table only: the other tables are still read in columns
                self._tell(bug)
        return found

    def learn(self, signed: Sequence[tuple[bytes, IssuerKey]], trust: TrustList) -> None:
        """Learn templates from codes that the general path found authentic."""
        index = self._issuers.of(trust)
        for code, key in signed[:: 1 + len(signed) // LEARNED_MAX]:
            try:
                index.templates.learn(code, index.place_of[key.public_key], key)
            except Exception as bug:
                self._tell(bug)

    def _tell(self, bug: Exception) -> None:
        """Log a bug by its type only: its message and its traceback could contain claims."""
        self._metrics.check_bugs.inc()
        _log.error("codes could not be read together: %s", type(bug).__name__)

    async def _table(self, table: Rows, index: IssuerIndex, now: int) -> list[VerifiedClaims]:
        template, layout = table.template, table.template.layout
        candidates = index.candidates_of(layout.format, octets(table.data, layout.key_id))  # 4
        rows = _Rows(table.data, np.array(table.places, np.int64), candidates).kept(candidates != NO_KEY)
        keys = await self._find_keys(layout, rows, index)  # 5
        keys[index.is_revoked[keys]] = NO_KEY  # claims under a revoked key are not read, and nothing is learned
        rows = _Rows(rows.data, rows.places, keys).kept(keys != NO_KEY)
        if not rows.by.size:
            return []
        used, which = _distinct(rows.by)
        index.templates.use(template, used, index.keys)
        fields_of = [template.fields_of(place, index.keys[place], index.trust) for place in used]
        found: list[VerifiedClaims] = []
        for fields in {id(fields): fields for fields in fields_of if fields is not None}.values():
            has_these = np.array([other is fields for other in fields_of])
            found += self._read(template, fields, rows.kept(has_these[which]), index, now)
        return found

    async def _find_keys(self, layout: Layout, rows: "_Rows", index: IssuerIndex) -> Places:
        """Return the key that signed each code, int64[n]: the first candidate under which the signature is good."""
        found = np.full(len(rows.by), NO_KEY, np.int64)
        signatures, messages = layout.signatures(rows.data), layout.messages(rows.data)
        for candidates in index.candidates.T:
            keys = candidates[rows.by]
            tried = np.flatnonzero((found == NO_KEY) & (keys != NO_KEY))
            if not tried.size:  # mostly after the first column of candidates
                break
            for start in range(0, len(tried), self._backend.slice_items):
                if start:
                    await asyncio.sleep(0)
                part = tried[start : start + self._backend.slice_items]
                if len(part) == len(found):  # mostly: then no copy is needed
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
    ) -> list[VerifiedClaims]:
        """Take codes with a good signature, whose keys have their claims in ``fields``, through steps 6 and 7."""
        layout, keys = template.layout, signed.by
        assertion = template.assertions_of(keys, fields, signed.data, index.keys, index.trust)  # 6
        is_good = assertion != NO_ASSERTION
        issued_at = layout.times(signed.data, fields.issued_at)
        ends = [layout.times(signed.data, field) for field in fields.ends]
        expires_at = validity.expiry(issued_at, ends, fields.lifetimes)
        not_before = None if fields.not_before is None else layout.times(signed.data, fields.not_before)
        is_good &= issued_at < expires_at
        is_good &= validity.may_vouch(index.windows[keys].T, issued_at, now)  # 7
        is_good &= validity.has_begun(validity.beginning(issued_at, not_before), now, self._skew)
        is_good &= ~validity.has_ended(expires_at, now, self._skew)
        rows = _Rows(signed.data, signed.places, assertion).kept(is_good)
        if not rows.by.size:
            return []
        assertions = list(template.assertions)
        subjects = octets(rows.data, fields.subject)
        if not fields.is_pseudonym:
            if fields.subject.kind is not Kind.TEXT:
                subjects = [local_id(fields, subject, layout) for subject in subjects]
            homes = [assertion.home for assertion in assertions]
            subjects = self._pseudonyms.of_all((homes[place] for place in rows.by.tolist()), subjects)
        self._metrics.column_codes.inc(len(subjects))
        return [VerifiedClaims(rows.places, assertions, rows.by, subjects, issued_at[is_good])]


class _Rows(NamedTuple):
    """Some codes: their bytes, their places in the batch, and for each the place of its candidates (a row of
    ``IssuerIndex.candidates``), of its key or of its assertion."""

    data: Bytes
    places: Places
    by: Places

    def kept(self, which: _Flags) -> "_Rows":
        """Return the rows where ``which`` is true; without a copy if all are."""
        return self if which.all() else _Rows(self.data[which], self.places[which], self.by[which])


def _distinct(places: Places) -> tuple[list[int], Places]:
    """Return the distinct places in order, and for each item the index of its place among them: int64[n]."""
    used = np.flatnonzero(np.bincount(places))
    which = np.empty(int(used[-1]) + 1, np.int64)
    which[used] = np.arange(len(used))
    return used.tolist(), which[places]
