"""Steps 4 to 7 of the check for many codes of one template: each step is a few operations on columns."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.codes.layouts import Bytes, Kind, Layout, Times, octets
from onecode_server.model.verdict import Finding
from onecode_server.rules import validity
from onecode_server.telemetry.metrics import Metrics
from onecode_server.verification.authenticate.authenticator import (
    KEY_REVOKED,
    KEY_UNKNOWN,
    SIGNATURE_INVALID,
    CodeSlice,
)
from onecode_server.verification.authenticate.claim_fields import ClaimFields, local_id
from onecode_server.verification.authenticate.issuer_index import NO_KEY, IssuerIndex, distinct
from onecode_server.verification.authenticate.pseudonyms import Pseudonyms
from onecode_server.verification.authenticate.signatures import SignatureChecker
from onecode_server.verification.authenticate.template import NO_ASSERTION, Places, Template
from onecode_server.verification.authenticate.template_lookup import Rows
from onecode_server.verification.authenticate.verified_claims import VerifiedClaims

_Flags = npt.NDArray[np.bool_]


class ColumnReader:
    """Reads codes of a template in columns. ``skew`` is in microseconds."""

    def __init__(self, signatures: SignatureChecker, pseudonyms: Pseudonyms, metrics: Metrics, skew: int) -> None:
        self._signatures = signatures
        self._pseudonyms = pseudonyms
        self._metrics = metrics
        self._skew = skew

    async def read(self, table: Rows, index: IssuerIndex, now: int, codes: CodeSlice) -> None:
        """Take the codes of a table through steps 4 to 7, as ``Authenticator.authenticate`` does."""
        template, layout = table.template, table.template.layout
        candidates = index.candidates_of(layout.format, octets(table.data, layout.key_id))  # 4
        rows = _Rows(table.data, np.array(table.places, np.int64), candidates)
        # A key id of another spelling may be known to the general authenticator.
        unknown = KEY_UNKNOWN if index.templates.spellings(layout.format) is None else None
        rows = _without(codes, rows, candidates == NO_KEY, unknown)
        keys = await self._find_keys(layout, rows, index)  # 5
        rows = _without(codes, _Rows(rows.data, rows.places, keys), keys == NO_KEY, SIGNATURE_INVALID)
        # Claims under a revoked key are not read, and nothing is learned.
        rows = _without(codes, rows, index.is_revoked[rows.by], KEY_REVOKED)
        if not rows.by.size:
            return
        used, which = distinct(rows.by)
        index.templates.use(template, used, index.keys)
        fields_of = template.fields_of_all(used, index.keys, index.trust)
        different = {id(fields): fields for fields in fields_of}
        for fields in different.values():
            some = rows
            if len(different) > 1:
                some = rows.kept(np.array([other is fields for other in fields_of])[which])
            if fields is None:
                _leave(codes, template, some, index)
            else:
                self._read_claims(template, fields, some, index, now, codes)

    async def _find_keys(self, layout: Layout, rows: "_Rows", index: IssuerIndex) -> Places:
        signatures, messages = layout.signatures(rows.data), layout.messages(rows.data)
        return await self._signatures.find_key_places(rows.by, index, signatures, messages)

    def _read_claims(
        self, template: Template, fields: ClaimFields, signed: "_Rows", index: IssuerIndex, now: int, codes: CodeSlice
    ) -> None:
        """Take codes with a good signature, whose keys have their claims in ``fields``, through steps 6 and 7."""
        layout = template.layout
        assertion = template.assertions_of(signed.by, fields, signed.data, index.keys, index.trust)  # 6
        issued_at = layout.times(signed.data, fields.issued_at)
        ends = [layout.times(signed.data, field) for field in fields.ends]
        expires_at = validity.expiry(issued_at, ends, fields.lifetimes)
        not_before = None if fields.not_before is None else layout.times(signed.data, fields.not_before)
        is_read = (assertion != NO_ASSERTION) & (issued_at < expires_at)
        windows = index.windows[:, signed.by]
        is_valid = validity.is_valid(windows, issued_at, expires_at, not_before, now, self._skew)  # 7
        is_good = is_read & is_valid
        if not _all(is_good):
            _leave(codes, template, signed.kept(~is_read), index)
            self._refuse_invalid(codes, signed, is_read & ~is_valid, index, now, (issued_at, expires_at, not_before))
        rows = _Rows(signed.data, signed.places, assertion).kept(is_good)
        if rows.by.size:
            subjects = self._subjects(template, fields, rows)
            self._metrics.column_codes.inc(len(subjects))
            codes.verified.append(
                VerifiedClaims(rows.places, template.assertions, rows.by, subjects, issued_at[is_good])
            )

    def _refuse_invalid(
        self,
        codes: CodeSlice,
        rows: "_Rows",
        which: _Flags,
        index: IssuerIndex,
        now: int,
        times: tuple[Times, Times, Times | None],
    ) -> None:
        """Name the fault of each code that is out of its time, or whose key is."""
        issued_at, expires_at, not_before = times
        for at in which.nonzero()[0].tolist():
            begins = None if not_before is None else int(not_before[at])
            window = validity.CodeWindow(int(issued_at[at]), int(expires_at[at]), begins)
            fault = validity.key_fault(index.keys[int(rows.by[at])], window.issued_at, now, self._skew)
            codes.check(int(rows.places[at])).finding = fault or validity.window_fault(window, now, self._skew)

    def _subjects(self, template: Template, fields: ClaimFields, rows: "_Rows") -> list[bytes]:
        subjects = octets(rows.data, fields.subject)
        if fields.is_pseudonym:
            return subjects
        if fields.subject.kind is not Kind.TEXT:
            subjects = [local_id(fields, subject, template.layout) for subject in subjects]
        return self._pseudonyms.of_all((template.assertions[place].home for place in rows.by.tolist()), subjects)


class _Rows(NamedTuple):
    """Some codes: their bytes, their places in the slice, and for each the place of its candidates (a row of
    ``IssuerIndex.candidates``), of its key or of its assertion."""

    data: Bytes
    places: Places
    by: Places

    def kept(self, which: _Flags) -> "_Rows":
        """Return the rows where ``which`` is true; without a copy if all are."""
        return self if _all(which) else _Rows(self.data[which], self.places[which], self.by[which])


def _all(flags: _Flags) -> bool:
    """Return whether all are true. ``flags.all()`` takes four times as long for few."""
    return bool(np.count_nonzero(flags) == flags.size)


def _without(codes: CodeSlice, rows: _Rows, which: _Flags, finding: Finding | None) -> _Rows:
    """Return the rows where ``which`` is false. The other codes are refused, or left where there is no finding."""
    if not np.count_nonzero(which):  # as nearly always
        return rows
    if finding is not None:
        for place in rows.places[which].tolist():
            codes.check(place).finding = finding
    return rows.kept(~which)


def _leave(codes: CodeSlice, template: Template, signed: _Rows, index: IssuerIndex) -> None:
    """Leave codes whose claims no template can express to the next authenticator, with their keys."""
    for row, place, key_place in zip(signed.data, signed.places.tolist(), signed.by.tolist(), strict=True):
        check, key = codes.check(place), index.keys[key_place]
        check.template, check.key = template, key
        check.signed = template.signed(row.tobytes(), key.key_id)
