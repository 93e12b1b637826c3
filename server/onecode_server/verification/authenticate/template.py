"""A template: one layout of codes, with the claim fields and the assertions of each key, found once and then cached."""

import sys
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from onecode_server.codes.layouts import Bytes, Cut, Field, Kind, Layout, Shape, octets
from onecode_server.model.code import SignedCode
from onecode_server.model.trust_list import IssuerKey, TrustList
from onecode_server.verification.authenticate.claim_fields import ClaimFields, ReadWords, claim_fields, read_words
from onecode_server.verification.authenticate.verified_claims import Assertions

Places = npt.NDArray[np.int64]

NO_ASSERTION: Final = -1
"""Marks a code that has no assertion here and is left to the general path."""
WORDS_MAX: Final = 128
"""Cached words of one key in one template: its level words, for each region of residence. When a key exceeds it, its
words are read again, at some microseconds each; other keys are not affected."""

_UNKNOWN: Final = -2
_PLACE_BYTES: Final = 8
_LAYOUT_BYTES: Final = 8192  # fields with their paths, and the arrays themselves
_LAYOUT_FACTOR: Final = 16  # bytes in the arrays for each byte of a code: places, classes, constant bytes
_WORDS_BYTES: Final = 600  # two entries of dicts, the size of their key without the words, and what the words say


class FieldReader(NamedTuple):
    """How claims of one key are read from a row: their ``fields``, and the function that returns the bytes of the
    subject, those of ``fields.words``, joined, and the times of issue, of the ends and of the beginning, if there is
    one. ``words`` is what words say that were read before: None where the general path must read them."""

    fields: ClaimFields
    cut: Cut
    words: dict[bytes, ReadWords | None]


class Template:
    """The layout of codes of one ``shape`` under one trust list, whose IssuerIndex has a place for each key.

    ``key_ids`` are key ids by their encoding in authentic codes, None where a row has the key id itself. ``assertions``
    are the distinct assertions of its codes, ``hits`` is how many codes it read lately, ``holders`` are the places of
    the keys whose share of the cache contains it.
    """

    def __init__(self, layout: Layout, shape: Shape, key_ids: Mapping[bytes, bytes] | None) -> None:
        self.layout = layout
        self.row, self.envelope = layout.row, layout.envelope
        self.shape = shape
        self.key_ids = key_ids
        self.assertions = Assertions()
        self.hits = 0
        self.reads = 0
        self.holders: set[int] = set()
        self._bytes = _LAYOUT_BYTES + _LAYOUT_FACTOR * shape[0]
        self._fields: dict[int, ClaimFields | None] = {}
        self._known_fields: dict[ClaimFields, ClaimFields] = {}
        self.readers: dict[int, FieldReader | None] = {}
        self._cuts: dict[ClaimFields, Cut] = {}
        self._places: dict[bytes, int] = {}
        self._words: dict[int, list[bytes]] = {}

    def signed(self, row: bytes, key_id: bytes) -> SignedCode:
        """Return the envelope of one row that fits, as the format's ``decode`` does. ``key_id`` is its key id."""
        _, message, signature, payload = self.envelope(row)
        return SignedCode(self.layout.format, key_id, message, signature, payload)

    def fields_of(self, place: int, key: IssuerKey, trust: TrustList) -> ClaimFields | None:
        """Return the fields of a key's claims, or None if the general path must read them.

        Equal ``ClaimFields`` are the same object.
        """
        if place not in self._fields:
            fields = claim_fields(key, self.layout, trust)
            self._fields[place] = None if fields is None else self._known_fields.setdefault(fields, fields)
        return self._fields[place]

    def fields_of_all(
        self, places: Sequence[int], keys: Sequence[IssuerKey], trust: TrustList
    ) -> list[ClaimFields | None]:
        """Return the fields of each key's claims, in order."""
        try:
            return [self._fields[place] for place in places]  # all of them are cached, as nearly always
        except KeyError:
            return [self.fields_of(place, keys[place], trust) for place in places]

    def reader_of(self, place: int, key: IssuerKey, trust: TrustList) -> FieldReader | None:
        """Return the reader of a key's claims in one row, or None if the general path must read them."""
        try:
            return self.readers[place]
        except KeyError:
            fields = self.fields_of(place, key, trust)
            reader = None
            if fields is not None:
                if fields not in self._cuts:
                    self._cuts[fields] = _cut(fields, self.layout)
                reader = FieldReader(fields, self._cuts[fields], {})
            self.readers[place] = reader
            return reader

    def words_of(self, place: int, key: IssuerKey, words: bytes, trust: TrustList) -> ReadWords | None:
        """Return what the words of a code that ``key`` signed say, or None if the general path must read them.

        ``words`` are the bytes of the key's ``ClaimFields.words``, joined.
        """
        reader = self.reader_of(place, key, trust)
        if reader is None:
            return None
        if words not in reader.words:
            self._read(place, key, place.to_bytes(_PLACE_BYTES, sys.byteorder) + words, trust)
        return reader.words[words]

    def assertions_of(
        self, places: Places, fields: ClaimFields, data: Bytes, keys: list[IssuerKey], trust: TrustList
    ) -> Places:
        """Return the place in ``assertions`` of the assertion of each code, or NO_ASSERTION: int64[n].

        ``data`` has their rows; all their keys have these ``fields``.
        """
        # A row contains the key's place, since two regions may have keys of the same id.
        signed_by = np.ascontiguousarray(places).view(np.uint8).reshape(-1, _PLACE_BYTES)
        words = (data[:, field.start : field.end] for field in fields.words)
        joined = np.concatenate((signed_by, *words), axis=1)
        rows = octets(joined, Field(Kind.OTHER, 0, joined.shape[1]))
        found = np.fromiter(map(self._places.get, rows, repeat(_UNKNOWN)), np.int64, len(rows))
        if np.count_nonzero(found == _UNKNOWN):
            unknown = (found == _UNKNOWN).nonzero()[0].tolist()
            new = {rows[at]: int(places[at]) for at in unknown}
            read = {row: self._read(place, keys[place], row, trust) for row, place in new.items()}
            for at in unknown:
                found[at] = read[rows[at]]
        return found

    def bytes_of(self, place: int) -> int:
        """Return an upper bound of the template's size in a key's share: the layout, and the key's words."""
        words = self._words.get(place, ())
        return self._bytes + sum(_WORDS_BYTES + len(row) for row in words)

    def forget(self, place: int) -> None:
        """Remove a key's cached words."""
        for row in self._words.pop(place, ()):
            self._places.pop(row, None)
        if (reader := self.readers.get(place)) is not None:
            reader.words.clear()

    def _read(self, place: int, key: IssuerKey, row: bytes, trust: TrustList) -> int:
        reader, words, read = self.reader_of(place, key, trust), row[_PLACE_BYTES:], None
        if reader is not None:
            read = read_words(key, reader.fields, words, self.layout, trust)
        found = NO_ASSERTION
        if read is not None:
            found = self.assertions.place_of(read.assertion)
        if len(self._words.get(place, ())) >= WORDS_MAX:
            self.forget(place)
        self._words.setdefault(place, []).append(row)
        self._places[row] = found
        if reader is not None:
            reader.words[words] = read
        self.reads = 0  # the next use() then updates the size of the share
        return found


def _cut(fields: ClaimFields, layout: Layout) -> Cut:
    times = [fields.issued_at, *fields.ends] + ([] if fields.not_before is None else [fields.not_before])
    return layout.cutter(((fields.subject,), fields.words), times)
