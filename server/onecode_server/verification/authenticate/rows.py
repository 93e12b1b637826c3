"""Steps 3 to 7 of the check for few codes: those of one template together, as long as all of them are authentic.

Each operation takes all codes, as in ``columns``. Columns are lists, since an operation on an array takes as long as
one on each of a dozen items. Where the claims of one code need a closer look, ``single`` reads all codes of its
template one by one; no signature is checked again for it.
"""

from collections.abc import Callable, Sequence
from itertools import compress, repeat
from operator import itemgetter, lt
from typing import Any, Final, TypeAlias, cast

from onecode_server.errors import Malformed
from onecode_server.model.code import Claims
from onecode_server.model.trust_list import IssuerKey
from onecode_server.rules import validity
from onecode_server.verification.authenticate.authenticator import SIGNATURE_INVALID, CodeSlice, ReadRows
from onecode_server.verification.authenticate.claim_fields import ReadWords, local_id
from onecode_server.verification.authenticate.issuer_index import NO_KEY, IssuerIndex
from onecode_server.verification.authenticate.pseudonyms import Pseudonyms
from onecode_server.verification.authenticate.signatures import SignatureChecker
from onecode_server.verification.authenticate.single import SingleReader, make_claims
from onecode_server.verification.authenticate.template import FieldReader, Template
from onecode_server.verification.authenticate.template_lookup import find_rows

_Candidates: TypeAlias = Sequence[tuple[IssuerKey, ...]]
_Decoded: TypeAlias = tuple[Template, Sequence[int], Sequence[bytes], _Candidates, Sequence[bytes], Sequence[bytes]]
"""Codes of one template after step 4, in columns: their places in the slice, rows, candidate keys, signatures and
messages."""

_fields: Final[Callable[[FieldReader], Any]] = itemgetter(0)


class RowReader:
    """Reads few codes by their templates. ``skew`` is in microseconds. ``log_bug`` is told of an exception that nothing
    here should raise; the codes of its template are then left to the general authenticator."""

    def __init__(
        self,
        single: SingleReader,
        signatures: SignatureChecker,
        pseudonyms: Pseudonyms,
        skew: int,
        log_bug: Callable[[Exception], None],
    ) -> None:
        self._single = single
        self._signatures = signatures
        self._pseudonyms = pseudonyms
        self._skew = skew
        self._log_bug = log_bug

    async def read(self, codes: CodeSlice, places: Sequence[int], index: IssuerIndex, now: int) -> None:
        """Take the codes at some places through steps 3 to 7, as ``Authenticator.authenticate`` does."""
        try:
            tables = self._decode(codes, places, index)  # 3, 4
        except Exception as bug:
            return self._log_bug(bug)
        if not tables:
            return None
        _, _, _, candidates, signatures, messages = tables[0]
        if len(tables) > 1:
            candidates = [one for table in tables for one in table[3]]
            signatures = [one for table in tables for one in table[4]]
            messages = [one for table in tables for one in table[5]]
        keys = await self._signatures.find_keys(candidates, signatures, messages)  # 5
        for table in tables:
            count = len(table[1])
            try:
                self._read_claims(table, keys[:count], codes, index, now)  # 6, 7
            except Exception as bug:  # it concerns this template only
                self._log_bug(bug)
            keys = keys[count:]
        return None

    def _decode(self, codes: CodeSlice, places: Sequence[int], index: IssuerIndex) -> list[_Decoded]:
        tables: list[_Decoded] = []
        for template, at, rows in find_rows(index.templates, codes.codes, places):
            key_ids, messages, signatures, _ = zip(*map(template.envelope, rows), strict=True)
            if template.key_ids is not None:
                key_ids = tuple(map(template.key_ids.get, key_ids))
            candidates = [*map(index.keys_of[template.layout.format].get, key_ids, repeat(()))]
            table: _Decoded = (template, at, rows, candidates, signatures, messages)
            if () in candidates:
                table = self._without_unknown(table, codes, index)
            if table[1]:
                tables.append(table)
        return tables

    def _without_unknown(self, table: _Decoded, codes: CodeSlice, index: IssuerIndex) -> _Decoded:
        """Return the codes that have candidate keys. The others are refused, or left where no authentic code had a key
        id in their encoding."""
        template, places, rows, candidates, signatures, messages = table
        for place, row, keys in zip(places, rows, candidates, strict=True):
            if not keys:
                self._single.begin(codes.check(place), template, row, index)
        return (
            template,
            [*compress(places, candidates)],
            [*compress(rows, candidates)],
            [*compress(candidates, candidates)],
            [*compress(signatures, candidates)],
            [*compress(messages, candidates)],
        )

    def _read_claims(
        self, table: _Decoded, keys: Sequence[IssuerKey | None], codes: CodeSlice, index: IssuerIndex, now: int
    ) -> None:
        """Take codes of one template whose keys were looked for through steps 6 and 7."""
        template, places, rows, all_candidates, *_ = table
        claims = self._read_all(template, rows, keys, index, now)
        if claims is not None:
            codes.rows.append(ReadRows(template, places, rows, cast("Sequence[IssuerKey]", keys), claims))
            return
        for place, row, key, candidates in zip(places, rows, keys, all_candidates, strict=True):
            check = codes.check(place)
            check.key, check.template = key, template
            check.signed = template.signed(row, candidates[0].key_id)
            if key is None:
                check.finding = SIGNATURE_INVALID
            else:
                self._single.read_claims(check, row, index, now)

    def _read_all(
        self, template: Template, rows: Sequence[bytes], keys: Sequence[IssuerKey | None], index: IssuerIndex, now: int
    ) -> list[Claims] | None:
        """Return the claims of codes that are all authentic.

        None where a code is not authentic, where the template cannot express its claims, or where the keys have these
        in different fields.
        """
        by = [NO_KEY if key is None else index.place_of[key.public_key] for key in keys]
        readers = _readers(template, by, index)
        if not readers or (len(rows) > 1 and len(set(map(id, map(_fields, readers)))) > 1):
            return None
        fields, cut, _ = readers[0]
        try:
            subjects, words, issued_at, *ends = zip(*map(cut, rows), strict=True)
        except Malformed:  # digits of no time
            return None
        not_before = None if fields.not_before is None else ends.pop()
        if fields.has_one_end:
            (expires_at,) = ends
        else:
            times = zip(issued_at, *ends, strict=True)
            expires_at = tuple([validity.expiry(first, rest, fields.lifetimes) for first, *rest in times])
        said = [known.get(word) for (_, _, known), word in zip(readers, words, strict=True)]
        if None in said:
            told = zip(by, words, strict=True)
            said = [template.words_of(at, index.keys[at], word, index.trust) for at, word in told]
        windows = [*map(index.key_windows.__getitem__, by)]
        if (
            None in said
            or not all(map(lt, issued_at, expires_at))
            or not validity.are_valid(windows, issued_at, expires_at, not_before, now, self._skew)
        ):
            return None
        index.templates.use(template, by, index.keys)
        assertions, level_words = zip(*cast("list[ReadWords]", said), strict=True)
        homes, levels, _ = zip(*assertions, strict=True)
        if not fields.is_pseudonym:
            local_ids = [local_id(fields, subject, template.layout) for subject in subjects]
            subjects = tuple(self._pseudonyms.of_all(homes, local_ids))
        none = [None] * len(rows)
        begins_at = not_before or none
        columns = zip(homes, subjects, level_words, levels, issued_at, expires_at, begins_at, none, strict=True)
        return [*map(make_claims, repeat(Claims), columns)]


def _readers(template: Template, by: Sequence[int], index: IssuerIndex) -> list[FieldReader]:
    """Return how the claims of each key are read; nothing where the template cannot express those of one."""
    readers = [*map(template.readers.get, by)]
    if None in readers:
        readers = [None if at == NO_KEY else template.reader_of(at, index.keys[at], index.trust) for at in by]
    return [] if None in readers else cast("list[FieldReader]", readers)
