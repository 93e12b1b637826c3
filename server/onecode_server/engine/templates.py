"""A template: one layout of codes, and what the keys of a trust list mean in it. Each is found once, then looked up."""

import sys
from itertools import repeat
from typing import Final

import numpy as np
import numpy.typing as npt

from onecode_server.engine.claim_fields import Claimant, ClaimFields, claim_fields, read_words
from onecode_server.formats.columns import Bytes, Field, Kind, Layout, Shape, octets
from onecode_server.model.trust_list import IssuerKey, TrustList

Places = npt.NDArray[np.int64]

NO_CLAIMANT: Final = -1
"""The place of the claimant of a code that is left to the general path."""
WORDS_MAX: Final = 128
"""Of one key in one template: its level words, for each region of residence. Past it they are read anew, at some
microseconds each, for the codes of this key alone."""

_UNKNOWN: Final = -2
_PLACE_BYTES: Final = 8
_LAYOUT_BYTES: Final = 8192  # fields with their paths, and the arrays themselves
_LAYOUT_FACTOR: Final = 16  # what the arrays hold for each byte of a code: places, classes, what must be as it was
_WORDS_BYTES: Final = 300  # an entry of the dict, and its key's own size beside the words


class Template:
    """The layout of codes of one ``shape`` under one trust list, whose IssuerIndex has a place for each key.

    ``claimants`` are those whose word its codes were, ``hits`` is how many codes it read lately, ``holders`` are the
    places of the keys in whose share of the cache it is.
    """

    def __init__(self, layout: Layout, shape: Shape) -> None:
        self.layout = layout
        self.shape = shape
        self.claimants: list[Claimant] = []
        self.hits = 0
        self.reads = 0
        self.holders: set[int] = set()
        self._bytes = _LAYOUT_BYTES + _LAYOUT_FACTOR * shape[0]
        self._claimant_places: dict[Claimant, int] = {}
        self._fields: dict[int, ClaimFields | None] = {}
        self._known_fields: dict[ClaimFields, ClaimFields] = {}
        self._places: dict[bytes, int] = {}
        self._words: dict[int, list[bytes]] = {}

    def fields_of(self, place: int, key: IssuerKey, trust: TrustList) -> ClaimFields | None:
        """Return where a key's claims stand, or None where they are not plain. Equal ones are the same object."""
        if place not in self._fields:
            fields = claim_fields(key, self.layout, trust)
            self._fields[place] = None if fields is None else self._known_fields.setdefault(fields, fields)
        return self._fields[place]

    def claimant_of(self, place: int, key: IssuerKey, words: bytes, trust: TrustList) -> int:
        """Return whose word a code is that ``key`` signed, its place in ``claimants``, or NO_CLAIMANT.

        ``words`` are those of the key's ``ClaimFields.words``, one behind the other.
        """
        row = place.to_bytes(_PLACE_BYTES, sys.byteorder) + words
        found = self._places.get(row, _UNKNOWN)
        return self._read(place, key, row, trust) if found == _UNKNOWN else found

    def claimants_of(
        self, places: Places, fields: ClaimFields, data: Bytes, keys: list[IssuerKey], trust: TrustList
    ) -> Places:
        """Return the same of many codes: int64[n]. ``data`` has their rows; ``fields`` are those of all their keys."""
        # The key itself is part of a row, since keys of one id may be two regions'.
        signed_by = np.ascontiguousarray(places).view(np.uint8).reshape(-1, _PLACE_BYTES)
        words = (data[:, field.start : field.end] for field in fields.words)
        joined = np.concatenate((signed_by, *words), axis=1)
        rows = octets(joined, Field(Kind.OTHER, 0, joined.shape[1]))
        found = np.fromiter(map(self._places.get, rows, repeat(_UNKNOWN)), np.int64, len(rows))
        if (found == _UNKNOWN).any():
            new = {rows[at]: int(places[at]) for at in np.flatnonzero(found == _UNKNOWN).tolist()}
            read = {row: self._read(place, keys[place], row, trust) for row, place in new.items()}
            for at in np.flatnonzero(found == _UNKNOWN).tolist():
                found[at] = read[rows[at]]
        return found

    def bytes_of(self, place: int) -> int:
        """Return what the template takes of a key's share, from above: the layout, and the key's words."""
        words = self._words.get(place, ())
        return self._bytes + sum(_WORDS_BYTES + len(row) for row in words)

    def forget(self, place: int) -> None:
        """Let go of what is known of a key's words."""
        for row in self._words.pop(place, ()):
            self._places.pop(row, None)

    def _read(self, place: int, key: IssuerKey, row: bytes, trust: TrustList) -> int:
        fields = self.fields_of(place, key, trust)
        read = None if fields is None else read_words(key, fields, row[_PLACE_BYTES:], self.layout, trust)
        found = NO_CLAIMANT
        if read is not None:
            found = self._claimant_places.setdefault(read.claimant, len(self.claimants))
            if found == len(self.claimants):
                self.claimants.append(read.claimant)
        if len(self._words.get(place, ())) >= WORDS_MAX:
            self.forget(place)
        self._words.setdefault(place, []).append(row)
        self._places[row] = found
        self.reads = 0  # so that the cache is told
        return found
