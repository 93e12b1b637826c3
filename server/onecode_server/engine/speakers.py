"""The keys and voices that codes of one layout have under one trust list: each is found once, and then looked up."""

from collections.abc import Sequence
from itertools import repeat
from typing import Final

import numpy as np
import numpy.typing as npt

from onecode_server.engine.voices import Claimant, Terms, terms_of, voice_of
from onecode_server.errors import Malformed
from onecode_server.formats.columns import Bytes, Field, Kind, Layout, octets
from onecode_server.model.trust_list import CANDIDATES_MAX, IssuerKey, TrustList
from onecode_server.rules.columns import KeyBounds

Places = npt.NDArray[np.int64]

NOBODY: Final = -1
"""The place of what is left to the general path."""
KEPT_MAX: Final = 4096
"""Spellings of key ids, and voices, of one layout: all keys of a country's regions with all their words. Past it they
are found anew, which costs some microseconds each."""

_UNKNOWN: Final = -2
_KEY_BYTES: Final = 8


class Speakers:
    """Those who speak in codes of one layout. Places are into ``keys``, ``terms`` and ``claimants``."""

    def __init__(self, layout: Layout, trust: TrustList, skew: int) -> None:
        self._layout = layout
        self._trust = trust
        self._skew = skew
        self.keys: list[IssuerKey] = []
        self.public_keys: list[bytes] = []
        self.terms: list[Terms] = []
        self._terms_of_keys: list[int] = []
        self._candidates: dict[tuple[IssuerKey, ...], int] = {}
        self.candidates = np.empty((0, CANDIDATES_MAX), np.int64)
        self._field_places: dict[bytes, int] = {}
        self._voice_places: dict[bytes, int] = {}
        self.claimants: list[Claimant] = []
        self._bounds: list[KeyBounds] = []
        self.bounds = np.empty((0, 4), np.int64)

    def candidates_of(self, fields: Sequence[bytes]) -> Places:
        """Return the place, in ``candidates``, of the keys that each key id names: int64[n], or NOBODY.

        ``candidates``, int64[m, CANDIDATES_MAX], has their places in ``keys``, in the order in which they are tried.
        """
        places = _look_up(self._field_places, fields)
        if (places == _UNKNOWN).any():
            new = set(fields) - self._field_places.keys()
            if len(self._field_places) + len(new) > KEPT_MAX:
                self._field_places.clear()
                new = set(fields)
            self._field_places |= {field: self._meet(field) for field in new}
            places = _look_up(self._field_places, fields)
        return places

    def _meet(self, field: bytes) -> int:
        try:
            candidates = self._trust.keys_for(self._layout.format, self._layout.read_key_id(field))
        except Malformed:
            return NOBODY
        if not candidates:
            return NOBODY
        if candidates not in self._candidates:
            row = np.full((1, CANDIDATES_MAX), NOBODY, np.int64)
            for place, key in enumerate(candidates):
                row[0, place] = len(self.keys)
                self._add(key)
            self._candidates[candidates] = len(self.candidates)
            self.candidates = np.concatenate((self.candidates, row))
        return self._candidates[candidates]

    def _add(self, key: IssuerKey) -> None:
        self.keys.append(key)
        self.public_keys.append(key.public_key)
        terms = terms_of(key, self._layout, self._trust)
        if terms is not None and terms not in self.terms:
            self.terms.append(terms)
        self._terms_of_keys.append(NOBODY if terms is None else self.terms.index(terms))

    def terms_of(self, keys: Places) -> Places:
        """Return the place of the terms of each key: int64[n], NOBODY where they are not plain."""
        return np.array(self._terms_of_keys, np.int64)[keys]

    def voices_of(self, keys: Places, terms: Terms, data: Bytes) -> Places:
        """Return the place of each voice, into ``claimants`` and ``bounds``: int64[n], NOBODY where there is none.

        ``data`` has the rows of codes that ``keys`` signed; ``terms`` are those of all of these keys.
        """
        # The key itself is part of a voice, since keys of one id may be two regions', or valid at different times.
        signed_by = np.ascontiguousarray(keys).view(np.uint8).reshape(-1, _KEY_BYTES)
        words = (data[:, field.start : field.end] for field in terms.words)
        rows = np.concatenate((signed_by, *words), axis=1)
        said = octets(rows, Field(Kind.OTHER, 0, rows.shape[1]))
        places = _look_up(self._voice_places, said)
        if (places == _UNKNOWN).any():
            new = dict(zip(said, keys.tolist(), strict=True))
            if len(self._voice_places) + len(new) > KEPT_MAX:
                self._voice_places, self.claimants, self._bounds = {}, [], []
            for text in new.keys() - self._voice_places.keys():
                self._voice_places[text] = self._voice(self.keys[new[text]], terms, text)
            self.bounds = np.array(self._bounds, np.int64).reshape(-1, 4)
            places = _look_up(self._voice_places, said)
        return places

    def _voice(self, key: IssuerKey, terms: Terms, said: bytes) -> int:
        voice = voice_of(key, terms, said[_KEY_BYTES:], self._trust, self._skew)
        if voice is None:
            return NOBODY
        self.claimants.append(voice.claimant)
        self._bounds.append(voice.bounds)
        return len(self._bounds) - 1


def _look_up(known: dict[bytes, int], texts: Sequence[bytes]) -> Places:
    return np.fromiter(map(known.get, texts, repeat(_UNKNOWN)), np.int64, len(texts))
